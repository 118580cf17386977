#include "common/job/site.h"

#include <string.h>

static const struct {
    const char *name, *hook;
    enum site_kind kind;
} sites[] = {
#define SITE_ROW(code, name, hook, kind) [code] = {name, hook, kind},
    SITE_LIST(SITE_ROW)
#undef SITE_ROW
};

const char *site_name(enum site site) { return sites[site].name; }
const char *site_hook(enum site site) { return sites[site].hook; }
enum site_kind site_kind(enum site site) { return sites[site].kind; }

enum site site_find(const char *name)
{
    int site = 0;
    while (site < SITE_COUNT && strcmp(sites[site].name, name) != 0)
        site++;
    return (enum site)site;
}

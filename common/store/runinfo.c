#include "common/store/runinfo.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *key;
    enum runinfo_kind kind;
} keys[] = {
#define RUNINFO_KEY(code, key, kind, units, long_name) {key, kind},
    RUNINFO_LIST(RUNINFO_KEY)
#undef RUNINFO_KEY
};

const char *runinfo_key(enum runinfo key) { return keys[key].key; }

void runinfo_put_text(struct buf *out, enum runinfo key, const char *value)
{
    assert(keys[key].kind == RUNINFO_TEXT);
    buf_printf(out, "%s = ", keys[key].key);
    for (const char *at = value; *at; at++)
        buf_u8(out, *at == '\n' || *at == '\r' ? ' ' : (uint8_t)*at);
    buf_u8(out, '\n');
}

void runinfo_put_count(struct buf *out, enum runinfo key, int64_t value)
{
    assert(keys[key].kind == RUNINFO_COUNT);
    buf_printf(out, "%s = %lld\n", keys[key].key, (long long)value);
}

void runinfo_put_number(struct buf *out, enum runinfo key, double value)
{
    assert(keys[key].kind == RUNINFO_NUMBER);
    buf_printf(out, "%s = %.17g\n", keys[key].key, value);
}

const char *runinfo_find(const char *text, enum runinfo key, size_t *n)
{
    size_t n_key = strlen(keys[key].key);
    for (const char *line = text; *line;) {
        size_t n_line = strcspn(line, "\n");
        const char *value = line + n_key;
        if (n_line >= n_key + 3 && strncmp(line, keys[key].key, n_key) == 0 &&
            strncmp(value, " = ", 3) == 0) {
            *n = n_line - n_key - 3;
            return value + 3;
        }
        line += n_line + (line[n_line] == '\n');
    }
    return NULL;
}

char *runinfo_get(const char *text, enum runinfo key)
{
    size_t n;
    const char *value = runinfo_find(text, key, &n);
    char *copy = value ? malloc(n + 1) : NULL;
    if (!copy) return NULL;
    memcpy(copy, value, n);
    copy[n] = '\0';
    return copy;
}

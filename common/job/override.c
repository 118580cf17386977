/* override.c - "KEY=VALUE" of --set into a parsed job. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/job/job_parts.h"

/* "require" of "require.margin": up to the next dot. */
struct step {
    const char *name;
    size_t bytes;
};

static struct doc *find(struct doc *map, struct step step)
{
    for (size_t i = 0; i < map->n; i++)
        if (map->keys[i].text_bytes == step.bytes &&
            memcmp(map->keys[i].text, step.name, step.bytes) == 0)
            return &map->items[i];
    return NULL;
}

/* The item of a map, added where it is not there. */
static struct doc *enter_map(struct doc *map, struct step step, int line,
                             struct err *err)
{
    struct doc *item = find(map, step);
    if (item) return item;
    item = doc_append(map, err);
    if (!item) return NULL;
    struct doc *key = &map->keys[map->n - 1];
    key->kind = DOC_STRING;
    key->line = item->line = line;
    if (doc_set_text(key, step.name, step.bytes, err)) return NULL;
    return item;
}

/* The item of a list by its number. */
static struct doc *enter_list(struct doc *list, struct step step,
                              const char *text, struct err *err)
{
    size_t index = 0, digits = 0;
    for (; digits < step.bytes && digits < 9; digits++) {
        char c = step.name[digits];
        if (c < '0' || c > '9') break;
        index = 10 * index + (size_t)(c - '0');
    }
    if (digits == 0 || digits != step.bytes || index >= list->n) {
        (void)err_set(err, STATUS_INPUT,
                      "--set %s: '%.*s' stands for an item of a list of %zu; "
                      "expected a number from 0 to %zu",
                      text, (int)step.bytes, step.name, list->n,
                      list->n ? list->n - 1 : 0);
        return NULL;
    }
    return &list->items[index];
}

static enum status apply(struct doc *doc, const char *text, int line,
                         struct err *err)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return err_set(err, STATUS_INPUT,
                       "--set %s: expected KEY=VALUE, for example min_gap=0.01",
                       text);
    struct doc *at = doc;
    for (const char *name = text; name <= equals;) {
        struct step step = {name, strcspn(name, ".=")};
        name += step.bytes + 1;
        if (at->kind == DOC_NULL) {
            doc_free(at);
            *at = (struct doc){.kind = DOC_MAP, .line = line};
        }
        if (step.bytes == 0)
            return err_set(err, STATUS_INPUT,
                           "--set %s: a name between two dots is empty", text);
        if (at->kind == DOC_MAP)
            at = enter_map(at, step, line, err);
        else if (at->kind == DOC_LIST)
            at = enter_list(at, step, text, err);
        else
            return err_set(err, STATUS_INPUT,
                           "--set %s: '%.*s' stands for a key of what is %s",
                           text, (int)step.bytes, step.name,
                           doc_kind_name(at->kind));
        if (!at) return err->status;
    }
    struct doc value;
    struct err inner = {0};
    if (doc_parse_yaml(&value, "value", equals + 1, strlen(equals + 1), &inner))
        return err_set(err, inner.status, "--set %s: the value: %s", text,
                       reading_why(inner.message));
    reading_set_line(&value, line);
    doc_free(at);
    *at = value;
    return STATUS_OK;
}

enum status job_override(struct doc *doc, const char *const *overrides,
                         int n_overrides, struct err *err)
{
    for (int i = 0; i < n_overrides; i++)
        if (apply(doc, overrides[i], -(i + 1), err)) break;
    return err->status;
}

#include "common/job/job_keys.h"

#include <string.h>

#include "common/job/job.h"

struct key {
    const char *name, *holds, *fallback, *absent, *meaning;
};

#define KEY_ROW(code, name, holds, fallback, absent, meaning)                  \
    {name, holds, fallback, absent, meaning},
#define KEY_TABLE(code, table, heading)                                        \
    static const struct key rows_of_##code[] = {table(KEY_ROW)};
SCOPE_LIST(KEY_TABLE)
#undef KEY_TABLE
#undef KEY_ROW

static const struct {
    const char *heading;
    const struct key *rows;
    int n;
} scopes[] = {
#define SCOPE_ROW(code, table, heading)                                        \
    [code] = {heading, rows_of_##code,                                         \
              (int)(sizeof rows_of_##code / sizeof *rows_of_##code)},
    SCOPE_LIST(SCOPE_ROW)
#undef SCOPE_ROW
};

const char *key_name(enum scope scope, int key)
{
    return scopes[scope].rows[key].name;
}

void keys_free(struct keys *keys)
{
    for (int i = 0; i < KEYS_MOST; i++)
        doc_free(&keys->fallback[i]);
}

static enum status refuse_unknown(const struct reading *r, enum scope scope,
                                  const struct doc *key)
{
    const char *names[KEYS_MOST];
    char known[400] = "";
    for (int i = 0; i < scopes[scope].n; i++) {
        names[i] = scopes[scope].rows[i].name;
        if (strlen(known) + strlen(names[i]) + 3 < sizeof known) {
            if (i) strncat(known, ", ", 3);
            strncat(known, names[i], sizeof known - strlen(known) - 1);
        }
    }
    int near = reading_nearest(key->text, names, scopes[scope].n);
    if (near >= 0)
        return reading_fail(r, key, NULL,
                            "unknown key '%.40s'; did you mean '%s'?",
                            key->text, names[near]);
    return reading_fail(r, key, NULL,
                        "unknown key '%.40s'; the keys here are %s", key->text,
                        known);
}

static int find_key(enum scope scope, const char *name)
{
    int i = 0;
    while (i < scopes[scope].n && strcmp(scopes[scope].rows[i].name, name) != 0)
        i++;
    return i;
}

enum status keys_read(struct keys *out, const struct reading *r,
                      enum scope scope, const struct doc *doc)
{
    *out = (struct keys){0};
    if (r->err->status) return r->err->status;
    if (doc && doc->kind != DOC_MAP) {
        char expected[400] = "a map with the keys ";
        for (int i = 0; i < scopes[scope].n; i++) {
            if (!scopes[scope].rows[i].holds) continue;
            if (i) strncat(expected, ", ", 3);
            strncat(expected, scopes[scope].rows[i].name,
                    sizeof expected - strlen(expected) - 3);
        }
        return reading_expect(r, doc, NULL, expected);
    }
    for (size_t i = 0; doc && i < doc->n; i++) {
        int key = find_key(scope, doc->keys[i].text);
        if (key == scopes[scope].n ||
            strlen(doc->keys[i].text) != doc->keys[i].text_bytes)
            return refuse_unknown(r, scope, &doc->keys[i]);
        const struct key *row = &scopes[scope].rows[key];
        if (!row->holds)
            return reading_fail(r, &doc->keys[i], row->name,
                                "not supported yet (%s)", row->meaning);
        out->at[key] = &doc->items[i];
    }
    for (int i = 0; i < scopes[scope].n; i++) {
        const struct key *row = &scopes[scope].rows[i];
        if (out->at[i]) continue;
        if (!row->fallback && !row->absent) {
            keys_free(out);
            return reading_fail(r, doc, NULL, "the key %s is missing (%s: %s)",
                                row->name, row->holds, row->meaning);
        }
        if (!row->fallback) continue;
        if (doc_parse_yaml(&out->fallback[i], row->name, row->fallback,
                           strlen(row->fallback), r->err)) {
            keys_free(out);
            return r->err->status;
        }
        reading_set_line(&out->fallback[i], doc ? doc->line : 0);
        out->at[i] = &out->fallback[i];
    }
    return STATUS_OK;
}

/* Text of a cell of a Markdown table, where | would end it. */
static void write_cell(struct buf *out, const char *text)
{
    for (; *text; text++)
        buf_printf(out, *text == '|' ? "\\%c" : "%c", *text);
}

void job_describe_keys(struct buf *out)
{
    for (int scope = 0; scope < SCOPE_COUNT; scope++) {
        buf_printf(out, "%s### %s\n\n| key | holds | when absent | meaning |\n",
                   scope ? "\n" : "", scopes[scope].heading);
        buf_printf(out, "|---|---|---|---|\n");
        for (int i = 0; i < scopes[scope].n; i++) {
            const struct key *row = &scopes[scope].rows[i];
            if (!row->holds) {
                buf_printf(out, "| `%s` | | | %s; not supported yet |\n",
                           row->name, row->meaning);
                continue;
            }
            bool has_default = row->fallback != NULL;
            const char *absent = row->absent ? row->absent : "mandatory";
            buf_printf(out, "| `%s` | ", row->name);
            write_cell(out, row->holds);
            buf_printf(out, has_default ? " | `%s` | " : " | %s | ",
                       has_default ? row->fallback : absent);
            write_cell(out, row->meaning);
            buf_printf(out, " |\n");
        }
    }
}

#include "common/job/reading.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* "FILE: line N: WHERE: KEY", without what is not known. */
static void print_place(const struct reading *r, const struct doc *doc,
                        const char *key, char *out, size_t bytes)
{
    int line = doc && doc->line ? doc->line : r->line;
    int used = 0;
    if (line < 0)
        used = snprintf(out, bytes, "--set%s%s", r->overrides ? " " : "",
                        r->overrides ? r->overrides[-line - 1] : "");
    else if (line > 0)
        used = snprintf(out, bytes, "%s: line %d", r->file, line);
    else
        used = snprintf(out, bytes, "%s", r->file);
    if (used < 0 || (size_t)used >= bytes) return;
    snprintf(out + used, bytes - (size_t)used, "%s%s%s%s",
             r->where[0] ? ": " : "", r->where, key ? ": " : "",
             key ? key : "");
}

struct reading reading_inside(const struct reading *r, const char *name)
{
    struct reading inside = *r;
    size_t used = strlen(inside.where);
    snprintf(inside.where + used, sizeof inside.where - used, "%s%s",
             used ? ": " : "", name);
    return inside;
}

enum status reading_fail(const struct reading *r, const struct doc *doc,
                         const char *key, const char *format, ...)
{
    if (r->err->status) return r->err->status;
    char place[512], sentence[512];
    print_place(r, doc, key, place, sizeof place);
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    return err_set(r->err, STATUS_INPUT, "%s: %s", place, sentence);
}

enum status reading_context(const struct reading *r, const struct doc *doc,
                            const char *key)
{
    char place[512];
    print_place(r, doc, key, place, sizeof place);
    return err_context(r->err, "%s", place);
}

static void print_found(const struct doc *doc, char *out, size_t bytes)
{
    enum { SHOWN = 60 };
    switch (doc->kind) {
    case DOC_STRING:
        snprintf(out, bytes, "'%.*s%s'", SHOWN, doc->text,
                 doc->text_bytes > SHOWN ? ".." : "");
        break;
    case DOC_BOOL:
        snprintf(out, bytes, "%s", doc->boolean ? "true" : "false");
        break;
    case DOC_INT:
        snprintf(out, bytes, "%lld", (long long)doc->integer);
        break;
    case DOC_FLOAT:
        snprintf(out, bytes, "%g", doc->number);
        break;
    case DOC_LIST:
        snprintf(out, bytes, "a list of %zu", doc->n);
        break;
    default:
        snprintf(out, bytes, "%s", doc_kind_name(doc->kind));
    }
}

enum status reading_expect(const struct reading *r, const struct doc *doc,
                           const char *key, const char *expected)
{
    char found[96];
    print_found(doc, found, sizeof found);
    return reading_fail(r, doc, key, "found %s, expected %s", found, expected);
}

enum status reading_text(const struct reading *r, const struct doc *doc,
                         const char *key, char **out)
{
    if (!doc || r->err->status) return r->err->status;
    char digits[32];
    const char *text = doc->text;
    if (doc->kind == DOC_INT) {
        snprintf(digits, sizeof digits, "%lld", (long long)doc->integer);
        text = digits;
    } else if (doc->kind != DOC_STRING) {
        return reading_expect(r, doc, key, "a text");
    } else if (doc->text_bytes == 0) {
        return reading_fail(r, doc, key, "found an empty text");
    } else if (strlen(text) != doc->text_bytes) {
        return reading_fail(r, doc, key, "a NUL character stands in the text");
    }
    *out = mem_strdup(text, r->err);
    return r->err->status;
}

enum status reading_name(const struct reading *r, const struct doc *doc,
                         const char *key, char **out)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    if (!doc || reading_text(r, doc, key, out)) return r->err->status;
    const char *name = *out;
    if (strspn(name, allowed) == strlen(name) && strlen(name) <= 64 &&
        name[0] != '.')
        return STATUS_OK;
    return reading_expect(r, doc, key,
                          "at most 64 letters, digits, _, - and ., not "
                          "beginning with a dot");
}

enum status reading_bool(const struct reading *r, const struct doc *doc,
                         const char *key, bool *out)
{
    if (!doc || r->err->status) return r->err->status;
    if (doc->kind != DOC_BOOL)
        return reading_expect(r, doc, key, "true or false");
    *out = doc->boolean;
    return STATUS_OK;
}

enum status reading_whole(const struct reading *r, const struct doc *doc,
                          const char *key, int least, int most, int *out)
{
    if (!doc || r->err->status) return r->err->status;
    if (doc->kind != DOC_INT || doc->integer < least || doc->integer > most) {
        char expected[96];
        if (most == INT_MAX)
            snprintf(expected, sizeof expected, "a whole number of at least %d",
                     least);
        else
            snprintf(expected, sizeof expected, "a whole number from %d to %d",
                     least, most);
        return reading_expect(r, doc, key, expected);
    }
    *out = (int)doc->integer;
    return STATUS_OK;
}

enum status reading_seed(const struct reading *r, const struct doc *doc,
                         const char *key, uint64_t *out)
{
    if (!doc || r->err->status) return r->err->status;
    if (doc->kind != DOC_INT || doc->integer < 0)
        return reading_expect(r, doc, key, "a whole number of at least 0");
    *out = (uint64_t)doc->integer;
    return STATUS_OK;
}

enum status reading_number(const struct reading *r, const struct doc *doc,
                           const char *key, double least, double *out)
{
    if (!doc || r->err->status) return r->err->status;
    bool is_number = doc->kind == DOC_INT || doc->kind == DOC_FLOAT;
    if (!is_number || !isfinite(doc->number) || doc->number < least) {
        char expected[96];
        if (isfinite(least))
            snprintf(expected, sizeof expected, "a number of at least %g",
                     least);
        else
            snprintf(expected, sizeof expected, "a finite number");
        return reading_expect(r, doc, key, expected);
    }
    *out = doc->number;
    return STATUS_OK;
}

enum status reading_choice(const struct reading *r, const struct doc *doc,
                           const char *key, const char *const *words, int n,
                           int *out)
{
    if (!doc || r->err->status) return r->err->status;
    for (int i = 0; doc->kind == DOC_STRING && i < n; i++) {
        if (strcmp(doc->text, words[i]) == 0) {
            *out = i;
            return STATUS_OK;
        }
    }
    char expected[400];
    size_t used = 0;
    for (int i = 0; i < n; i++) {
        int more = snprintf(expected + used, sizeof expected - used, "%s%s",
                            i == 0       ? ""
                            : i == n - 1 ? " or "
                                         : ", ",
                            words[i]);
        if (more < 0 || (size_t)more >= sizeof expected - used) break;
        used += (size_t)more;
    }
    int near = -1;
    if (doc->kind == DOC_STRING) near = reading_nearest(doc->text, words, n);
    if (near >= 0)
        snprintf(expected + used, sizeof expected - used,
                 "; did you mean '%s'?", words[near]);
    return reading_expect(r, doc, key, expected);
}

size_t reading_n_items(const struct doc *doc)
{
    return doc->kind == DOC_LIST ? doc->n : 1;
}

const struct doc *reading_item(const struct doc *doc, size_t i)
{
    return doc->kind == DOC_LIST ? &doc->items[i] : doc;
}

const char *reading_place(char out[READING_PLACE], const char *file, int line)
{
    if (line < 0)
        snprintf(out, READING_PLACE, "%.280s: --set", file);
    else
        snprintf(out, READING_PLACE, "%.280s: line %d", file, line);
    return out;
}

const char *reading_why(const char *message)
{
    const char *line = strstr(message, "line ");
    const char *colon = line ? strstr(line, ": ") : NULL;
    return colon ? colon + 2 : message;
}

void reading_set_line(struct doc *doc, int line)
{
    doc->line = line;
    for (size_t i = 0; i < doc->n; i++) {
        if (doc->keys) doc->keys[i].line = line;
        reading_set_line(&doc->items[i], line);
    }
}

enum { MAX_WORD = 40 };

/* Edits between two words shorter than MAX_WORD: letters added, left out,
 * changed, or two neighbours swapped (optimal string alignment). */
static int edit_distance(const char *a, const char *b)
{
    int rows[3][MAX_WORD + 1];
    int *before = rows[0], *above = rows[1], *row = rows[2];
    int n = (int)strlen(b);
    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int *oldest = before;
        before = above;
        above = row;
        row = oldest;
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            row[j] = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < row[j]) row[j] = above[j] + 1;
            if (row[j - 1] + 1 < row[j]) row[j] = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
    }
    return row[n];
}

int reading_nearest(const char *text, const char *const *words, int n)
{
    int nearest = -1;
    size_t bytes = strlen(text);
    if (bytes == 0 || bytes >= MAX_WORD) return -1;
    int allowed = bytes < 6 ? 1 : (int)bytes / 3;
    for (int i = 0; i < n; i++) {
        if (strlen(words[i]) >= MAX_WORD) continue;
        int distance = edit_distance(text, words[i]);
        if (distance <= allowed) {
            allowed = distance - 1;
            nearest = i;
        }
    }
    return nearest;
}

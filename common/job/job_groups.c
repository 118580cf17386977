/* job_groups.c - `groups` and `mask` of a sweep. */
#include "common/job/groups.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/job/job_keys.h"
#include "common/job/job_parts.h"

enum {
    MOST_GROUPS = 1 << 20,
    MOST_RANGES = 1 << 22,
    MOST_DRAWS = 1 << 20,
    MOST_NUMBER = 1 << 24,
    MOST_GROUP_FILE = 1 << 26
};

const char *mask_word(enum mask_kind kind)
{
    static const char *const words[] = {
#define MASK_WORD(code, word) [code] = word,
        MASK_LIST(MASK_WORD)
#undef MASK_WORD
    };
    return words[kind];
}

char groups_letter(enum site site)
{
    return site == SITE_Z ? 'H' : site == SITE_MLP_OUT ? 'D' : 'N';
}

int groups_width(enum site site, const struct model_config *config)
{
    return site == SITE_Z         ? config->n_head
           : site == SITE_MLP_OUT ? config->d_model
                                  : config->d_mlp;
}

void groups_free(struct groups *groups)
{
    free(groups->file);
    free(groups->ranges);
    *groups = (struct groups){0};
}

/* Digits at *text, which is moved beyond them. */
static bool take_number(const char **text, int *out)
{
    int value = 0;
    const char *at = *text;
    for (; *at >= '0' && *at <= '9'; at++) {
        value = 10 * value + (*at - '0');
        if (value > MOST_NUMBER) return false;
    }
    if (at == *text) return false;
    *text = at;
    *out = value;
    return true;
}

/* L8N2744, L8N0-255, or without a layer 17 and 0-255. */
static bool take_range(const struct doc *doc, char letter,
                       struct group_range *out)
{
    if (doc->kind == DOC_INT) {
        out->layer = -1;
        if (doc->integer < 0 || doc->integer > MOST_NUMBER) return false;
        out->first = out->last = (int)doc->integer;
        return true;
    }
    if (doc->kind != DOC_STRING) return false;
    const char *at = doc->text;
    out->layer = -1;
    if (*at == 'L') {
        at++;
        if (!take_number(&at, &out->layer) || *at++ != letter) return false;
    }
    if (!take_number(&at, &out->first)) return false;
    out->last = out->first;
    if (*at == '-') {
        at++;
        if (!take_number(&at, &out->last)) return false;
    }
    return *at == '\0' && out->last >= out->first;
}

static enum status add_range(const struct reading *r, const struct doc *item,
                             const char *key, char letter, int group,
                             size_t *capacity, struct groups *out)
{
    struct group_range range = {.group = group};
    bool is_layered = out->per == GROUPS_PER_MODEL;
    if (!take_range(item, letter, &range) || (range.layer >= 0) != is_layered) {
        char expected[120];
        snprintf(expected, sizeof expected,
                 is_layered ? "components such as L8%c27 and ranges such as "
                              "L8%c0-27"
                            : "numbers and ranges such as 0-27, the same in "
                              "every layer (L8%c27 needs `per: model`)",
                 letter, letter);
        return reading_expect(r, item, key, expected);
    }
    if (out->n_ranges == MOST_RANGES)
        return reading_fail(r, item, key, "more than %d ranges", MOST_RANGES);
    if (mem_grow(&out->ranges, capacity, (size_t)out->n_ranges + 1,
                 sizeof *out->ranges, "groups", r->err))
        return r->err->status;
    out->ranges[out->n_ranges++] = range;
    return STATUS_OK;
}

/* Every item a group: one component, or a list of them. */
static enum status read_list(const struct reading *r, const struct doc *doc,
                             const char *key, char letter, struct groups *out)
{
    size_t capacity = 0;
    out->partition = PARTITION_LIST;
    if (doc->kind != DOC_LIST || doc->n == 0 || doc->n > MOST_GROUPS)
        return reading_expect(r, doc, key,
                              "a list of groups, each a component or a list "
                              "of them");
    for (size_t g = 0; g < doc->n; g++) {
        const struct doc *group = &doc->items[g];
        if (reading_n_items(group) == 0)
            return reading_fail(r, group, key, "group %zu is empty", g);
        for (size_t i = 0; i < reading_n_items(group); i++)
            if (add_range(r, reading_item(group, i), key, letter, (int)g,
                          &capacity, out))
                return r->err->status;
    }
    out->n = (int)doc->n;
    return STATUS_OK;
}

static enum status read_file(const struct reading *r, const struct doc *doc,
                             const char *key, char letter,
                             struct inputs *inputs, struct groups *out)
{
    struct doc list = {0};
    if (reading_text(r, doc, key, &out->file)) return r->err->status;
    const struct input *file =
        inputs_get(inputs, out->file, MOST_GROUP_FILE, r->err);
    if (!file) return reading_context(r, doc, key);
    struct reading inside = *r;
    inside.file = file->path;
    inside.line = 1;
    inside.where[0] = '\0';
    if (!doc_parse_yaml(&list, file->path, (const char *)file->data, file->n,
                        r->err))
        (void)read_list(&inside, &list, NULL, letter, out);
    doc_free(&list);
    return r->err->status ? reading_context(r, doc, key) : STATUS_OK;
}

/* An inline list, or a file's name. */
static enum status read_listed(const struct reading *r, const struct doc *doc,
                               const char *key, char letter,
                               struct inputs *inputs, struct groups *out)
{
    if (doc->kind == DOC_LIST) return read_list(r, doc, key, letter, out);
    return read_file(r, doc, key, letter, inputs, out);
}

static const enum site grouped_sites[] = {SITE_MLP_POST, SITE_Z, SITE_MLP_OUT};

static enum site read_site(const struct reading *r, const struct doc *of)
{
    const char *words[3];
    int chosen = 0;
    for (int i = 0; i < 3; i++)
        words[i] = site_name(grouped_sites[i]);
    if (reading_choice(r, of, "of", words, 3, &chosen)) return SITE_COUNT;
    return grouped_sites[chosen];
}

enum site groups_site(const struct reading *outer, const struct doc *groups)
{
    const struct reading inside = reading_inside(outer, "groups");
    const struct doc *of = doc_get(groups, "of");
    return of ? read_site(&inside, of) : SITE_COUNT;
}

static enum status read_partition(const struct reading *r,
                                  const struct doc *doc, char letter,
                                  struct inputs *inputs, struct groups *out)
{
    if (doc->kind == DOC_STRING && strcmp(doc->text, "contiguous") == 0)
        out->partition = PARTITION_CONTIGUOUS;
    else if (doc->kind == DOC_STRING && strcmp(doc->text, "random") == 0)
        out->partition = PARTITION_RANDOM;
    else
        (void)read_listed(r, doc, "partition", letter, inputs, out);
    return r->err->status;
}

static enum status read_groups(const struct reading *outer,
                               const struct doc *doc, bool is_keep,
                               struct inputs *inputs, struct groups *out)
{
    static const char *const pers[] = {"layer", "model"};
    const struct reading inside = reading_inside(outer, "groups"), *r = &inside;
    struct keys keys;
    int per = is_keep ? GROUPS_PER_MODEL : GROUPS_PER_LAYER, n = 0;
    if (keys_read(&keys, r, SCOPE_GROUPS, doc)) return r->err->status;
    char letter = groups_letter(read_site(r, keys.at[KEY_GROUPS_OF]));
    out->is_given = true;
    (void)reading_choice(r, keys.at[KEY_GROUPS_PER], "per", pers, 2, &per);
    out->per = (enum groups_per)per;
    (void)reading_whole(r, keys.at[KEY_GROUPS_N], "n", 1, MOST_GROUPS, &n);
    (void)reading_seed(r, keys.at[KEY_GROUPS_SEED], "seed", &out->seed);
    const struct doc *partition = doc ? doc_get(doc, "partition") : NULL;
    if (is_keep && (partition || n || per == GROUPS_PER_LAYER))
        (void)reading_fail(r, doc, NULL,
                           "with `mask: {keep: ..}` the groups are what is "
                           "kept: give `of` alone");
    if (!is_keep && !r->err->status)
        (void)read_partition(r, keys.at[KEY_GROUPS_PARTITION], letter, inputs,
                             out);
    if (out->partition == PARTITION_LIST && n && n != out->n)
        (void)reading_fail(r, keys.at[KEY_GROUPS_N], "n",
                           "found %d, but the partition lists %d groups", n,
                           out->n);
    if (out->partition != PARTITION_LIST) out->n = n;
    keys_free(&keys);
    return r->err->status;
}

static enum status read_mask_map(const struct reading *outer,
                                 const struct doc *doc, struct mask *out)
{
    static const char *const pers[] = {"sweep", "pair"};
    const struct reading inside = reading_inside(outer, "mask"), *r = &inside;
    struct keys keys;
    int per = 0;
    if (keys_read(&keys, r, SCOPE_MASK, doc)) return r->err->status;
    const struct doc *fraction = keys.at[KEY_MASK_FRACTION];
    const struct doc *permutations = keys.at[KEY_MASK_PERMUTATIONS];
    const struct doc *keep = keys.at[KEY_MASK_KEEP];
    const struct doc *draws = doc_get(doc, "draws");
    if (!!fraction + !!permutations + !!keep != 1)
        (void)reading_fail(r, doc, NULL,
                           "expected exactly one of fraction, permutations "
                           "and keep");
    out->kind = fraction       ? MASK_FRACTION
                : permutations ? MASK_PERMUTATIONS
                               : MASK_KEEP;
    (void)reading_number(r, fraction, "fraction", 0, &out->fraction);
    if (out->fraction > 1)
        (void)reading_expect(r, fraction, "fraction",
                             "a share of the groups, 0 to 1");
    if (draws && !fraction)
        (void)reading_fail(r, draws, "draws", "it belongs to fraction alone");
    (void)reading_whole(
        r, permutations ? permutations : keys.at[KEY_MASK_DRAWS],
        permutations ? "permutations" : "draws", 1, MOST_DRAWS, &out->draws);
    (void)reading_choice(r, keys.at[KEY_MASK_PER], "per", pers, 2, &per);
    (void)reading_seed(r, keys.at[KEY_MASK_SEED], "seed", &out->seed);
    out->is_per_pair = per == 1 && !keep;
    keys_free(&keys);
    return r->err->status;
}

enum status groups_read(const struct reading *r, const struct doc *groups,
                        const struct doc *mask, struct inputs *inputs,
                        struct groups *out, struct mask *out_mask)
{
    static const char *const words[] = {"each", "all_but_each", "pairs"};
    int word = 0;
    if (r->err->status || (!groups && !mask)) return r->err->status;
    if (!groups)
        return reading_fail(r, mask, "mask",
                            "it needs `groups: {of: mlp_post, n: 12}`");
    if (!mask)
        return reading_fail(r, groups, "groups",
                            "it needs `mask`: which groups a cell takes out");
    if (mask->kind == DOC_MAP) {
        if (read_mask_map(r, mask, out_mask)) return r->err->status;
    } else {
        if (reading_choice(r, mask, "mask", words, 3, &word))
            return r->err->status;
        out_mask->kind = (enum mask_kind)word;
    }
    bool is_keep = out_mask->kind == MASK_KEEP;
    if (read_groups(r, groups, is_keep, inputs, out)) return r->err->status;
    if (!is_keep) return STATUS_OK;
    const struct reading inside = reading_inside(r, "mask");
    char letter = groups_letter(groups_site(r, groups));
    return read_listed(&inside, doc_get(mask, "keep"), "keep", letter, inputs,
                       out);
}

int groups_count(const struct groups *groups, int layers, int width)
{
    if (groups->n) return groups->n;
    if (groups->per == GROUPS_PER_LAYER) return width;
    int64_t all = (int64_t)layers * width;
    return all < INT_MAX ? (int)all : INT_MAX;
}

int mask_kept(const struct mask *mask, int n_groups)
{
    /* 0.29 * 100 is 28.999..: what rounding made of a whole number counts */
    return (int)(mask->fraction * n_groups + 1e-9);
}

int64_t mask_rows(const struct mask *mask, int n_groups)
{
    int64_t n = n_groups;
    switch (mask->kind) {
    case MASK_EACH:
    case MASK_ALL_BUT_EACH:
        return n;
    case MASK_PAIRS:
        return n * (n + 1) / 2;
    case MASK_FRACTION:
        return mask->draws;
    case MASK_PERMUTATIONS:
        return 1 + mask->draws * (n - 1);
    case MASK_KEEP:
        return n + 1;
    case MASK_KIND_COUNT:
        break;
    }
    return 0;
}

/* The list of groups, as the job language has it. */
static void write_ranges(struct buf *out, const struct groups *groups,
                         char letter)
{
    buf_printf(out, "[[");
    for (int i = 0; i < groups->n_ranges; i++) {
        const struct group_range *range = &groups->ranges[i];
        bool is_new = i > 0 && range->group != groups->ranges[i - 1].group;
        buf_printf(out, "%s\"", is_new ? "], [" : i ? ", " : "");
        if (range->layer >= 0) buf_printf(out, "L%d%c", range->layer, letter);
        buf_printf(out, "%d-%d\"", range->first, range->last);
    }
    buf_printf(out, "]]");
}

static void write_list(struct buf *out, const struct groups *groups,
                       char letter, const char *file)
{
    if (file)
        buf_printf(out, "%s", file);
    else
        write_ranges(out, groups, letter);
}

static void write_mask(struct buf *out, const struct groups *groups,
                       const struct mask *mask, char letter, const char *file)
{
    buf_printf(out, ", \"mask\": ");
    if (mask->kind < MASK_FRACTION) {
        buf_printf(out, "\"%s\"", mask_word(mask->kind));
        return;
    }
    buf_printf(out, "{\"%s\": ", mask_word(mask->kind));
    if (mask->kind == MASK_KEEP) {
        write_list(out, groups, letter, file);
        buf_u8(out, '}');
        return;
    }
    if (mask->kind == MASK_FRACTION)
        buf_printf(out, "%.17g, \"draws\": ", mask->fraction);
    buf_printf(out, "%d, \"per\": \"%s\", \"seed\": %llu}", mask->draws,
               mask->is_per_pair ? "pair" : "sweep",
               (unsigned long long)mask->seed);
}

void groups_write(struct buf *out, const struct groups *groups,
                  const struct mask *mask, enum site site, const char *file)
{
    char letter = groups_letter(site);
    buf_printf(out, ", \"groups\": {\"of\": \"%s\"", site_name(site));
    if (mask->kind != MASK_KEEP) {
        if (groups->n) buf_printf(out, ", \"n\": %d", groups->n);
        buf_printf(out, ", \"per\": \"%s\", \"partition\": ",
                   groups->per == GROUPS_PER_LAYER ? "layer" : "model");
        if (groups->partition == PARTITION_LIST)
            write_list(out, groups, letter, file);
        else if (groups->partition == PARTITION_CONTIGUOUS)
            buf_printf(out, "\"contiguous\"");
        else
            buf_printf(out, "\"random\", \"seed\": %llu",
                       (unsigned long long)groups->seed);
    }
    buf_u8(out, '}');
    write_mask(out, groups, mask, letter, file);
}

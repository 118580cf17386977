/* job_analysis.c - one entry of `analyses`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/job/analysis.h"
#include "common/job/job_keys.h"
#include "common/job/job_parts.h"
#include "common/job/subset.h"

static const char *const kind_names[] = {
#define KIND_ROW(code, name) [code] = name,
    ANALYSIS_LIST(KIND_ROW)
#undef KIND_ROW
};

const char *analysis_kind_name(enum analysis_kind kind)
{
    return kind_names[kind];
}

void analysis_free(struct analysis *analysis)
{
    free(analysis->name);
    free(analysis->description);
    places_free(&analysis->positions);
    subset_free(&analysis->layers);
    subset_free(&analysis->heads);
    free(analysis->tuples);
    free(analysis->canonical);
    *analysis = (struct analysis){0};
}

/* The keys that not every kind has, and those that have them. */
static const struct {
    enum analysis_key key;
    unsigned kinds; /* 1u << enum analysis_kind */
} special_keys[] = {
    {KEY_ANALYSIS_RUN, ~(1u << ANALYSIS_HEAD_SCORES)},
    {KEY_ANALYSIS_POSITIONS,
     ~(1u << ANALYSIS_HEAD_SCORES | 1u << ANALYSIS_EDGES)},
    {KEY_ANALYSIS_STEPS, 1u << ANALYSIS_EDGES},
    {KEY_ANALYSIS_MID, 1u << ANALYSIS_LOGIT_LENS},
    {KEY_ANALYSIS_SCALE, 1u << ANALYSIS_LOGIT_LENS},
    {KEY_ANALYSIS_TOP, 1u << ANALYSIS_LOGIT_LENS | 1u << ANALYSIS_NEURONS},
    {KEY_ANALYSIS_LAYERS, 1u << ANALYSIS_ATTENTION},
    {KEY_ANALYSIS_HEADS, 1u << ANALYSIS_ATTENTION},
    {KEY_ANALYSIS_N, 1u << ANALYSIS_HEAD_SCORES},
    {KEY_ANALYSIS_LENGTH, 1u << ANALYSIS_HEAD_SCORES},
    {KEY_ANALYSIS_SEED, 1u << ANALYSIS_HEAD_SCORES},
};

static enum status check_keys(const struct reading *r, const struct keys *keys,
                              enum analysis_kind kind)
{
    for (size_t i = 0; i < sizeof special_keys / sizeof *special_keys; i++) {
        int key = (int)special_keys[i].key;
        if (!keys->at[key] || special_keys[i].kinds & 1u << kind) continue;
        char kinds[100] = "";
        for (int k = 0; k < ANALYSIS_KIND_COUNT; k++) {
            if (!(special_keys[i].kinds & 1u << k)) continue;
            if (kinds[0]) strncat(kinds, ", ", 3);
            strncat(kinds, kind_names[k], 16);
        }
        return reading_fail(r, keys->at[key], key_name(SCOPE_ANALYSIS, key),
                            "%s has no such key; it belongs to %s",
                            kind_names[kind], kinds);
    }
    return STATUS_OK;
}

static enum status read_run(const struct reading *r, const struct doc *doc,
                            const struct job *job, struct analysis *out)
{
    static const char *const runs[] = {"clean", "corrupted", "both"};
    bool is_edges = out->kind == ANALYSIS_EDGES;
    int run = job->is_prompts_only || is_edges ? 0 : 2;
    if (is_edges && job->is_prompts_only)
        return reading_fail(r, doc, "name",
                            "edges compares two runs, and prompts alone have "
                            "no corrupted one");
    if (reading_choice(r, doc, "run", runs, 3, &run)) return r->err->status;
    out->has_run[RUN_CLEAN] = run != 1;
    out->has_run[RUN_CORRUPTED] = run != 0;
    if (out->has_run[RUN_CORRUPTED] && job->is_prompts_only)
        return reading_fail(r, doc, "run",
                            "found %s, expected clean: prompts alone have no "
                            "corrupted run",
                            runs[run]);
    return STATUS_OK;
}

/* The label "end". */
static enum status only_end(struct places *out, struct err *err)
{
    out->items = mem_calloc(1, sizeof *out->items, "positions", err);
    if (!out->items) return err->status;
    out->is_given = true;
    out->n = 1;
    out->items[0].label = mem_strdup("end", err);
    return err->status;
}

static enum status read_positions(const struct reading *r,
                                  const struct doc *doc, struct analysis *out)
{
    if (doc && doc->kind == DOC_STRING && strcmp(doc->text, "all") == 0)
        return STATUS_OK;
    if (doc) return places_read(r, doc, "positions", false, &out->positions);
    if (out->kind == ANALYSIS_ATTENTION) return STATUS_OK;
    return only_end(&out->positions, r->err);
}

static enum status read_heads(const struct reading *r, const struct keys *keys,
                              struct analysis *out)
{
    const struct doc *heads = keys->at[KEY_ANALYSIS_HEADS];
    const struct doc *layers = keys->at[KEY_ANALYSIS_LAYERS];
    if (!tuples_are_given(heads, 'H')) {
        (void)subset_read(r, layers, "layers", &out->layers);
        return subset_read(r, heads, "heads", &out->heads);
    }
    if (layers)
        return reading_fail(r, layers, "layers",
                            "the list of heads already gives the layer");
    struct sweep list = {0};
    if (tuples_read(r, heads, "heads", 'H', &list) == STATUS_OK) {
        out->tuples = list.tuples;
        out->n_tuples = list.n_tuples;
        return STATUS_OK;
    }
    tuples_free(&list);
    return r->err->status;
}

static enum status read_special(const struct reading *r,
                                const struct keys *keys, struct analysis *out)
{
    enum {
        MOST_TOP = 1 << 12,
        MOST_SEQUENCES = 1 << 16,
        MOST_LENGTH = 1 << 20,
        MOST_STEPS = 1000
    };
    static const char *const scales[] = {"cached", "own"};
    int scale = 0;
    switch (out->kind) {
    case ANALYSIS_LOGIT_LENS:
        out->has_mid = true;
        out->top = 10;
        (void)reading_bool(r, keys->at[KEY_ANALYSIS_MID], "mid", &out->has_mid);
        (void)reading_choice(r, keys->at[KEY_ANALYSIS_SCALE], "scale", scales,
                             2, &scale);
        out->is_own_scale = scale == 1;
        break;
    case ANALYSIS_NEURONS:
        out->top = 50;
        break;
    case ANALYSIS_ATTENTION:
        return read_heads(r, keys, out);
    case ANALYSIS_HEAD_SCORES:
        out->n = 10;
        out->length = 50;
        (void)reading_whole(r, keys->at[KEY_ANALYSIS_N], "n", 1, MOST_SEQUENCES,
                            &out->n);
        (void)reading_whole(r, keys->at[KEY_ANALYSIS_LENGTH], "length", 2,
                            MOST_LENGTH, &out->length);
        (void)reading_seed(r, keys->at[KEY_ANALYSIS_SEED], "seed", &out->seed);
        break;
    case ANALYSIS_EDGES:
        (void)reading_whole(r, keys->at[KEY_ANALYSIS_STEPS], "steps", 0,
                            MOST_STEPS, &out->steps);
        break;
    case ANALYSIS_DECOMPOSE:
    case ANALYSIS_HEADS:
    case ANALYSIS_KIND_COUNT:
        break;
    }
    return reading_whole(r, keys->at[KEY_ANALYSIS_TOP], "top", 1, MOST_TOP,
                         &out->top);
}

enum status analysis_read(const struct reading *r, const struct doc *doc, int i,
                          const struct job *job, struct analysis *out)
{
    struct reading inside = *r;
    struct keys keys;
    int kind = 0;
    *out = (struct analysis){.line = doc->line};
    inside.line = doc->line;
    snprintf(inside.where, sizeof inside.where, "analysis %d", i);
    const struct doc *name = doc_get(doc, "as");
    if (!name) name = doc_get(doc, "name");
    if (name && name->kind == DOC_STRING)
        snprintf(inside.where, sizeof inside.where, "analysis '%.64s'",
                 name->text);
    if (keys_read(&keys, &inside, SCOPE_ANALYSIS, doc)) return r->err->status;
    if (reading_choice(&inside, keys.at[KEY_ANALYSIS_NAME], "name", kind_names,
                       ANALYSIS_KIND_COUNT, &kind))
        goto out;
    out->kind = (enum analysis_kind)kind;
    const struct doc *as = keys.at[KEY_ANALYSIS_AS];
    if (!as) out->name = mem_strdup(kind_names[kind], r->err);
    if (reading_name(&inside, as, "as", &out->name) ||
        reading_text(&inside, keys.at[KEY_ANALYSIS_DESCRIPTION], "description",
                     &out->description) ||
        check_keys(&inside, &keys, out->kind))
        goto out;
    if (out->kind != ANALYSIS_HEAD_SCORES &&
        (read_run(&inside, keys.at[KEY_ANALYSIS_RUN], job, out) ||
         read_positions(&inside, keys.at[KEY_ANALYSIS_POSITIONS], out)))
        goto out;
    (void)read_special(&inside, &keys, out);
out:
    keys_free(&keys);
    return r->err->status;
}

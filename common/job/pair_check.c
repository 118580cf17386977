/* pair_check.c - what sweeps and metrics need against what pairs have, and
 * the pairs a sweep selects. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/job/pair_parts.h"

static bool is_in_groups(const struct pair *pair, const struct select *select)
{
    if (!select->groups) return true;
    for (int i = 0; i < select->n_groups; i++)
        if (strcmp(select->groups[i], pair->group) == 0) return true;
    return false;
}

enum status pairs_select(bool *is_selected, const struct pairs *pairs,
                         const struct select *select, struct err *err)
{
    int *candidates =
        mem_calloc((size_t)pairs->n, sizeof *candidates, "selected pairs", err);
    if (!candidates) return err->status;
    int n = 0, kept;
    for (int i = 0; i < pairs->n; i++) {
        is_selected[i] = false;
        if (is_in_groups(&pairs->items[i], select)) candidates[n++] = i;
    }
    kept = n;
    if (select->first && select->first < n) kept = select->first;
    if (select->sample && select->sample < n) {
        uint64_t state = select->seed;
        kept = select->sample;
        for (int i = 0; i < kept; i++) {
            int other = i + (int)(random_next(&state) % (uint64_t)(n - i));
            int candidate = candidates[i];
            candidates[i] = candidates[other];
            candidates[other] = candidate;
        }
    }
    for (int i = 0; i < kept; i++)
        is_selected[candidates[i]] = true;
    free(candidates);
    return STATUS_OK;
}

struct check {
    const struct pairs *pairs;
    const struct job *job;
    const struct sweep *sweep;
    const bool *is_selected;
    const char *file;
    struct err *err;
};

/* "FILE: line N: pair 'X' LACKS; sweep 'S' (JOB: line M) NEEDS" */
static enum status fail(const struct check *c, const struct pair *pair,
                        const char *lacks, const char *needs)
{
    char of_pair[READING_PLACE], of_sweep[READING_PLACE];
    return err_set(
        c->err, STATUS_INPUT, "%s: pair '%.80s' %s; sweep '%s' (%s) %s",
        reading_place(of_pair, c->file, pair->line), pair->id, lacks,
        c->sweep->name, reading_place(of_sweep, c->job->path, c->sweep->line),
        needs);
}

static enum status check_metrics(const struct check *c, const struct pair *pair)
{
    bool has_answer = pair->n_answer || pair->is_predicted || pair->n_sequence;
    for (int i = 0; i < c->sweep->n_metrics; i++) {
        enum metric metric = c->sweep->metrics[i];
        char needs[64];
        snprintf(needs, sizeof needs, "measures %s", metric_name(metric));
        if (metric_flags(metric) & METRIC_ANSWER && !has_answer)
            return fail(c, pair, "has no answer", needs);
        if (metric_flags(metric) & METRIC_WRONG && !pair->n_wrong)
            return fail(c, pair, "has no wrong answer", needs);
    }
    return STATUS_OK;
}

static bool copies_other_run(const struct sweep *sweep)
{
    enum value_kind kind = sweep->value.kind;
    return !sweep->from.position.is_given &&
           ((kind == VALUE_CLEAN && sweep->base == RUN_CORRUPTED) ||
            (kind == VALUE_CORRUPTED && sweep->base == RUN_CLEAN));
}

static bool is_all_labels(const struct places *places)
{
    for (int i = 0; i < places->n; i++)
        if (!places->items[i].label) return false;
    return places->n > 0;
}

/* Whether every edited position is given by a label. */
static bool is_placed_by_labels(const struct sweep *sweep)
{
    if (site_kind(sweep->site) == SITE_SCORES)
        return is_all_labels(&sweep->dest) && is_all_labels(&sweep->src);
    return sweep->by[AXIS_LABEL] || (sweep->tuple_columns & 1u << AXIS_LABEL) ||
           is_all_labels(&sweep->positions);
}

static enum status check_runs(const struct check *c, const struct pair *pair)
{
    const struct sweep *sweep = c->sweep;
    const struct value *value = &sweep->value;
    bool reads_pairs =
        (value->kind == VALUE_MEAN || value->kind == VALUE_RESAMPLE) &&
        !value->prompts;
    bool has_corrupted = pair->run[RUN_CORRUPTED].n_tokens > 0;
    if (sweep->base == RUN_CORRUPTED && !has_corrupted)
        return fail(c, pair, "has no corrupted prompt",
                    "edits the corrupted run");
    if (value->kind == VALUE_CORRUPTED && !has_corrupted)
        return fail(c, pair, "has no corrupted prompt",
                    "copies from the corrupted run");
    if (reads_pairs && value->run == RUN_CORRUPTED && !has_corrupted)
        return fail(c, pair, "has no corrupted prompt",
                    "has it in its reference set");
    int clean = pair->run[RUN_CLEAN].n_prompt;
    int corrupted = pair->run[RUN_CORRUPTED].n_prompt;
    if (!copies_other_run(sweep) || clean == corrupted ||
        pair->align != ALIGN_NONE || is_placed_by_labels(sweep))
        return STATUS_OK;
    char lacks[160];
    snprintf(lacks, sizeof lacks,
             "has %d clean and %d corrupted tokens, so positions do not "
             "correspond",
             clean, corrupted);
    return fail(c, pair, lacks,
                "copies from one run to the other: say align: start or end, "
                "or give labels for both runs and edit by them");
}

/* A label that the sweep edits at: if it copies, both runs have as many
 * positions. */
static enum status check_label(const struct check *c, const struct pair *pair,
                               const struct label *label)
{
    enum run other = c->sweep->base == RUN_CLEAN ? RUN_CORRUPTED : RUN_CLEAN;
    int n_base = label->run[c->sweep->base].n, n_other = label->run[other].n;
    if (!copies_other_run(c->sweep) || n_base == 0 || n_base == n_other)
        return STATUS_OK;
    char lacks[160];
    snprintf(lacks, sizeof lacks,
             "has %d clean and %d corrupted positions for the label %.64s",
             label->run[RUN_CLEAN].n, label->run[RUN_CORRUPTED].n, label->name);
    return fail(c, pair, lacks, "copies from one run to the other there");
}

/* A label or index must be one that a selected pair has. */
static enum status check_place(const struct check *c, const char *key,
                               const char *label, int index)
{
    bool is_found = false;
    int longest = 0;
    for (int i = 0; i < c->pairs->n; i++) {
        const struct pair *pair = &c->pairs->items[i];
        if (!c->is_selected[i]) continue;
        int n = pair->run[c->sweep->base].n_prompt;
        int n_tokens = pair->run[c->sweep->base].n_tokens;
        if (n_tokens > longest) longest = n_tokens;
        const struct label *found = label ? pair_label(pair, label) : NULL;
        if (found && check_label(c, pair, found)) return c->err->status;
        is_found |= label ? found != NULL : index < n_tokens && index >= -n;
    }
    if (is_found) return STATUS_OK;
    char place[READING_PLACE];
    (void)reading_place(place, c->job->path, c->sweep->line);
    if (label)
        return err_set(c->err, STATUS_INPUT,
                       "%s: sweep '%s': %s: no pair has the label "
                       "'%s'",
                       place, c->sweep->name, key, label);
    return err_set(c->err, STATUS_INPUT,
                   "%s: sweep '%s': %s: found position %d, but the "
                   "longest %s run has %d tokens",
                   place, c->sweep->name, key, index, run_name(c->sweep->base),
                   longest);
}

static enum status check_list(const struct check *c, const char *key,
                              const struct places *places)
{
    for (int i = 0; i < places->n && !c->err->status; i++)
        (void)check_place(c, key, places->items[i].label,
                          places->items[i].index);
    return c->err->status;
}

/* Nothing is copied from another run to the receivers. */
static enum status check_received(const struct check *c,
                                  const struct places *places)
{
    struct sweep alike = *c->sweep;
    struct check receive = *c;
    alike.value.kind = VALUE_ZERO;
    receive.sweep = &alike;
    return check_list(&receive, "receive: positions", places);
}

static enum status check_places(const struct check *c)
{
    const struct sweep *sweep = c->sweep;
    (void)check_list(c, "positions", &sweep->positions);
    (void)check_list(c, "labels", &sweep->labels);
    (void)check_list(c, "dest", &sweep->dest);
    (void)check_list(c, "src", &sweep->src);
    if (sweep->path) (void)check_received(c, &sweep->path->receive->positions);
    for (int i = 0; i < sweep->n_tuples && !c->err->status; i++) {
        const struct cell_tuple *tuple = &sweep->tuples[i];
        const int at[] = {tuple->position, tuple->dest, tuple->src};
        if (tuple->label) (void)check_place(c, "index", tuple->label, 0);
        for (int k = 0; k < 3; k++)
            if (at[k] >= 0) (void)check_place(c, "index", NULL, at[k]);
    }
    if (c->err->status || !sweep->by[AXIS_LABEL] || sweep->labels.is_given)
        return c->err->status;
    for (int i = 0; i < c->pairs->n; i++)
        for (int k = 0; c->is_selected[i] && k < c->pairs->items[i].n_labels;
             k++)
            if (check_label(c, &c->pairs->items[i],
                            &c->pairs->items[i].labels[k]))
                return c->err->status;
    return STATUS_OK;
}

/* Positions of a run that the list stands for; not given: all. */
static int count_places(const struct pair *pair, enum run run,
                        const struct places *places)
{
    int n = places->is_given ? 0 : pair->run[run].n_tokens;
    for (int i = 0; i < places->n; i++) {
        const struct place *place = &places->items[i];
        const struct label *label =
            place->label ? pair_label(pair, place->label) : NULL;
        int index = place->index, length = pair->run[run].n_prompt;
        if (place->label)
            n += label ? label->run[run].n : 0;
        else
            n += index < length && index >= -length;
    }
    return n;
}

/* The positions that an edit by hand takes its value from. */
static enum status check_from(const struct check *c, const struct pair *pair)
{
    const struct sweep *edit = c->sweep;
    if (!edit->from.position.is_given) return STATUS_OK;
    enum run run = edit->value.kind == VALUE_CLEAN       ? RUN_CLEAN
                   : edit->value.kind == VALUE_CORRUPTED ? RUN_CORRUPTED
                                                         : edit->base;
    int n_from = count_places(pair, run, &edit->from.position);
    int n = count_places(pair, edit->base, &edit->positions);
    char lacks[96];
    if (n_from == 1 || n_from == n) return STATUS_OK;
    snprintf(lacks, sizeof lacks,
             "has %d positions for from_position and %d for positions", n_from,
             n);
    return fail(c, pair, lacks, "needs one, or as many");
}

/* What a noised base needs. */
static enum status check_noise(const struct check *c, const struct pair *pair)
{
    static struct place of_subject[] = {{"subject_first", 0}};
    static const struct places subject = {true, 1, of_subject};
    const struct noise *noise = &c->sweep->noise;
    if (!noise->is_given || noise->at == NOISE_ALL) return STATUS_OK;
    bool is_subject = noise->at == NOISE_SUBJECT;
    if (count_places(pair, RUN_CLEAN, is_subject ? &subject : &noise->labels))
        return STATUS_OK;
    return fail(c, pair,
                is_subject ? "has no subject" : "has none of the labels",
                "noises it");
}

/* Sigma needs the subjects of the file. */
static enum status check_sigma(const struct check *c)
{
    char place[READING_PLACE];
    if (!c->sweep->noise.is_given || !c->sweep->noise.is_sigma)
        return STATUS_OK;
    for (int i = 0; i < c->pairs->n; i++)
        if (c->pairs->items[i].n_subject) return STATUS_OK;
    return err_set(c->err, STATUS_INPUT,
                   "%s: sweep '%s': noise: std: sigma is that of the subjects' "
                   "embeddings, but no pair has a subject",
                   reading_place(place, c->job->path, c->sweep->line),
                   c->sweep->name);
}

static enum status check_selection(const struct check *c)
{
    const struct sweep *sweep = c->sweep;
    for (int i = 0; i < sweep->select.n_groups; i++) {
        const char *group = sweep->select.groups[i];
        int k = 0;
        while (k < c->pairs->n_groups &&
               strcmp(c->pairs->groups[k], group) != 0)
            k++;
        char place[READING_PLACE];
        if (k == c->pairs->n_groups)
            return err_set(c->err, STATUS_INPUT,
                           "%s: sweep '%s': select: groups: no pair "
                           "is in the group '%.80s'",
                           reading_place(place, c->job->path, sweep->line),
                           sweep->name, group);
    }
    return STATUS_OK;
}

/* `require` needs of every pair. */
static enum status check_require(const struct pairs *pairs,
                                 const struct job *job, const char *file,
                                 struct err *err)
{
    for (int i = 0; i < pairs->n; i++) {
        const struct pair *pair = &pairs->items[i];
        const char *lacks = NULL, *key = "clean: top1";
        bool has_answer = pair->n_answer || pair->is_predicted;
        if (job->require.clean == REQUIRE_TOP1 && !has_answer)
            lacks = "has no answer of one token";
        if (job->require.clean == REQUIRE_ATTRIBUTE && !pair->attribute) {
            lacks = "has no attribute";
            key = "clean: attribute";
        }
        if (!lacks && job->require.has_margin &&
            !(has_answer && pair->n_wrong)) {
            lacks = has_answer ? "has no wrong answer" : "has no answer";
            key = "margin";
        }
        char place[READING_PLACE];
        if (lacks)
            return err_set(err, STATUS_INPUT,
                           "%s: pair '%.80s' %s, which %s: require: "
                           "%s needs",
                           reading_place(place, file, pair->line), pair->id,
                           lacks, job->path, key);
    }
    return STATUS_OK;
}

static enum status check_edits(const struct check *sweep)
{
    for (int k = 0; k < sweep->sweep->n_edits; k++) {
        struct check c = *sweep;
        c.sweep = &sweep->sweep->edits[k];
        for (int i = 0; i < c.pairs->n; i++)
            if (c.is_selected[i] && (check_runs(&c, &c.pairs->items[i]) ||
                                     check_from(&c, &c.pairs->items[i])))
                return c.err->status;
        if (check_places(&c)) return c.err->status;
    }
    return STATUS_OK;
}

enum status pairs_check(const struct pairs *pairs, const struct job *job,
                        const char *file, struct err *err)
{
    bool *is_selected = mem_calloc((size_t)pairs->n, sizeof *is_selected,
                                   "selected pairs", err);
    if (!is_selected || check_require(pairs, job, file, err) ||
        activations_check_pairs(pairs, job, err))
        goto out;
    for (int s = 0; s < job->n_sweeps; s++) {
        const struct check c = {pairs,       job,  &job->sweeps[s],
                                is_selected, file, err};
        if (check_selection(&c) ||
            pairs_select(is_selected, pairs, &c.sweep->select, err))
            goto out;
        for (int i = 0; i < pairs->n; i++)
            if (is_selected[i] && (check_runs(&c, &pairs->items[i]) ||
                                   check_metrics(&c, &pairs->items[i]) ||
                                   check_noise(&c, &pairs->items[i])))
                goto out;
        if (check_sigma(&c) || check_places(&c) || check_edits(&c)) goto out;
    }
    (void)pairs_check_analyses(pairs, job, file, err);
out:
    free(is_selected);
    return err->status;
}

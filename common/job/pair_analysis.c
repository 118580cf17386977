/* pair_analysis.c - what analyses need against what pairs have. A pair that
 * lacks something has NaN there; an error is what no pair has. */
#include <string.h>

#include "common/job/analysis.h"
#include "common/job/pair_parts.h"

struct check {
    const struct pairs *pairs;
    const struct job *job;
    const struct analysis *analysis;
    const char *file;
    struct err *err;
};

static enum status fail(const struct check *c, const char *key,
                        const char *sentence)
{
    char place[READING_PLACE];
    return err_set(c->err, STATUS_INPUT, "%s: analysis '%s': %s: %s",
                   reading_place(place, c->job->path, c->analysis->line),
                   c->analysis->name, key, sentence);
}

static bool has_answer(const struct pair *pair)
{
    return pair->n_answer || pair->is_predicted || pair->n_sequence;
}

static enum status check_run(const struct check *c, enum run run)
{
    bool is_any = false, is_answered = false;
    for (int i = 0; i < c->pairs->n; i++) {
        const struct pair *pair = &c->pairs->items[i];
        if (pair->run[run].n_tokens > 0) is_any = true;
        if (has_answer(pair)) is_answered = true;
    }
    if (!is_any && !c->analysis->has_run[RUN_CLEAN])
        return fail(c, "run", "no pair has a corrupted prompt");
    enum analysis_kind kind = c->analysis->kind;
    bool needs_answer = kind == ANALYSIS_DECOMPOSE || kind == ANALYSIS_HEADS ||
                        kind == ANALYSIS_NEURONS;
    if (needs_answer && !is_answered)
        return fail(c, "name",
                    "it takes the answer's logit apart: no pair has an answer");
    return STATUS_OK;
}

/* A label names one position of a run; a pair must have the place at all. */
static enum status check_place(const struct check *c, const struct place *place)
{
    bool is_found = false;
    for (int i = 0; i < c->pairs->n; i++) {
        const struct pair *pair = &c->pairs->items[i];
        const struct label *label =
            place->label ? pair_label(pair, place->label) : NULL;
        for (int run = 0; run < RUN_COUNT; run++) {
            int n = pair->run[run].n_prompt;
            if (!c->analysis->has_run[run]) continue;
            if (label && label->run[run].n > 1) {
                char of_pair[READING_PLACE], of_job[READING_PLACE];
                return err_set(
                    c->err, STATUS_INPUT,
                    "%s: pair '%.80s' has %d %s positions for the label "
                    "%.64s; analysis '%s' (%s) reads one",
                    reading_place(of_pair, c->file, pair->line), pair->id,
                    label->run[run].n, run_name((enum run)run), place->label,
                    c->analysis->name,
                    reading_place(of_job, c->job->path, c->analysis->line));
            }
            is_found |= place->label ? label && label->run[run].n == 1
                                     : place->index < n && place->index >= -n;
        }
    }
    if (is_found) return STATUS_OK;
    char place_of_job[READING_PLACE];
    (void)reading_place(place_of_job, c->job->path, c->analysis->line);
    if (place->label)
        return err_set(c->err, STATUS_INPUT,
                       "%s: analysis '%s': positions: no pair has the label "
                       "'%s'",
                       place_of_job, c->analysis->name, place->label);
    return err_set(c->err, STATUS_INPUT,
                   "%s: analysis '%s': positions: no prompt has a position %d",
                   place_of_job, c->analysis->name, place->index);
}

enum status pairs_check_analyses(const struct pairs *pairs,
                                 const struct job *job, const char *file,
                                 struct err *err)
{
    for (int i = 0; i < job->n_analyses && !err->status; i++) {
        const struct check c = {pairs, job, &job->analyses[i], file, err};
        for (int run = 0; run < RUN_COUNT && !err->status; run++)
            if (c.analysis->has_run[run]) (void)check_run(&c, (enum run)run);
        for (int k = 0; k < c.analysis->positions.n && !err->status; k++)
            (void)check_place(&c, &c.analysis->positions.items[k]);
    }
    return err->status;
}

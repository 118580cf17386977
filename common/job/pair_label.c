/* pair_label.c - positions of a pair: labels and where logits are read. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/job/job_keys.h"
#include "common/job/pair_parts.h"
#include "common/job/subset.h"

const struct label *pair_label(const struct pair *pair, const char *name)
{
    for (int i = 0; i < pair->n_labels; i++)
        if (strcmp(pair->labels[i].name, name) == 0) return &pair->labels[i];
    return NULL;
}

int pair_map_position(const struct pair *pair, enum run from, enum run to,
                      int at)
{
    int n_from = pair->run[from].n_prompt, n_to = pair->run[to].n_prompt;
    int mapped = at;
    if (n_from != n_to) {
        if (pair->align == ALIGN_NONE) return -1;
        if (pair->align == ALIGN_END) mapped = at + n_to - n_from;
    }
    return mapped >= 0 && mapped < pair->run[to].n_tokens ? mapped : -1;
}

enum status positions_add(struct positions *positions, int at, struct err *err)
{
    int place = positions->n;
    while (place > 0 && positions->at[place - 1] >= at)
        place--;
    if (place < positions->n && positions->at[place] == at) return STATUS_OK;
    int *grown = realloc(positions->at,
                         ((size_t)positions->n + 1) * sizeof *positions->at);
    if (!grown) return err_set(err, STATUS_MEMORY, "no memory for positions");
    positions->at = grown;
    memmove(grown + place + 1, grown + place,
            (size_t)(positions->n - place) * sizeof *grown);
    grown[place] = at;
    positions->n++;
    return STATUS_OK;
}

struct label *pair_add_label(const struct pair_reading *p,
                             const struct doc *doc, struct pair *pair,
                             const char *name)
{
    enum { MOST_LABELS = 1000 };
    if (p->r.err->status) return NULL;
    if (pair_label(pair, name)) {
        (void)reading_fail(&p->r, doc, "positions",
                           "the label %s is given twice", name);
        return NULL;
    }
    if (pair->n_labels == MOST_LABELS) {
        (void)reading_fail(&p->r, doc, "positions", "more than %d labels",
                           MOST_LABELS);
        return NULL;
    }
    struct label *grown =
        realloc(pair->labels, ((size_t)pair->n_labels + 1) * sizeof *grown);
    if (!grown) {
        (void)err_set(p->r.err, STATUS_MEMORY, "no memory for labels");
        return NULL;
    }
    pair->labels = grown;
    struct label *label = &grown[pair->n_labels];
    *label = (struct label){.name = mem_strdup(name, p->r.err)};
    if (!label->name) return NULL;
    pair->n_labels++;
    return label;
}

enum status pair_resolve(const struct pair_reading *p, const struct doc *doc,
                         const char *key, const struct pair *pair, enum run run,
                         int index, int *at)
{
    const struct prompt *prompt = &pair->run[run];
    *at = index < 0 ? prompt->n_prompt + index : index;
    if (*at >= 0 && *at < prompt->n_tokens) return STATUS_OK;
    return reading_fail(&p->r, doc, key,
                        "found position %d, expected -%d to %d: the %s run has "
                        "%d tokens",
                        index, prompt->n_prompt, prompt->n_tokens - 1,
                        run_name(run), prompt->n_tokens);
}

/* An index that was given for both runs, in the corrupted one. */
static enum status resolve_other(const struct pair_reading *p,
                                 const struct doc *doc, const char *key,
                                 const struct pair *pair, int index, int clean,
                                 int *at)
{
    const struct prompt *run = pair->run;
    bool is_same = run[RUN_CLEAN].n_prompt == run[RUN_CORRUPTED].n_prompt ||
                   clean < pair->first_difference;
    if (index < 0 || is_same)
        return pair_resolve(p, doc, key, pair, RUN_CORRUPTED, index, at);
    *at = pair_map_position(pair, RUN_CLEAN, RUN_CORRUPTED, clean);
    if (*at >= 0) return STATUS_OK;
    return reading_fail(&p->r, doc, key,
                        "position %d stands for both runs, but clean has %d "
                        "tokens and corrupted %d: give {clean: .., corrupted: "
                        "..}%s",
                        index, run[RUN_CLEAN].n_prompt,
                        run[RUN_CORRUPTED].n_prompt,
                        pair->align == ALIGN_NONE
                            ? ", count from the end, or say align: start or end"
                            : "; align gives no such position");
}

enum status pair_read_positions(const struct pair_reading *p,
                                const struct doc *doc, const char *key,
                                const struct pair *pair, int run,
                                struct positions out[RUN_COUNT])
{
    bool has_both = run == RUN_COUNT && pair->run[RUN_CORRUPTED].n_tokens;
    enum run first = run == RUN_CORRUPTED ? RUN_CORRUPTED : RUN_CLEAN;
    if (run == RUN_COUNT && !pair->run[RUN_CLEAN].n_tokens) {
        first = RUN_CORRUPTED;
        has_both = false;
    }
    for (size_t i = 0; i < reading_n_items(doc); i++) {
        const struct doc *item = reading_item(doc, i);
        int index = 0, at = 0;
        if (item->kind != DOC_INT || item->integer < -INT_MAX ||
            item->integer > INT_MAX)
            return reading_expect(&p->r, item, key,
                                  "a position: a whole number, negative from "
                                  "the end");
        index = (int)item->integer;
        if (pair_resolve(p, item, key, pair, first, index, &at) ||
            positions_add(&out[first], at, p->r.err))
            return p->r.err->status;
        if (has_both && (resolve_other(p, item, key, pair, index, at, &at) ||
                         positions_add(&out[RUN_CORRUPTED], at, p->r.err)))
            return p->r.err->status;
    }
    return STATUS_OK;
}

/* One entry of `positions`. */
static enum status read_label(const struct pair_reading *p,
                              const struct doc *key, const struct doc *doc,
                              struct pair *out)
{
    char name[80];
    struct keys keys;
    if (!place_is_label(key->text) || strlen(key->text) != key->text_bytes ||
        strcmp(key->text, "all") == 0)
        return reading_expect(&p->r, key, "positions",
                              "a label: a word of at most 64 bytes that is "
                              "not a number, a range or 'all'");
    snprintf(name, sizeof name, "positions: %s", key->text);
    struct label *label = NULL;
    if (strcmp(key->text, "end") == 0) {
        label = &out->labels[0];
        label->run[RUN_CLEAN].n = label->run[RUN_CORRUPTED].n = 0;
    } else {
        label = pair_add_label(p, key, out, key->text);
    }
    if (!label) return p->r.err->status;
    if (doc->kind != DOC_MAP)
        return pair_read_positions(p, doc, name, out, RUN_COUNT, label->run);
    const struct reading inside = reading_inside(&p->r, name);
    if (keys_read(&keys, &inside, SCOPE_RUN, doc)) return p->r.err->status;
    const struct doc *const runs[] = {keys.at[KEY_RUN_CLEAN],
                                      keys.at[KEY_RUN_CORRUPTED]};
    for (int run = 0; run < RUN_COUNT && !p->r.err->status; run++) {
        if (!runs[run]) continue;
        if (!out->run[run].n_tokens)
            (void)reading_fail(&p->r, runs[run], name, "the pair has no %s run",
                               run_name((enum run)run));
        else
            (void)pair_read_positions(p, runs[run], name, out, run, label->run);
    }
    keys_free(&keys);
    return p->r.err->status;
}

enum status pair_read_labels(const struct pair_reading *p,
                             const struct doc *positions,
                             const struct doc *subject, struct pair *out)
{
    struct label *end = pair_add_label(p, NULL, out, "end");
    for (int run = 0; end && run < RUN_COUNT; run++)
        if (out->run[run].n_tokens &&
            positions_add(&end->run[run], out->run[run].n_prompt - 1, p->r.err))
            break;
    if (p->r.err->status) return p->r.err->status;
    if (positions && positions->kind != DOC_MAP)
        return reading_expect(&p->r, positions, "positions",
                              "a map of labels, e.g. {S2: 10, end: -1}");
    for (size_t i = 0; positions && i < positions->n; i++)
        if (read_label(p, &positions->keys[i], &positions->items[i], out))
            return p->r.err->status;
    return pair_read_subject(p, subject, out);
}

/* One item of `read`. */
static enum status read_place(const struct pair_reading *p,
                              const struct doc *item, struct pair *out)
{
    if (item->kind == DOC_INT)
        return pair_read_positions(p, item, "read", out, RUN_COUNT, out->read);
    if (item->kind != DOC_STRING)
        return reading_expect(&p->r, item, "read",
                              "end, all, a label or a position");
    const struct label *label = pair_label(out, item->text);
    bool is_all = strcmp(item->text, "all") == 0;
    if (!label && !is_all)
        return reading_expect(&p->r, item, "read",
                              "end, all, a position, or a label that the pair "
                              "has");
    for (int run = 0; run < RUN_COUNT; run++) {
        const struct prompt *prompt = &out->run[run];
        if (!prompt->n_tokens) continue;
        int n = is_all ? prompt->n_prompt : label->run[run].n;
        if (n == 0)
            return reading_fail(&p->r, item, "read",
                                "the label %s has no position in the %s run",
                                item->text, run_name((enum run)run));
        for (int i = 0; i < n; i++)
            if (positions_add(&out->read[run],
                              is_all ? i : label->run[run].at[i], p->r.err))
                return p->r.err->status;
    }
    return STATUS_OK;
}

enum status pair_read_read(const struct pair_reading *p, const struct doc *doc,
                           struct pair *out)
{
    if (out->n_sequence) {
        for (int run = 0; run < RUN_COUNT; run++)
            for (int i = 0; out->run[run].n_tokens && i < out->n_sequence; i++)
                if (positions_add(&out->read[run],
                                  out->run[run].n_prompt - 1 + i, p->r.err))
                    return p->r.err->status;
        return STATUS_OK;
    }
    if (reading_n_items(doc) == 0)
        return reading_fail(&p->r, doc, "read", "the list is empty");
    for (size_t i = 0; i < reading_n_items(doc); i++)
        if (read_place(p, reading_item(doc, i), out)) break;
    return p->r.err->status;
}

/* head_scores.c - induction, duplicate-token and previous-token heads.
 *
 * n sequences of `length` random tokens, each repeated once, without BOS. A
 * head's score is its attention from dest to src, averaged over the sequences
 * and over every dest that has such a src:
 *   previous_token    src = dest - 1
 *   duplicate_token   src = dest - length
 *   induction         src = dest - (length - 1)
 * Source: TransformerLens' Exploratory_Analysis_Demo and Main_Demo (the
 * diagonals of the pattern). Tokens: one draw of random_next (seeded once) a
 * token, modulo the number of tokens taken from: 100 .. 19,999 as in that
 * demo, or the whole vocabulary where it is smaller than 20,000. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/model/forward.h"
#include "worker/analyse_parts.h"

enum { FIRST_TOKEN = 100, END_TOKEN = 20000, SCORES = 3 };

struct scoring {
    size_t L, H, S;
    size_t offset[SCORES]; /* dest - src */
    double *sums;          /* [SCORES][L][H] */
};

static enum status see(void *user, const struct hook_view *view,
                       struct err *err)
{
    const struct scoring *s = user;
    (void)err;
    if (view->hook != HOOK_PATTERN) return STATUS_OK;
    for (size_t h = 0; h < s->H; h++) {
        const float *pattern = view->data + h * s->S * s->S;
        for (size_t k = 0; k < SCORES; k++) {
            double sum = 0;
            for (size_t dest = s->offset[k]; dest < s->S; dest++)
                sum += (double)pattern[dest * s->S + dest - s->offset[k]];
            s->sums[(k * s->L + (size_t)view->layer) * s->H + h] +=
                sum / (double)(s->S - s->offset[k]);
        }
    }
    return STATUS_OK;
}

static void draw(int *tokens, size_t length, int n_vocab, uint64_t *state)
{
    bool is_whole = n_vocab < END_TOKEN;
    uint64_t first = is_whole ? 0 : FIRST_TOKEN;
    uint64_t n = (uint64_t)(is_whole ? n_vocab : END_TOKEN - FIRST_TOKEN);
    for (size_t i = 0; i < length; i++)
        tokens[i] = tokens[length + i] = (int)(first + random_next(state) % n);
}

enum status head_scores_run(struct analyser *a, const struct shape *shape,
                            float *values, struct err *err)
{
    const struct analysis *analysis = shape->analysis;
    const struct model_config *config = &a->weights->config;
    size_t length = (size_t)analysis->length;
    struct scoring scoring = {.L = shape->extent[DIM_LAYER],
                              .H = shape->extent[DIM_HEAD],
                              .S = 2 * length,
                              .offset = {1, length, length - 1},
                              .sums = a->scores};
    const struct forward_observer observer = {.see = see, .user = &scoring};
    uint64_t state = analysis->seed;
    int *tokens = mem_calloc(2 * length, sizeof *tokens, "tokens", err);
    if (!tokens) return err->status;
    memset(a->scores, 0, shape->n_run * sizeof *a->scores);
    for (int i = 0; i < analysis->n && !err->status; i++) {
        draw(tokens, length, config->n_vocab, &state);
        (void)(forward_run(a->weights, tokens, 2 * length, &observer, NULL,
                           err) == STATUS_OK);
    }
    free(tokens);
    for (size_t k = 0; k < shape->n_run && !err->status; k++) {
        values[k] = (float)(a->scores[k] / analysis->n);
        if (!isfinite(values[k]))
            (void)err_set(err, STATUS_NUMERIC,
                          "analysis %s: an attention pattern is not finite",
                          analysis->name);
    }
    return err->status;
}

/* analyse_parts.h - what the parts of analyse.c share.
 *
 * Letters: config.h; P = entries of the analysis' axis position. */
#ifndef PATCHSWEEP_WORKER_ANALYSE_PARTS_H
#define PATCHSWEEP_WORKER_ANALYSE_PARTS_H

#include "common/plan/shape.h"
#include "worker/analyse.h"
#include "worker/logits.h"

/* Two directions in the residual stream: a component x adds x . d / scale to
 * the logit of the answer, or to the logit difference. */
enum { TO_LOGIT, TO_DIFF, DIRECTION_COUNT };

struct analyser {
    const struct plan *plan;
    const struct weights *weights;
    float *stack; /* rows of what the analysis looks at, [slot][P][C or F] */
    float *scale; /* (P) of the final LayerNorm */
    float *final; /* (P, C) what the final LayerNorm gives */
    int *at;      /* (P) positions of the run; -1: none */
    float *direction[DIRECTION_COUNT]; /* (C) each */
    double *projected;                 /* [slot][column][DIRECTION_COUNT] */
    double *sums;                      /* neurons: of a run */
    float *states, *logits;            /* lens: (LENS_ROWS, C), (.., V) */
    float *keys;                       /* neurons: (L, F) what they are
                                        * ordered by */
    int *order;                        /* the strongest */
    double *scores;                    /* head_scores: [array][L][H] */
};

enum { LENS_ROWS = 64 };

/* One run of one pair, or what stands for it. */
struct look {
    struct analyser *a;
    const struct shape *shape;
    const struct pair *pair;
    enum run run;
    size_t P;
    struct token_set answer, wrong;
    bool has[DIRECTION_COUNT];    /* whether the pair has such tokens */
    double bias[DIRECTION_COUNT]; /* of ln_f's bias and b_U */
    float *out;                   /* the run's values */
};

/* Where an array of the run's values begins. */
static inline float *look_array(const struct look *look, enum shape_array array)
{
    return look->out + look->shape->at[array];
}

/* Whether entry i of the axis position has an answer to be scored by: where
 * an answer_sequence follows, only the end of the prompt has. */
bool look_is_scored(const struct look *look, size_t i);

/* Set direction, has and bias for the pair; projected for heads, neurons. */
void look_prepare(struct look *look);

/* From stack, scale and final to the run's values. */
void look_lens(struct look *look);
void look_decompose(struct look *look);
void look_heads(struct look *look);
void look_neurons(struct look *look);

/* Edge attribution; what it takes, in floats. */
enum status look_edges(struct look *look, struct err *err);
size_t edges_floats(const struct shape *shape,
                    const struct model_config *config);

/* values [array][L][H] of a head_scores analysis. */
enum status head_scores_run(struct analyser *a, const struct shape *shape,
                            float *values, struct err *err);

#endif

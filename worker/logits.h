/* logits.h - what is read off logits for a set of tokens. Definitions:
 * docs/metrics.md. NaN where the set is empty. */
#ifndef PATCHSWEEP_WORKER_LOGITS_H
#define PATCHSWEEP_WORKER_LOGITS_H

#include <stddef.h>

#include "common/model/weights.h"

struct token_set {
    const int *ids;
    int n;
};

/* The mean of the tokens' logits for a state (C) that the final LayerNorm has
 * gone over: dot products with the unembedding, summed in double. */
double logits_mean(const struct weights *weights, const float *state,
                   struct token_set tokens);

/* The sum of the tokens' probabilities; log_sum: logsumexp of the logits. */
double logits_probability(const float *logits, double log_sum,
                          struct token_set tokens);

/* 1 + how many other tokens are at least as probable as the best of the set. */
double logits_rank(const float *logits, size_t V, struct token_set tokens);

/* The greatest of V values, the first of equal ones. */
int logits_top1(const float *logits, size_t V);

#endif

#include "worker/logits.h"

#include <math.h>

#include "common/model/kernels.h"

double logits_mean(const struct weights *weights, const float *state,
                   struct token_set tokens)
{
    size_t C = (size_t)weights->config.d_model;
    double sum = 0;
    for (int i = 0; i < tokens.n; i++) {
        size_t token = (size_t)tokens.ids[i];
        sum += kernels_dot_double(state, weights->w_u + token * C, C);
        if (weights->b_u) sum += (double)weights->b_u[token];
    }
    return tokens.n ? sum / tokens.n : (double)NAN;
}

double logits_probability(const float *logits, double log_sum,
                          struct token_set tokens)
{
    double sum = 0;
    for (int i = 0; i < tokens.n; i++)
        sum += exp((double)logits[tokens.ids[i]] - log_sum);
    return tokens.n ? sum : (double)NAN;
}

double logits_rank(const float *logits, size_t V, struct token_set tokens)
{
    if (tokens.n == 0) return (double)NAN;
    int best = tokens.ids[0];
    for (int i = 1; i < tokens.n; i++)
        if (logits[tokens.ids[i]] > logits[best]) best = tokens.ids[i];
    double rank = 1;
    for (size_t v = 0; v < V; v++)
        if ((int)v != best && logits[v] >= logits[best]) rank++;
    return rank;
}

int logits_top1(const float *logits, size_t V)
{
    size_t top = 0;
    for (size_t v = 1; v < V; v++)
        if (logits[v] > logits[top]) top = v;
    return (int)top;
}

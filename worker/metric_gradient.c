#include "worker/metric_gradient.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/kernels.h"

/* One position that the metric reads. */
struct reading_at {
    const struct weights *weights;
    const float *state; /* (C) */
    float *out;         /* (C) */
    struct token_set answer, wrong;
    int next;             /* the token that follows, -1: none */
    const float *clean_p; /* (V) of kl_clean; else NULL */
    float *p, *d_logits;  /* (V) scratch */
};

/* out += weight x W_U[token] */
static void add_token(const struct reading_at *at, int token, double weight)
{
    size_t C = (size_t)at->weights->config.d_model;
    const float *row = at->weights->w_u + (size_t)token * C;
    for (size_t c = 0; c < C; c++)
        at->out[c] += (float)(weight * (double)row[c]);
}

static void add_mean(const struct reading_at *at, struct token_set tokens,
                     double weight)
{
    for (int i = 0; i < tokens.n; i++)
        add_token(at, tokens.ids[i], weight / tokens.n);
}

/* p = softmax of the logits. */
static void find_probabilities(const struct reading_at *at)
{
    const struct weights *w = at->weights;
    size_t C = (size_t)w->config.d_model, V = (size_t)w->config.n_vocab;
    kernels_matmul_transposed(at->p, V, at->state, C, w->w_u, C, 1, V, C, 1, 0);
    if (w->b_u) kernels_add_bias(at->p, V, w->b_u, 1, V);
    double log_sum = kernels_logsumexp(at->p, V);
    for (size_t v = 0; v < V; v++)
        at->p[v] = (float)exp((double)at->p[v] - log_sum);
}

static double probability(const struct reading_at *at, struct token_set tokens)
{
    double sum = 0;
    for (int i = 0; i < tokens.n; i++)
        sum += (double)at->p[tokens.ids[i]];
    return sum;
}

/* d_logits += weight x d(sum of p over tokens): p (1[in tokens] - sum). */
static void add_probability(const struct reading_at *at,
                            struct token_set tokens, double weight)
{
    size_t V = (size_t)at->weights->config.n_vocab;
    double sum = probability(at, tokens);
    for (size_t v = 0; v < V; v++)
        at->d_logits[v] -= (float)(weight * sum * (double)at->p[v]);
    for (int i = 0; i < tokens.n; i++)
        at->d_logits[tokens.ids[i]] +=
            (float)(weight * (double)at->p[tokens.ids[i]]);
}

/* What a metric of the whole vocabulary adds to d_logits. */
static void add_vocabulary(const struct reading_at *at, enum metric metric,
                           double weight)
{
    size_t V = (size_t)at->weights->config.n_vocab;
    switch (metric) {
    case METRIC_PROB:
        add_probability(at, at->answer, weight);
        return;
    case METRIC_PROB_DIFF:
        add_probability(at, at->answer, weight);
        add_probability(at, at->wrong, -weight);
        return;
    case METRIC_LOGPROB:
        add_probability(at, at->answer, weight / probability(at, at->answer));
        return;
    case METRIC_LOSS_ANSWER:
        add_probability(at, at->answer, -weight / probability(at, at->answer));
        return;
    case METRIC_LOSS:
        for (size_t v = 0; v < V; v++)
            at->d_logits[v] += (float)(weight * (double)at->p[v]);
        at->d_logits[at->next] -= (float)weight;
        return;
    case METRIC_KL_CLEAN:
        for (size_t v = 0; v < V; v++)
            at->d_logits[v] +=
                (float)(weight * ((double)at->p[v] - (double)at->clean_p[v]));
        return;
    default:
        assert(metric_flags(metric) & METRIC_VOCAB);
        assert(!(metric_flags(metric) & METRIC_NO_GRADIENT));
    }
}

/* out = weight x the derivative of the metric at one position. */
static void differentiate(const struct reading_at *at, enum metric metric,
                          double weight)
{
    const struct weights *w = at->weights;
    size_t C = (size_t)w->config.d_model, V = (size_t)w->config.n_vocab;
    if (metric == METRIC_LOGIT || metric == METRIC_LOGIT_DIFF) {
        add_mean(at, at->answer, weight);
        if (metric == METRIC_LOGIT_DIFF) add_mean(at, at->wrong, -weight);
        return;
    }
    find_probabilities(at);
    memset(at->d_logits, 0, V * sizeof *at->d_logits);
    add_vocabulary(at, metric, weight);
    kernels_matmul(at->out, C, at->d_logits, V, w->w_u, C, 1, C, V, 1, 1);
}

/* What each read position counts. An answer_sequence adds log probabilities
 * up; its prob is their exponential. */
static double weight_of(const struct block_pair *item, const struct pair *pair,
                        enum run run, enum metric metric)
{
    const struct positions *read = &pair->read[run];
    bool is_summed = pair->n_sequence &&
                     (metric == METRIC_LOGPROB || metric == METRIC_LOSS_ANSWER);
    if (is_summed) return 1;
    if (!pair->n_sequence || metric != METRIC_PROB)
        return metric == METRIC_LOSS ? 1.0 / (pair->run[run].n_tokens - 1)
                                     : 1.0 / read->n;
    double sum = 0;
    for (int i = 0; i < read->n; i++)
        sum +=
            item->runs[run]
                .measured[(size_t)read->at[i] * METRIC_COUNT + METRIC_LOGPROB];
    return exp(sum);
}

enum status metric_gradient(float *d_final, const float *final,
                            const struct weights *weights,
                            const struct block_pair *item,
                            const struct pair *pair, enum run run,
                            enum metric metric, struct err *err)
{
    size_t C = (size_t)weights->config.d_model;
    size_t V = (size_t)weights->config.n_vocab;
    const struct prompt *prompt = &pair->run[run];
    double weight = weight_of(item, pair, run, metric);
    float *scratch = mem_calloc(2 * V, sizeof *scratch, "a gradient", err);
    if (!scratch) return err->status;
    memset(d_final, 0, (size_t)prompt->n_tokens * C * sizeof *d_final);
    const float *clean_p = item->runs[RUN_CLEAN].probabilities;
    bool is_product = pair->n_sequence && metric == METRIC_PROB;
    int read = 0;
    for (int at = 0; at < prompt->n_tokens; at++) {
        bool is_read = plan_is_read(pair, run, false, at);
        int number = is_read ? read++ : -1;
        if (metric == METRIC_LOSS ? at + 1 == prompt->n_tokens : !is_read)
            continue;
        const struct measure_row row =
            block_pair_row(item, pair, run, at, number);
        const struct reading_at one = {
            .weights = weights,
            .state = final + (size_t)at * C,
            .out = d_final + (size_t)at * C,
            .answer = row.answer,
            .wrong = row.wrong,
            .next = row.next,
            .clean_p =
                clean_p && number >= 0 ? clean_p + (size_t)number * V : NULL,
            .p = scratch,
            .d_logits = scratch + V};
        differentiate(&one, is_product ? METRIC_LOGPROB : metric, weight);
    }
    free(scratch);
    return STATUS_OK;
}

#include "worker/measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/kernels.h"

enum { CHUNK_ROWS = 64 }; /* rows whose logits stand in memory together */

struct measure {
    const struct weights *weights;
    size_t max_rows;
    float *states; /* (max_rows, C) gathered, then normalized; owned */
    float *logits; /* (CHUNK_ROWS, V); owned */
};

size_t measure_bytes(const struct model_config *config, size_t max_rows)
{
    return (max_rows * (size_t)config->d_model +
            CHUNK_ROWS * (size_t)config->n_vocab) *
           sizeof(float);
}

struct measure *measure_open(const struct weights *weights, size_t max_rows,
                             struct err *err)
{
    struct measure *m = mem_calloc(1, sizeof *m, "the metrics", err);
    if (!m) return NULL;
    m->weights = weights;
    m->max_rows = max_rows;
    m->states =
        mem_calloc_aligned(max_rows * (size_t)weights->config.d_model,
                           sizeof *m->states, "the metrics' buffers", err);
    m->logits =
        mem_calloc_aligned(CHUNK_ROWS * (size_t)weights->config.n_vocab,
                           sizeof *m->logits, "the metrics' buffers", err);
    if (err->status) {
        measure_close(m);
        return NULL;
    }
    return m;
}

void measure_close(struct measure *measure)
{
    if (!measure) return;
    free(measure->states);
    free(measure->logits);
    free(measure);
}

metric_set metric_set_of(const enum metric *metrics, int n)
{
    metric_set set = 0;
    for (int i = 0; i < n; i++)
        set |= 1u << metrics[i];
    return set;
}

bool metric_set_has_kl(metric_set set)
{
    return (set & (1u << METRIC_KL_CLEAN | 1u << METRIC_KL_BASE)) != 0;
}

static bool needs_vocabulary(metric_set set)
{
    for (int metric = 0; metric < METRIC_COUNT; metric++)
        if ((set & 1u << metric) &&
            (metric_flags((enum metric)metric) & METRIC_VOCAB))
            return true;
    return false;
}

static double log_probability(const float *logits, double log_sum,
                              struct token_set tokens)
{
    if (tokens.n == 0) return (double)NAN;
    double most = (double)logits[tokens.ids[0]], sum = 0;
    for (int i = 1; i < tokens.n; i++)
        if ((double)logits[tokens.ids[i]] > most)
            most = (double)logits[tokens.ids[i]];
    for (int i = 0; i < tokens.n; i++)
        sum += exp((double)logits[tokens.ids[i]] - most);
    return most + log(sum) - log_sum;
}

/* sum p (logit - log_sum) in the form that is the same to the last bit for the
 * same logits, so that a KL of a run with itself is exactly zero. */
static double cross_term(const float *p, double sum_p, const float *logits,
                         double log_sum, size_t V)
{
    return kernels_dot_double(p, logits, V) - log_sum * sum_p;
}

static void keep_distribution(struct base_run *run, int read,
                              const float *logits, double log_sum, size_t V)
{
    if (!run->probabilities || read < 0) return;
    float *p = run->probabilities + (size_t)read * V;
    double sum = 0;
    for (size_t v = 0; v < V; v++) {
        p[v] = (float)exp((double)logits[v] - log_sum);
        sum += (double)p[v];
    }
    run->sum_p[read] = sum;
    run->sum_p_logit[read] = cross_term(p, sum, logits, log_sum, V);
}

/* KL(p of run at this read position || the row), in nats. */
static double divergence(const struct base_run *run, int read,
                         const float *logits, double log_sum, size_t V)
{
    if (!run || !run->probabilities || read < 0) return (double)NAN;
    const float *p = run->probabilities + (size_t)read * V;
    return run->sum_p_logit[read] -
           cross_term(p, run->sum_p[read], logits, log_sum, V);
}

static void measure_vocabulary(const struct measure_row *row,
                               const float *logits, size_t V, metric_set wanted)
{
    double *out = row->values;
    double log_sum = kernels_logsumexp(logits, V);
    if (row->fill) {
        keep_distribution(row->fill, row->read, logits, log_sum, V);
        if (row->is_end) row->fill->top = logits_top1(logits, V);
    }
    out[METRIC_PROB] = logits_probability(logits, log_sum, row->answer);
    out[METRIC_PROB_DIFF] =
        out[METRIC_PROB] - logits_probability(logits, log_sum, row->wrong);
    out[METRIC_LOGPROB] = log_probability(logits, log_sum, row->answer);
    out[METRIC_LOSS_ANSWER] = -out[METRIC_LOGPROB];
    if (row->next >= 0) out[METRIC_LOSS] = log_sum - (double)logits[row->next];
    if (wanted & 1u << METRIC_ANSWER_RANK)
        out[METRIC_ANSWER_RANK] = logits_rank(logits, V, row->answer);
    if (wanted & 1u << METRIC_TOP1)
        out[METRIC_TOP1] = (double)logits_top1(logits, V);
    if (wanted & 1u << METRIC_KL_CLEAN)
        out[METRIC_KL_CLEAN] =
            divergence(row->clean, row->read, logits, log_sum, V);
    if (wanted & 1u << METRIC_KL_BASE)
        out[METRIC_KL_BASE] =
            divergence(row->base, row->read, logits, log_sum, V);
}

static void measure_tokens(const struct measure *m,
                           const struct measure_row *row, const float *state)
{
    double *out = row->values;
    for (int metric = 0; metric < METRIC_COUNT; metric++)
        out[metric] = (double)NAN;
    out[METRIC_LOGIT] = logits_mean(m->weights, state, row->answer);
    out[METRIC_LOGIT_DIFF] =
        out[METRIC_LOGIT] - logits_mean(m->weights, state, row->wrong);
    if (row->answer.n && row->wrong.n)
        out[METRIC_ACCURACY] = out[METRIC_LOGIT_DIFF] > 0;
}

void measure_rows(struct measure *m, const struct measure_row *rows, size_t n,
                  metric_set wanted)
{
    const struct weights *w = m->weights;
    size_t C = (size_t)w->config.d_model, V = (size_t)w->config.n_vocab;
    bool has_vocabulary = needs_vocabulary(wanted);
    for (size_t i = 0; i < n; i++)
        memcpy(m->states + i * C, rows[i].state, C * sizeof(float));
    if (n == 0) return;
    kernels_layernorm(m->states, m->states, w->lnf_gain, w->lnf_bias, n, C,
                      w->config.ln_eps);
    for (size_t i = 0; i < n; i++)
        if (rows[i].norm)
            kernels_layernorm_frozen(m->states + i * C, rows[i].state,
                                     rows[i].norm, w->lnf_gain, w->lnf_bias, C,
                                     w->config.ln_eps);
    for (size_t first = 0; first < n; first += CHUNK_ROWS) {
        size_t chunk = n - first < CHUNK_ROWS ? n - first : CHUNK_ROWS;
        if (has_vocabulary)
            kernels_matmul_transposed(m->logits, V, m->states + first * C, C,
                                      w->w_u, C, chunk, V, C, 1, 0);
        if (has_vocabulary && w->b_u)
            kernels_add_bias(m->logits, V, w->b_u, chunk, V);
        for (size_t i = 0; i < chunk; i++) {
            const struct measure_row *row = &rows[first + i];
            measure_tokens(m, row, m->states + (first + i) * C);
            if (has_vocabulary)
                measure_vocabulary(row, m->logits + i * V, V, wanted);
        }
    }
}

struct token_set measure_answer(const struct pair *pair, enum run run,
                                const int *predicted, int at)
{
    if (pair->n_sequence)
        return (struct token_set){&pair->run[run].tokens[at + 1], 1};
    if (pair->is_predicted)
        return (struct token_set){predicted, *predicted >= 0};
    return (struct token_set){pair->answer, pair->n_answer};
}

double measure_combine(const struct pair *pair, enum run run,
                       enum metric metric, const double *const *rows)
{
    const struct positions *read = &pair->read[run];
    double sum = 0;
    if (metric == METRIC_LOSS) {
        int n = pair->run[run].n_tokens - 1;
        for (int at = 0; at < n; at++)
            sum += rows[at][METRIC_LOSS];
        return n > 0 ? sum / n : (double)NAN;
    }
    bool is_prob = pair->n_sequence && metric == METRIC_PROB;
    for (int i = 0; i < read->n; i++)
        sum += rows[read->at[i]][is_prob ? METRIC_LOGPROB : metric];
    if (is_prob) return exp(sum);
    if (pair->n_sequence &&
        (metric == METRIC_LOGPROB || metric == METRIC_LOSS_ANSWER))
        return sum;
    return read->n ? sum / read->n : (double)NAN;
}

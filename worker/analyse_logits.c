/* analyse_logits.c - what states, components, heads and neurons do to the
 * logits. Sums are in double. */
#include <math.h>

#include "common/base/select.h"
#include "common/model/kernels.h"
#include "worker/analyse_parts.h"

/* The two sets of a direction: mean of the first less that of the second. */
static void sets_of(const struct look *look, int direction,
                    struct token_set out[2])
{
    out[0] = look->answer;
    out[1] = direction == TO_DIFF ? look->wrong : (struct token_set){NULL, 0};
}

/* d = gain (mean of W_U over the answer - mean over the wrong), less its mean:
 * then x . d = (x - mean x) gain . W_U .. */
static void make_direction(struct look *look, int direction)
{
    const struct weights *w = look->a->weights;
    size_t C = (size_t)w->config.d_model;
    float *d = look->a->direction[direction];
    struct token_set sets[2];
    double mean = 0, bias = 0;
    sets_of(look, direction, sets);
    for (size_t c = 0; c < C; c++) {
        double u = 0;
        for (int s = 0; s < 2; s++)
            for (int i = 0; i < sets[s].n; i++)
                u += (s ? -1.0 : 1.0) / sets[s].n *
                     (double)w->w_u[(size_t)sets[s].ids[i] * C + c];
        bias += u * (double)w->lnf_bias[c];
        d[c] = (float)(u * (double)w->lnf_gain[c]);
        mean += (double)d[c];
    }
    for (int s = 0; s < 2 && w->b_u; s++)
        for (int i = 0; i < sets[s].n; i++)
            bias +=
                (s ? -1.0 : 1.0) / sets[s].n * (double)w->b_u[sets[s].ids[i]];
    for (size_t c = 0; c < C; c++)
        d[c] = (float)((double)d[c] - mean / (double)C);
    look->bias[direction] = bias;
}

/* projected: each row of W_O or W_out along the directions. */
static void project(struct look *look)
{
    struct analyser *a = look->a;
    const struct model_config *config = &a->weights->config;
    bool is_heads = look->shape->analysis->kind == ANALYSIS_HEADS;
    size_t C = (size_t)config->d_model;
    size_t columns = is_heads ? C : (size_t)config->d_mlp;
    double *out = a->projected;
    for (int l = 0; l < config->n_layer; l++) {
        const struct layer_weights *w = &a->weights->layer[l];
        const float *rows = is_heads ? w->w_o : w->w_out;
        for (size_t k = 0; k < columns; k++)
            for (int d = 0; d < DIRECTION_COUNT; d++)
                *out++ = look->has[d] ? kernels_dot_double(rows + k * C,
                                                           a->direction[d], C)
                                      : (double)NAN;
    }
}

void look_prepare(struct look *look)
{
    enum analysis_kind kind = look->shape->analysis->kind;
    look->has[TO_LOGIT] = look->answer.n > 0;
    look->has[TO_DIFF] = look->answer.n > 0 && look->wrong.n > 0;
    for (int d = 0; d < DIRECTION_COUNT; d++)
        if (look->has[d]) make_direction(look, d);
    if (kind == ANALYSIS_HEADS || kind == ANALYSIS_NEURONS) project(look);
}

bool look_is_scored(const struct look *look, size_t i)
{
    int at = look->a->at[i];
    return at >= 0 && (look->pair->n_sequence == 0 ||
                       at == look->pair->run[look->run].n_prompt - 1);
}

/* The run's own logit or logit difference. */
static double whole(const struct look *look, int direction, size_t i)
{
    const struct weights *w = look->a->weights;
    const float *state = look->a->final + i * (size_t)w->config.d_model;
    double logit = logits_mean(w, state, look->answer);
    return direction == TO_LOGIT ? logit
                                 : logit - logits_mean(w, state, look->wrong);
}

/* Lens */

/* The final LayerNorm of a state, with the scale of the final one. */
static void normalize_cached(float *out, const float *x, double scale,
                             const struct weights *w)
{
    size_t C = (size_t)w->config.d_model;
    double mean = 0;
    for (size_t c = 0; c < C; c++)
        mean += (double)x[c];
    mean /= (double)C;
    for (size_t c = 0; c < C; c++)
        out[c] =
            (float)(((double)x[c] - mean) / scale * (double)w->lnf_gain[c] +
                    (double)w->lnf_bias[c]);
}

/* Values of entry k of the arrays [state][position] from one row of logits. */
static void read_row(struct look *look, size_t k, bool is_scored,
                     const float *state, const float *logits)
{
    struct analyser *a = look->a;
    size_t V = (size_t)a->weights->config.n_vocab;
    size_t n_top = look->shape->extent[DIM_RANK];
    double log_sum = kernels_logsumexp(logits, V);
    float *token = look_array(look, LENS_TOP_TOKEN) + k * n_top;
    float *prob = look_array(look, LENS_TOP_PROB) + k * n_top;
    float *logit = look_array(look, LENS_TOP_LOGIT) + k * n_top;
    select_greatest(a->order, n_top, logits, V);
    for (size_t r = 0; r < n_top; r++) {
        token[r] = (float)a->order[r];
        logit[r] = logits[a->order[r]];
        prob[r] = (float)exp((double)logit[r] - log_sum);
    }
    if (!is_scored || !look->has[TO_LOGIT]) return;
    double answer = logits_mean(a->weights, state, look->answer);
    look_array(look, LENS_LOGIT)[k] = (float)answer;
    look_array(look, LENS_PROB)[k] =
        (float)logits_probability(logits, log_sum, look->answer);
    look_array(look, LENS_ANSWER_RANK)[k] =
        (float)logits_rank(logits, V, look->answer);
    look_array(look, LENS_LOGIT_DIFF)[k] =
        (float)(answer - logits_mean(a->weights, state, look->wrong));
}

/* Up to LENS_ROWS entries of [state][position], which are at rows[]. */
static void read_rows(struct look *look, const size_t *rows, size_t n)
{
    struct analyser *a = look->a;
    const struct weights *w = a->weights;
    size_t C = (size_t)w->config.d_model, V = (size_t)w->config.n_vocab;
    for (size_t i = 0; i < n; i++) {
        float *out = a->states + i * C;
        const float *x = a->stack + rows[i] * C;
        if (look->shape->analysis->is_own_scale)
            kernels_layernorm(out, x, w->lnf_gain, w->lnf_bias, 1, C,
                              w->config.ln_eps);
        else
            normalize_cached(out, x, (double)a->scale[rows[i] % look->P], w);
    }
    if (n == 0) return;
    kernels_matmul_transposed(a->logits, V, a->states, C, w->w_u, C, n, V, C, 1,
                              0);
    if (w->b_u) kernels_add_bias(a->logits, V, w->b_u, n, V);
    for (size_t i = 0; i < n; i++)
        read_row(look, rows[i], look_is_scored(look, rows[i] % look->P),
                 a->states + i * C, a->logits + i * V);
}

void look_lens(struct look *look)
{
    size_t rows[LENS_ROWS], n = 0;
    for (size_t k = 0; k < look->shape->extent[DIM_STATE] * look->P; k++) {
        if (look->a->at[k % look->P] < 0) continue;
        rows[n++] = k;
        if (n < LENS_ROWS) continue;
        read_rows(look, rows, n);
        n = 0;
    }
    read_rows(look, rows, n);
}

/* Sums over components */

void look_decompose(struct look *look)
{
    struct analyser *a = look->a;
    size_t C = (size_t)a->weights->config.d_model;
    size_t n = look->shape->extent[DIM_COMPONENT] - 1;
    float *const out[] = {look_array(look, DECOMPOSE_LOGIT),
                          look_array(look, DECOMPOSE_LOGIT_DIFF)};
    for (size_t i = 0; i < look->P; i++)
        for (int d = 0; d < DIRECTION_COUNT && look_is_scored(look, i); d++) {
            if (!look->has[d]) continue;
            for (size_t k = 0; k < n; k++)
                out[d][k * look->P + i] =
                    (float)(kernels_dot_double(a->stack + (k * look->P + i) * C,
                                               a->direction[d], C) /
                            (double)a->scale[i]);
            out[d][n * look->P + i] = (float)look->bias[d];
        }
}

void look_heads(struct look *look)
{
    struct analyser *a = look->a;
    const struct model_config *config = &a->weights->config;
    size_t C = (size_t)config->d_model, K = (size_t)config->d_head;
    size_t n = (size_t)config->n_layer * C / K; /* heads of all layers */
    float *const out[] = {look_array(look, HEADS_LOGIT),
                          look_array(look, HEADS_LOGIT_DIFF)};
    float *const remainder[] = {look_array(look, HEADS_LOGIT_REMAINDER),
                                look_array(look, HEADS_LOGIT_DIFF_REMAINDER)};
    for (size_t i = 0; i < look->P; i++)
        for (int d = 0; d < DIRECTION_COUNT && look_is_scored(look, i); d++) {
            double all = 0;
            if (!look->has[d]) continue;
            for (size_t head = 0; head < n; head++) {
                size_t l = head * K / C, h = head % (C / K);
                const float *z = a->stack + (l * look->P + i) * C + h * K;
                const double *to = a->projected + head * K * DIRECTION_COUNT;
                double sum = 0;
                for (size_t k = 0; k < K; k++)
                    sum += (double)z[k] * to[k * DIRECTION_COUNT + (size_t)d];
                sum /= (double)a->scale[i];
                out[d][head * look->P + i] = (float)sum;
                all += sum;
            }
            remainder[d][i] = (float)(whole(look, d, i) - all);
        }
}

/* What neuron k (of all layers) adds at entry i of the axis. */
static double neuron(const struct look *look, int direction, size_t k, size_t i)
{
    const struct analyser *a = look->a;
    size_t F = (size_t)a->weights->config.d_mlp;
    float post = a->stack[(k / F * look->P + i) * F + k % F];
    return (double)post *
           a->projected[k * DIRECTION_COUNT + (size_t)direction] /
           (double)a->scale[i];
}

void look_neurons(struct look *look)
{
    struct analyser *a = look->a;
    size_t F = (size_t)a->weights->config.d_mlp;
    size_t n = (size_t)a->weights->config.n_layer * F;
    size_t n_top = look->shape->extent[DIM_RANK];
    int by = look->has[TO_DIFF] ? TO_DIFF : TO_LOGIT;
    float *const top[] = {look_array(look, NEURONS_TOP_LOGIT),
                          look_array(look, NEURONS_TOP_LOGIT_DIFF)};
    float *const remainder[] = {look_array(look, NEURONS_LOGIT_REMAINDER),
                                look_array(look, NEURONS_LOGIT_DIFF_REMAINDER)};
    for (size_t i = 0; i < look->P && look->has[TO_LOGIT]; i++) {
        if (!look_is_scored(look, i)) continue;
        for (size_t k = 0; k < n; k++) {
            double value = neuron(look, by, k, i);
            a->keys[k] = (float)fabs(value);
            if (by == TO_DIFF) a->sums[i * n + k] += value;
        }
        select_greatest(a->order, n_top, a->keys, n);
        for (int d = 0; d < DIRECTION_COUNT; d++) {
            double listed = 0;
            for (size_t r = 0; r < n_top && look->has[d]; r++) {
                double value = neuron(look, d, (size_t)a->order[r], i);
                top[d][i * n_top + r] = (float)value;
                listed += value;
            }
            if (look->has[d])
                remainder[d][i] = (float)(whole(look, d, i) - listed);
        }
        for (size_t r = 0; r < n_top; r++) {
            size_t k = (size_t)a->order[r], at = i * n_top + r;
            look_array(look, NEURONS_TOP_LAYER)[at] = (float)(k / F);
            look_array(look, NEURONS_TOP_NEURON)[at] = (float)(k % F);
        }
    }
}

#include "common/model/process.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/weights.h"

struct process {
    float *block;
    struct weights weights; /* bound to the block, for reading */
    double *sums;           /* max(3C, F) of them */
};

/* The writable place of a tensor. */
static float *of(const struct process *p, const float *tensor)
{
    return p->block + (tensor - p->weights.block);
}

static void fill(float *x, size_t n, float value)
{
    for (size_t i = 0; i < n; i++)
        x[i] = value;
}

/* Each row of x (R, C) less its own mean. */
static void centre_rows(float *x, size_t R, size_t C)
{
    for (size_t r = 0; r < R; r++) {
        double sum = 0;
        for (size_t c = 0; c < C; c++)
            sum += (double)x[r * C + c];
        for (size_t c = 0; c < C; c++)
            x[r * C + c] = (float)((double)x[r * C + c] - sum / (double)C);
    }
}

/* Each column of x (R, C) less its own mean. */
static void centre_columns(const struct process *p, float *x, size_t R,
                           size_t C)
{
    memset(p->sums, 0, C * sizeof *p->sums);
    for (size_t r = 0; r < R; r++)
        for (size_t c = 0; c < C; c++)
            p->sums[c] += (double)x[r * C + c];
    for (size_t r = 0; r < R; r++)
        for (size_t c = 0; c < C; c++)
            x[r * C + c] =
                (float)((double)x[r * C + c] - p->sums[c] / (double)R);
}

/* b += x w, x (R), w (R, N), in double. */
static void add_product(const struct process *p, float *b, const float *x,
                        const float *w, size_t R, size_t N)
{
    memset(p->sums, 0, N * sizeof *p->sums);
    for (size_t r = 0; r < R; r++)
        for (size_t n = 0; n < N; n++)
            p->sums[n] += (double)x[r] * (double)w[r * N + n];
    for (size_t n = 0; n < N; n++)
        b[n] = (float)((double)b[n] + p->sums[n]);
}

/* The LayerNorm before w (C, N): its bias into b, its gain into w's rows,
 * then w centred over the C inputs, which the normalized state cannot see. */
static void fold_ln(const struct process *p, const float *gain,
                    const float *bias, const float *w_read, const float *b_read,
                    size_t N)
{
    size_t C = (size_t)p->weights.config.d_model;
    float *w = of(p, w_read);
    add_product(p, of(p, b_read), bias, w, C, N);
    for (size_t c = 0; c < C; c++)
        for (size_t n = 0; n < N; n++)
            w[c * N + n] *= gain[c];
    centre_columns(p, w, C, N);
    fill(of(p, gain), C, 1);
    fill(of(p, bias), C, 0);
}

/* The same for the unembedding, whose rows are tokens: (V, C). */
static void fold_final_ln(const struct process *p)
{
    const struct weights *w = &p->weights;
    size_t C = (size_t)w->config.d_model, V = (size_t)w->config.n_vocab;
    float *w_u = of(p, w->w_u), *b_u = of(p, w->b_u);
    for (size_t v = 0; v < V; v++) {
        double sum = 0;
        for (size_t c = 0; c < C; c++) {
            sum += (double)w->lnf_bias[c] * (double)w_u[v * C + c];
            w_u[v * C + c] *= w->lnf_gain[c];
        }
        b_u[v] = (float)sum;
    }
    centre_rows(w_u, V, C);
    fill(of(p, w->lnf_gain), C, 1);
    fill(of(p, w->lnf_bias), C, 0);
}

static void process_layer(const struct process *p,
                          const struct layer_weights *layer)
{
    size_t C = (size_t)p->weights.config.d_model;
    size_t F = (size_t)p->weights.config.d_mlp;
    fold_ln(p, layer->ln1_gain, layer->ln1_bias, layer->w_qkv, layer->b_qkv,
            3 * C);
    fold_ln(p, layer->ln2_gain, layer->ln2_bias, layer->w_in, layer->b_in, F);
    centre_rows(of(p, layer->w_o), C, C);
    centre_rows(of(p, layer->b_o), 1, C);
    centre_rows(of(p, layer->w_out), F, C);
    centre_rows(of(p, layer->b_out), 1, C);
    /* every pattern row sums to 1, so a value's bias is an output's */
    float *value_bias = of(p, layer->b_qkv) + 2 * C;
    add_product(p, of(p, layer->b_o), value_bias, layer->w_o, C, C);
    fill(value_bias, C, 0);
}

enum status weights_process(float *block, const struct model_config *config,
                            struct err *err)
{
    struct process p = {.block = block};
    size_t C = (size_t)config->d_model, F = (size_t)config->d_mlp;
    size_t V = (size_t)config->n_vocab;
    size_t most = 3 * C > F ? 3 * C : F;
    if (weights_bind(&p.weights, config, block, err)) return err->status;
    p.sums = mem_calloc(most, sizeof *p.sums, "processed weights", err);
    if (!p.sums) goto out;
    const struct weights *w = &p.weights;
    if (config->is_tied) memcpy(of(&p, w->w_u), w->wte, V * C * sizeof(float));
    fold_final_ln(&p);
    centre_rows(of(&p, w->wte), V, C);
    centre_rows(of(&p, w->wpe), (size_t)config->n_ctx, C);
    for (int l = 0; l < config->n_layer; l++)
        process_layer(&p, &w->layer[l]);
    centre_columns(&p, of(&p, w->w_u), V, C);
    centre_columns(&p, of(&p, w->b_u), V, 1);
out:
    free(p.sums);
    weights_free(&p.weights);
    return err->status;
}

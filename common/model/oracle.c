#include "common/model/oracle.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/mem.h"

/* Sizes, and the arrays of the pass, each allocated on its own so that a
 * sanitizer sees a step beyond its end. */
struct pass {
    const struct weights *weights;
    const struct oracle_hook *hook;
    size_t S, H, C, K, F;
    double *resid, *normalized, *scale, *q, *k, *v, *scores, *z, *out, *mlp;
};

static void visit(const struct pass *pass, enum hook hook, size_t layer,
                  double *data)
{
    struct hook_view view = {.hook = hook};
    hook_set_shape(&view, &pass->weights->config, pass->S);
    if (pass->hook)
        pass->hook->visit(pass->hook->user, hook, (int)layer, data, view.dims);
}

static double activate(double x, enum activation activation)
{
    const double pi = 3.14159265358979323846;
    switch (activation) {
    case ACTIVATION_GELU_NEW:
    case ACTIVATION_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x)));
    case ACTIVATION_GELU:
        return 0.5 * x * (1 + erf(x / sqrt(2)));
    case ACTIVATION_RELU:
        return x > 0 ? x : 0;
    case ACTIVATION_SILU:
        break;
    }
    return x / (1 + exp(-x));
}

/* normalized = LayerNorm(resid), in the two steps that have hooks. */
static void normalize(const struct pass *pass, const float *gain,
                      const float *bias, enum hook scale, enum hook out,
                      size_t layer)
{
    size_t S = pass->S, C = pass->C;
    double eps = (double)pass->weights->config.ln_eps;
    for (size_t s = 0; s < S; s++) {
        const double *x = pass->resid + s * C;
        double mean = 0, variance = 0;
        for (size_t c = 0; c < C; c++)
            mean += x[c];
        mean /= (double)C;
        for (size_t c = 0; c < C; c++)
            variance += (x[c] - mean) * (x[c] - mean);
        variance /= (double)C;
        for (size_t c = 0; c < C; c++)
            pass->normalized[s * C + c] = x[c] - mean;
        pass->scale[s] = sqrt(variance + eps);
    }
    visit(pass, scale, layer, pass->scale);
    for (size_t s = 0; s < S; s++)
        for (size_t c = 0; c < C; c++) {
            double *x = &pass->normalized[s * C + c];
            *x = *x / pass->scale[s] * (double)gain[c] + (double)bias[c];
        }
    visit(pass, out, layer, pass->normalized);
}

/* out[s][j] = bias[j] + sum over i of in[s][i] w[i][first + j], w (M, ld) */
static void linear(double *out, const double *in, const float *w, size_t ld,
                   size_t first, const float *bias, size_t S, size_t N,
                   size_t M)
{
    for (size_t s = 0; s < S; s++)
        for (size_t j = 0; j < N; j++) {
            double sum = (double)bias[first + j];
            for (size_t i = 0; i < M; i++)
                sum += in[s * M + i] * (double)w[i * ld + first + j];
            out[s * N + j] = sum;
        }
}

static void softmax(double *x, size_t n)
{
    double most = (double)-INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++)
        if (x[i] > most) most = x[i];
    for (size_t i = 0; i < n; i++) {
        x[i] = isinf(most) && most < 0 ? 0 : exp(x[i] - most);
        sum += x[i];
    }
    for (size_t i = 0; i < n && sum != 0; i++)
        x[i] /= sum;
}

/* Where position s, head h begins in q, k, v and z. */
static size_t head_at(const struct pass *pass, size_t s, size_t h)
{
    return (s * pass->H + h) * pass->K;
}

static void score(const struct pass *pass, size_t layer)
{
    const struct model_config *config = &pass->weights->config;
    size_t S = pass->S;
    double divisor = 1;
    if (config->scale_attn) divisor *= sqrt((double)pass->K);
    if (config->scale_attn_by_layer) divisor *= (double)(layer + 1);
    for (size_t h = 0; h < pass->H; h++)
        for (size_t dest = 0; dest < S; dest++)
            for (size_t src = 0; src < S; src++) {
                const double *q = pass->q + head_at(pass, dest, h);
                const double *k = pass->k + head_at(pass, src, h);
                double sum = 0;
                for (size_t i = 0; i < pass->K; i++)
                    sum += q[i] * k[i];
                pass->scores[(h * S + dest) * S + src] =
                    src > dest ? (double)-INFINITY : sum / divisor;
            }
}

static void mix(const struct pass *pass)
{
    size_t S = pass->S;
    for (size_t dest = 0; dest < S; dest++)
        for (size_t h = 0; h < pass->H; h++)
            for (size_t i = 0; i < pass->K; i++) {
                double sum = 0;
                for (size_t src = 0; src < S; src++)
                    sum += pass->scores[(h * S + dest) * S + src] *
                           pass->v[head_at(pass, src, h) + i];
                pass->z[head_at(pass, dest, h) + i] = sum;
            }
}

static void attend(const struct pass *pass, size_t l)
{
    const struct layer_weights *w = &pass->weights->layer[l];
    size_t S = pass->S, C = pass->C;
    linear(pass->q, pass->normalized, w->w_qkv, 3 * C, 0, w->b_qkv, S, C, C);
    linear(pass->k, pass->normalized, w->w_qkv, 3 * C, C, w->b_qkv, S, C, C);
    linear(pass->v, pass->normalized, w->w_qkv, 3 * C, 2 * C, w->b_qkv, S, C,
           C);
    visit(pass, HOOK_Q, l, pass->q);
    visit(pass, HOOK_K, l, pass->k);
    visit(pass, HOOK_V, l, pass->v);
    score(pass, l);
    visit(pass, HOOK_ATTN_SCORES, l, pass->scores);
    for (size_t row = 0; row < pass->H * S; row++)
        softmax(pass->scores + row * S, S);
    visit(pass, HOOK_PATTERN, l, pass->scores);
    mix(pass);
    visit(pass, HOOK_Z, l, pass->z);
    linear(pass->out, pass->z, w->w_o, C, 0, w->b_o, S, C, C);
    visit(pass, HOOK_ATTN_OUT, l, pass->out);
}

static void think(const struct pass *pass, size_t l)
{
    const struct layer_weights *w = &pass->weights->layer[l];
    size_t S = pass->S, C = pass->C, F = pass->F;
    linear(pass->mlp, pass->normalized, w->w_in, F, 0, w->b_in, S, F, C);
    visit(pass, HOOK_MLP_PRE, l, pass->mlp);
    for (size_t i = 0; i < S * F; i++)
        pass->mlp[i] = activate(pass->mlp[i], pass->weights->config.activation);
    visit(pass, HOOK_MLP_POST, l, pass->mlp);
    linear(pass->out, pass->mlp, w->w_out, C, 0, w->b_out, S, C, F);
    visit(pass, HOOK_MLP_OUT, l, pass->out);
}

static void add_out(const struct pass *pass)
{
    for (size_t i = 0; i < pass->S * pass->C; i++)
        pass->resid[i] += pass->out[i];
}

static void run_block(const struct pass *pass, size_t l)
{
    const struct layer_weights *w = &pass->weights->layer[l];
    visit(pass, HOOK_RESID_PRE, l, pass->resid);
    normalize(pass, w->ln1_gain, w->ln1_bias, HOOK_LN1_SCALE, HOOK_LN1, l);
    attend(pass, l);
    add_out(pass);
    visit(pass, HOOK_RESID_MID, l, pass->resid);
    normalize(pass, w->ln2_gain, w->ln2_bias, HOOK_LN2_SCALE, HOOK_LN2, l);
    think(pass, l);
    add_out(pass);
    visit(pass, HOOK_RESID_POST, l, pass->resid);
}

static void embed(const struct pass *pass, const int *tokens)
{
    const struct weights *w = pass->weights;
    size_t C = pass->C;
    for (size_t s = 0; s < pass->S; s++)
        for (size_t c = 0; c < C; c++)
            pass->resid[s * C + c] = (double)w->wte[(size_t)tokens[s] * C + c];
    visit(pass, HOOK_EMBED, 0, pass->resid);
    for (size_t i = 0; i < pass->S * C; i++)
        pass->out[i] = (double)w->wpe[i];
    visit(pass, HOOK_POS_EMBED, 0, pass->out);
    add_out(pass);
}

static void unembed(const struct pass *pass, double *logits)
{
    const struct weights *w = pass->weights;
    size_t V = (size_t)w->config.n_vocab, C = pass->C;
    for (size_t s = 0; s < pass->S; s++)
        for (size_t t = 0; t < V; t++) {
            double sum = w->b_u ? (double)w->b_u[t] : 0;
            for (size_t c = 0; c < C; c++)
                sum += pass->normalized[s * C + c] * (double)w->w_u[t * C + c];
            logits[s * V + t] = sum;
        }
}

enum status oracle_run(const struct weights *weights, const int *tokens,
                       size_t S, const struct oracle_hook *hook, double *logits,
                       struct err *err)
{
    const struct model_config *config = &weights->config;
    struct pass pass = {.weights = weights,
                        .hook = hook,
                        .S = S,
                        .H = (size_t)config->n_head,
                        .C = (size_t)config->d_model,
                        .K = (size_t)config->d_head,
                        .F = (size_t)config->d_mlp};
    double **const arrays[] = {
        &pass.resid, &pass.normalized, &pass.scale, &pass.q,      &pass.k,
        &pass.v,     &pass.z,          &pass.out,   &pass.scores, &pass.mlp};
    size_t n_arrays = sizeof arrays / sizeof *arrays;
    for (size_t i = 0; i < n_arrays; i++) {
        size_t width = arrays[i] == &pass.mlp      ? pass.F
                       : arrays[i] == &pass.scores ? pass.H * S
                                                   : pass.C;
        *arrays[i] = mem_calloc(S * width, sizeof(double), "the oracle", err);
        if (!*arrays[i]) goto out;
    }
    embed(&pass, tokens);
    for (size_t l = 0; l < (size_t)config->n_layer; l++)
        run_block(&pass, l);
    normalize(&pass, weights->lnf_gain, weights->lnf_bias, HOOK_LN_FINAL_SCALE,
              HOOK_LN_FINAL, 0);
    unembed(&pass, logits);
out:
    for (size_t i = 0; i < n_arrays; i++)
        free(*arrays[i]);
    return err->status;
}

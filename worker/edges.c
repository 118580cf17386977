/* edges.c - edge attribution patching: what each way from one component's
 * output to another's input does to the answer, to first order (EAP: Syed,
 * Rager and Conmy 2023; EAP-IG: Hanna, Pezzelle and Belinkov 2024).
 *
 * score(u, v) = sum over positions of (other run's output of u - this run's)
 *               . d(logits) / d(input of v), in this run */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/backward.h"
#include "common/model/kernels.h"
#include "worker/analyse_parts.h"

struct edges {
    struct look *look;
    const struct weights *weights;
    size_t S, SC;
    float *change;    /* (senders, S, C) the other run's outputs - this one's */
    float *d_norm;    /* (S, C) */
    float *d_input;   /* (S, C) */
    float *d_final;   /* (S, C) */
    float *scores;    /* (senders) of one receiver */
    float *embedding; /* (S, C) of a step between the runs */
    float sign;       /* of the pass under way */
    int direction;
    double weight; /* of the gradient under way */
};

size_t edges_floats(const struct shape *shape,
                    const struct model_config *config)
{
    size_t S = shape->extent[DIM_SRC];
    return (shape->extent[DIM_SENDER] + 4) * S * (size_t)config->d_model +
           shape->extent[DIM_SENDER] +
           backward_bytes(config, S) / sizeof(float);
}

/* Add what a run's components write, times sign. */
static enum status add_outputs(void *user, const struct hook_view *view,
                               struct err *err)
{
    struct edges *e = user;
    const struct model_config *config = &e->weights->config;
    size_t C = (size_t)config->d_model, K = (size_t)config->d_head;
    (void)err;
    if (view->hook == HOOK_Z) {
        const float *w_o = e->weights->layer[view->layer].w_o;
        for (int h = 0; h < config->n_head; h++)
            kernels_matmul(e->change +
                               shape_sender(config, view->layer, h) * e->SC,
                           C, view->data + (size_t)h * K, C,
                           w_o + (size_t)h * K * C, C, e->S, C, K, e->sign, 1);
        return STATUS_OK;
    }
    int layer = view->hook == HOOK_MLP_OUT ? view->layer : -1;
    if (layer < 0 && (view->hook != HOOK_RESID_PRE || view->layer > 0))
        return STATUS_OK;
    float *to = e->change + shape_sender(config, layer, -1) * e->SC;
    for (size_t i = 0; i < e->SC; i++)
        to[i] += e->sign * view->data[i];
    return STATUS_OK;
}

/* d_input holds the gradient of a receiver's input: score all that reach it. */
static void score(struct edges *e, const struct receiver *receiver)
{
    const struct model_config *config = &e->weights->config;
    const struct shape *shape = e->look->shape;
    size_t n = shape_reach(config, receiver);
    float *out = look_array(e->look, e->direction == TO_DIFF ? EDGES_LOGIT_DIFF
                                                             : EDGES_LOGIT) +
                 shape_receiver(config, receiver);
    kernels_matmul_transposed(e->scores, n, e->d_input, e->SC, e->change, e->SC,
                              1, n, e->SC, 1, 0);
    for (size_t u = 0; u < n; u++)
        out[u * shape->extent[DIM_RECEIVER]] +=
            (float)(e->weight * (double)e->scores[u]);
}

struct way_back {
    struct edges *edges;
    const struct backward *backward;
};

static void score_heads(const struct way_back *way,
                        const struct hook_view *view, enum receiver_kind kind)
{
    struct edges *e = way->edges;
    const struct model_config *config = &e->weights->config;
    size_t C = (size_t)config->d_model, K = (size_t)config->d_head;
    const float *w = e->weights->layer[view->layer].w_qkv + (size_t)kind * C;
    for (int h = 0; h < config->n_head; h++) {
        kernels_matmul_transposed(e->d_norm, C, view->data + (size_t)h * K, C,
                                  w + (size_t)h * K, 3 * C, e->S, C, K, 1, 0);
        backward_through_layernorm(way->backward, view->layer, false,
                                   e->d_input, e->d_norm);
        score(e, &(struct receiver){kind, view->layer, h});
    }
}

static enum status see_gradient(void *user, const struct hook_view *view,
                                struct err *err)
{
    const struct way_back *way = user;
    struct edges *e = way->edges;
    const struct model_config *config = &e->weights->config;
    size_t C = (size_t)config->d_model, F = (size_t)config->d_mlp;
    (void)err;
    switch (view->hook) {
    case HOOK_RESID_POST:
        if (view->layer + 1 < config->n_layer) break;
        memcpy(e->d_input, view->data, e->SC * sizeof *e->d_input);
        score(e, &(struct receiver){RECEIVER_LOGITS, config->n_layer, 0});
        break;
    case HOOK_MLP_PRE:
        kernels_matmul_transposed(e->d_norm, C, view->data, F,
                                  e->weights->layer[view->layer].w_in, F, e->S,
                                  C, F, 1, 0);
        backward_through_layernorm(way->backward, view->layer, true, e->d_input,
                                   e->d_norm);
        score(e, &(struct receiver){RECEIVER_MLP, view->layer, 0});
        break;
    case HOOK_Q:
        score_heads(way, view, RECEIVER_Q);
        break;
    case HOOK_K:
        score_heads(way, view, RECEIVER_K);
        break;
    case HOOK_V:
        score_heads(way, view, RECEIVER_V);
        break;
    default:
        break;
    }
    return STATUS_OK;
}

/* row += weight x the mean unembedding of the tokens. */
static void add_unembedding(const struct edges *e, float *row,
                            struct token_set tokens, double weight)
{
    size_t C = (size_t)e->weights->config.d_model;
    for (int i = 0; i < tokens.n; i++) {
        const float *from = e->weights->w_u + (size_t)tokens.ids[i] * C;
        for (size_t c = 0; c < C; c++)
            row[c] += (float)(weight / tokens.n * (double)from[c]);
    }
}

/* The logit or logit difference at the read positions, their mean; where an
 * answer_sequence follows, at the end. */
static void begin_way_back(struct edges *e)
{
    const struct look *look = e->look;
    const struct positions *read = &look->pair->read[look->run];
    size_t C = (size_t)e->weights->config.d_model;
    int end = (int)e->S - 1, n = look->pair->n_sequence ? 1 : read->n;
    memset(e->d_final, 0, e->SC * sizeof *e->d_final);
    for (int i = 0; i < n; i++) {
        int at = look->pair->n_sequence ? end : read->at[i];
        float *row = e->d_final + (size_t)at * C;
        add_unembedding(e, row, look->answer, 1.0 / n);
        if (e->direction == TO_DIFF)
            add_unembedding(e, row, look->wrong, -1.0 / n);
    }
}

static void put_embedding(void *user, const struct hook_view *view, float *data)
{
    const struct edges *e = user;
    if (view->hook == HOOK_EMBED)
        memcpy(data, e->embedding, e->SC * sizeof *data);
}

/* One way there and back; step -1: of the run itself, else that many steps of
 * all from the other run's embeddings to this one's. */
static enum status run_step(struct edges *e, int step, struct err *err)
{
    const struct look *look = e->look;
    int steps = look->shape->analysis->steps;
    const int *own = look->pair->run[look->run].tokens;
    const int *other = look->pair->run[RUN_CORRUPTED - look->run].tokens;
    size_t C = (size_t)e->weights->config.d_model;
    struct backward *backward;
    for (size_t i = 0; step >= 0 && i < e->SC; i++) {
        double from = (double)e->weights->wte[(size_t)other[i / C] * C + i % C];
        double to = (double)e->weights->wte[(size_t)own[i / C] * C + i % C];
        e->embedding[i] = (float)(from + (to - from) * step / steps);
    }
    if (backward_open_edited(&backward, e->weights, own, e->S,
                             step < 0 ? NULL : put_embedding, e, err))
        return err->status;
    struct way_back way = {e, backward};
    const struct forward_observer observer = {.see = see_gradient,
                                              .user = &way};
    e->weight = step < 0 ? 1 : 1.0 / steps;
    for (e->direction = 0; e->direction < DIRECTION_COUNT; e->direction++) {
        bool has =
            look->answer.n && (e->direction == TO_LOGIT || look->wrong.n);
        if (!has) continue;
        begin_way_back(e);
        if (backward_run(backward, e->d_final, &observer, err)) break;
    }
    backward_close(backward);
    return err->status;
}

/* Zero where there is an edge and an answer; else the NaN that is there. */
static void clear_scores(const struct edges *e)
{
    const struct look *look = e->look;
    const struct model_config *config = &e->weights->config;
    const struct shape *shape = look->shape;
    size_t n_receivers = shape->extent[DIM_RECEIVER];
    for (int direction = 0; direction < DIRECTION_COUNT; direction++) {
        bool is_diff = direction == TO_DIFF;
        float *out = look_array(look, is_diff ? EDGES_LOGIT_DIFF : EDGES_LOGIT);
        if (!look->answer.n || (is_diff && !look->wrong.n)) continue;
        for (int l = 0; l <= config->n_layer; l++)
            for (int kind = 0; kind <= RECEIVER_LOGITS; kind++) {
                bool is_head = kind <= RECEIVER_V;
                if ((kind == RECEIVER_LOGITS) != (l == config->n_layer))
                    continue;
                for (int h = 0; h < (is_head ? config->n_head : 1); h++) {
                    const struct receiver receiver = {(enum receiver_kind)kind,
                                                      l, h};
                    size_t v = shape_receiver(config, &receiver);
                    for (size_t u = 0; u < shape_reach(config, &receiver); u++)
                        out[u * n_receivers + v] = 0;
                }
            }
    }
}

enum status look_edges(struct look *look, struct err *err)
{
    const struct analyser *a = look->a;
    const struct prompt *own = &look->pair->run[look->run];
    const struct prompt *other = &look->pair->run[RUN_CORRUPTED - look->run];
    size_t senders = look->shape->extent[DIM_SENDER];
    const char *what = "edge attribution";
    if (own->n_prompt != other->n_prompt) return STATUS_OK; /* no such pair */
    struct edges e = {
        .look = look, .weights = a->weights, .S = (size_t)own->n_prompt};
    e.SC = e.S * (size_t)a->weights->config.d_model;
    e.change = mem_calloc_aligned(senders * e.SC, sizeof *e.change, what, err);
    e.d_norm = mem_calloc(e.SC, sizeof *e.d_norm, what, err);
    e.d_input = mem_calloc(e.SC, sizeof *e.d_input, what, err);
    e.d_final = mem_calloc(e.SC, sizeof *e.d_final, what, err);
    e.embedding = mem_calloc(e.SC, sizeof *e.embedding, what, err);
    e.scores = mem_calloc(senders, sizeof *e.scores, what, err);
    if (err->status) goto out;
    memset(e.change, 0, senders * e.SC * sizeof *e.change);
    const struct forward_observer observer = {.see = add_outputs, .user = &e};
    e.sign = 1;
    if (forward_run(a->weights, other->tokens, e.S, &observer, NULL, err))
        goto out;
    e.sign = -1;
    if (forward_run(a->weights, own->tokens, e.S, &observer, NULL, err))
        goto out;
    clear_scores(&e);
    int steps = look->shape->analysis->steps;
    for (int step = steps ? 0 : -1; step < steps && !err->status; step++)
        (void)(run_step(&e, step, err) == 0);
out:
    free(e.change);
    free(e.d_norm);
    free(e.d_input);
    free(e.d_final);
    free(e.embedding);
    free(e.scores);
    return err->status;
}

#include "worker/analyse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/forward.h"
#include "worker/analyse_parts.h"

/* Elements of the buffers, as large as any analysis of the plan needs. */
struct sizes {
    size_t stack, positions, projected, sums, lens_rows, keys, order, scores;
    size_t forward; /* floats of the largest forward pass */
};

static size_t most(size_t a, size_t b) { return a > b ? a : b; }

static size_t forward_floats(const struct model_config *config, size_t S)
{
    return S * (8 * (size_t)config->d_model + (size_t)config->d_mlp) +
           (size_t)config->n_head * S * S;
}

static void add_sizes(struct sizes *sizes, const struct shape *shape,
                      const struct model_config *config)
{
    size_t L = (size_t)config->n_layer, C = (size_t)config->d_model;
    size_t F = (size_t)config->d_mlp, P = shape->extent[DIM_POSITION];
    size_t slots = 0, width = C, columns = 0;
    switch (shape->analysis->kind) {
    case ANALYSIS_LOGIT_LENS:
        slots = shape->extent[DIM_STATE];
        sizes->lens_rows = LENS_ROWS;
        sizes->order = most(sizes->order, shape->extent[DIM_RANK]);
        break;
    case ANALYSIS_DECOMPOSE:
        slots = shape->extent[DIM_COMPONENT] - 1;
        break;
    case ANALYSIS_HEADS:
        slots = L;
        columns = C;
        break;
    case ANALYSIS_NEURONS:
        slots = L;
        width = columns = F;
        sizes->keys = L * F;
        sizes->sums = most(sizes->sums, shape->n_sums);
        sizes->order = most(sizes->order, shape->extent[DIM_RANK]);
        break;
    case ANALYSIS_EDGES:
        sizes->positions = most(sizes->positions, P);
        sizes->forward = most(sizes->forward, edges_floats(shape, config));
        return;
    case ANALYSIS_HEAD_SCORES:
        sizes->scores = shape->n_run;
        sizes->forward =
            most(sizes->forward,
                 forward_floats(config, 2 * (size_t)shape->analysis->length));
        return;
    case ANALYSIS_ATTENTION:
    case ANALYSIS_KIND_COUNT:
        break;
    }
    sizes->stack = most(sizes->stack, slots * P * width);
    sizes->positions = most(sizes->positions, P);
    sizes->projected = most(sizes->projected, L * columns * DIRECTION_COUNT);
    sizes->forward =
        most(sizes->forward, forward_floats(config, shape->extent[DIM_SRC]));
}

static struct sizes sizes_of(const struct plan *plan)
{
    struct sizes sizes = {0};
    for (int i = 0; i < plan->job->n_analyses; i++) {
        struct shape shape;
        shape_open(&shape, plan, i, shape_longest(plan));
        add_sizes(&sizes, &shape, plan->config);
    }
    return sizes;
}

size_t analyser_bytes(const struct plan *plan)
{
    struct sizes sizes = sizes_of(plan);
    size_t C = (size_t)plan->config->d_model;
    size_t V = (size_t)plan->config->n_vocab;
    return (sizes.stack + sizes.positions * (C + 1) +
            sizes.lens_rows * (C + V) + sizes.keys + DIRECTION_COUNT * C +
            sizes.forward) *
               sizeof(float) +
           (sizes.positions + sizes.order) * sizeof(int) +
           (sizes.projected + sizes.sums + sizes.scores) * sizeof(double);
}

struct analyser *analyser_open(const struct plan *plan,
                               const struct weights *weights, struct err *err)
{
    const char *what = "the analyses";
    struct analyser *a = mem_calloc(1, sizeof *a, what, err);
    if (!a) return NULL;
    a->plan = plan;
    a->weights = weights;
    if (plan->job->n_analyses == 0) return a;
    struct sizes sizes = sizes_of(plan);
    size_t C = (size_t)plan->config->d_model;
    size_t V = (size_t)plan->config->n_vocab;
    a->stack = mem_calloc_aligned(sizes.stack, sizeof *a->stack, what, err);
    a->scale = mem_calloc(sizes.positions, sizeof *a->scale, what, err);
    a->final = mem_calloc(sizes.positions * C, sizeof *a->final, what, err);
    a->at = mem_calloc(sizes.positions, sizeof *a->at, what, err);
    for (int d = 0; d < DIRECTION_COUNT; d++)
        a->direction[d] = mem_calloc(C, sizeof **a->direction, what, err);
    a->projected = mem_calloc(sizes.projected, sizeof *a->projected, what, err);
    a->sums = mem_calloc(sizes.sums, sizeof *a->sums, what, err);
    a->states =
        mem_calloc_aligned(sizes.lens_rows * C, sizeof *a->states, what, err);
    a->logits =
        mem_calloc_aligned(sizes.lens_rows * V, sizeof *a->logits, what, err);
    a->keys = mem_calloc(sizes.keys, sizeof *a->keys, what, err);
    a->order = mem_calloc(sizes.order, sizeof *a->order, what, err);
    a->scores = mem_calloc(sizes.scores, sizeof *a->scores, what, err);
    if (!err->status) return a;
    analyser_close(a);
    return NULL;
}

void analyser_close(struct analyser *a)
{
    if (!a) return;
    free(a->stack);
    free(a->scale);
    free(a->final);
    free(a->at);
    for (int d = 0; d < DIRECTION_COUNT; d++)
        free(a->direction[d]);
    free(a->projected);
    free(a->sums);
    free(a->states);
    free(a->logits);
    free(a->keys);
    free(a->order);
    free(a->scores);
    free(a);
}

bool analyser_needs_runs(const struct plan *plan, const struct unit *unit)
{
    if (unit->block == PLAN_NO_BLOCK) return false;
    const struct block *block = &plan->blocks[unit->block];
    if (plan->job->require.clean != REQUIRE_NOTHING ||
        plan->job->require.has_margin)
        return true;
    for (int i = 0; i < block->n; i++)
        if (plan->pairs->items[block->pairs[i]].is_predicted) return true;
    return false;
}

/* Which rows of the stack a hook of the pass is; -1: none. */
static int slot_of(const struct look *look, const struct hook_view *view)
{
    const struct analysis *analysis = look->shape->analysis;
    int l = view->layer, L = look->a->weights->config.n_layer;
    switch (analysis->kind) {
    case ANALYSIS_LOGIT_LENS:
        if (view->hook == HOOK_RESID_PRE) return analysis->has_mid ? 2 * l : l;
        if (view->hook == HOOK_RESID_MID && analysis->has_mid) return 2 * l + 1;
        if (view->hook == HOOK_RESID_POST && l == L - 1)
            return analysis->has_mid ? 2 * L : L;
        return -1;
    case ANALYSIS_DECOMPOSE:
        if (view->hook == HOOK_EMBED) return 0;
        if (view->hook == HOOK_POS_EMBED) return 1;
        if (view->hook == HOOK_ATTN_OUT) return 2 * l + 2;
        return view->hook == HOOK_MLP_OUT ? 2 * l + 3 : -1;
    case ANALYSIS_HEADS:
        return view->hook == HOOK_Z ? l : -1;
    case ANALYSIS_NEURONS:
        return view->hook == HOOK_MLP_POST ? l : -1;
    case ANALYSIS_ATTENTION:
    case ANALYSIS_EDGES:
    case ANALYSIS_HEAD_SCORES:
    case ANALYSIS_KIND_COUNT:
        break;
    }
    return -1;
}

/* Rows of a view (.., width) at the analysis' positions. */
static void copy_rows(const struct look *look, float *out, const float *data,
                      size_t width)
{
    for (size_t i = 0; i < look->P; i++)
        if (look->a->at[i] >= 0)
            memcpy(out + i * width, data + (size_t)look->a->at[i] * width,
                   width * sizeof(float));
}

/* The cells that are heads of the view's layer. */
static void copy_patterns(const struct look *look, const struct hook_view *view)
{
    const struct shape *shape = look->shape;
    size_t S = view->dims[1], src = shape->extent[DIM_SRC];
    for (size_t cell = 0; cell < shape->extent[DIM_CELL]; cell++) {
        int layer, head;
        shape_cell(shape, (int)cell, &layer, &head);
        if (layer != view->layer) continue;
        for (size_t i = 0; i < look->P; i++) {
            if (look->a->at[i] < 0) continue;
            size_t row = (size_t)head * S + (size_t)look->a->at[i];
            memcpy(look_array(look, ATTENTION_PATTERN) +
                       (cell * look->P + i) * src,
                   view->data + row * S, S * sizeof(float));
        }
    }
}

static enum status see(void *user, const struct hook_view *view,
                       struct err *err)
{
    const struct look *look = user;
    struct analyser *a = look->a;
    (void)err;
    size_t width = view->dims[1] * (view->n_dims == 3 ? view->dims[2] : 1);
    int slot = slot_of(look, view);
    if (slot >= 0)
        copy_rows(look, a->stack + (size_t)slot * look->P * width, view->data,
                  width);
    if (view->hook == HOOK_LN_FINAL_SCALE)
        copy_rows(look, a->scale, view->data, 1);
    if (view->hook == HOOK_LN_FINAL)
        copy_rows(look, a->final, view->data, width);
    if (view->hook == HOOK_PATTERN &&
        look->shape->analysis->kind == ANALYSIS_ATTENTION)
        copy_patterns(look, view);
    return STATUS_OK;
}

static enum status check_finite(const struct look *look, struct err *err)
{
    bool is_finite = true;
    for (size_t i = 0; i < look->P; i++)
        if (look->a->at[i] >= 0 && !isfinite(look->a->scale[i]))
            is_finite = false;
    for (size_t i = 0; i < look->shape->n_run; i++)
        if (isinf(look->out[i])) is_finite = false;
    if (is_finite) return STATUS_OK;
    return err_set(err, STATUS_NUMERIC,
                   "analysis %s: pair %s: %s run: values that are not finite",
                   look->shape->analysis->name, look->pair->id,
                   run_name(look->run));
}

/* One run of one pair; its values are NaN to begin with. */
static enum status run_pair(struct look *look, struct err *err)
{
    struct analyser *a = look->a;
    const struct analysis *analysis = look->shape->analysis;
    const struct prompt *prompt = &look->pair->run[look->run];
    bool is_any = false;
    for (size_t i = 0; i < look->P; i++) {
        a->at[i] = shape_position(analysis, look->pair, look->run, (int)i);
        if (a->at[i] >= 0) is_any = true;
    }
    if (!is_any) return STATUS_OK;
    if (analysis->kind == ANALYSIS_EDGES) {
        if (look_edges(look, err)) return err->status;
        return check_finite(look, err);
    }
    const struct forward_observer observer = {.see = see, .user = look};
    if (forward_run(a->weights, prompt->tokens, (size_t)prompt->n_prompt,
                    &observer, NULL, err))
        return err_context(err, "analysis %s: pair %s", analysis->name,
                           look->pair->id);
    look_prepare(look);
    switch (analysis->kind) {
    case ANALYSIS_LOGIT_LENS:
        look_lens(look);
        break;
    case ANALYSIS_DECOMPOSE:
        look_decompose(look);
        break;
    case ANALYSIS_HEADS:
        look_heads(look);
        break;
    case ANALYSIS_NEURONS:
        look_neurons(look);
        break;
    case ANALYSIS_ATTENTION: /* see() wrote it */
    case ANALYSIS_EDGES:
    case ANALYSIS_HEAD_SCORES:
    case ANALYSIS_KIND_COUNT:
        break;
    }
    return check_finite(look, err);
}

enum status analyser_run(struct analyser *a, const struct unit *unit,
                         const struct block_runs *runs, float *values,
                         struct err *err)
{
    struct shape shape;
    shape_open_block(&shape, a->plan, unit->item, unit->block);
    if (unit->block == PLAN_NO_BLOCK)
        return head_scores_run(a, &shape, values, err);
    const struct block *block = &a->plan->blocks[unit->block];
    size_t n_runs = (size_t)shape.n_runs;
    float *sums = values + (size_t)block->n * n_runs * shape.n_run;
    for (size_t i = 0; i < (size_t)block->n * n_runs * shape.n_run; i++)
        values[i] = NAN;
    for (size_t r = 0; r < n_runs; r++) {
        if (shape.n_sums) memset(a->sums, 0, shape.n_sums * sizeof *a->sums);
        for (int p = 0; p < block->n; p++) {
            const struct pair *pair = &a->plan->pairs->items[block->pairs[p]];
            int end = pair->run[RUN_CLEAN].n_prompt - 1;
            if (runs && runs->pairs[p].is_excluded) continue;
            struct look look = {
                .a = a,
                .shape = &shape,
                .pair = pair,
                .run = shape.runs[r],
                .P = shape.extent[DIM_POSITION],
                .answer = measure_answer(
                    pair, RUN_CLEAN, runs ? &runs->pairs[p].predicted : NULL,
                    end),
                .wrong = {pair->wrong, pair->n_wrong},
                .out = values + ((size_t)p * n_runs + r) * shape.n_run};
            if (run_pair(&look, err)) return err->status;
        }
        for (size_t i = 0; i < shape.n_sums; i++)
            sums[r * shape.n_sums + i] = (float)a->sums[i];
    }
    return STATUS_OK;
}

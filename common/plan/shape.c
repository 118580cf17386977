#include "common/plan/shape.h"

#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"

const struct shape_array_info shape_arrays[SHAPE_ARRAY_COUNT] = {
#define ARRAY_ROW(code, kind, name, dims, flags, long_name)                    \
    [code] = {kind, name, dims, long_name, flags},
    SHAPE_ARRAYS(ARRAY_ROW)
#undef ARRAY_ROW
};

static const char *const dim_names[SHAPE_DIM_COUNT] = {
#define DIM_ROW(code, name) [code] = name,
    SHAPE_DIMS(DIM_ROW)
#undef DIM_ROW
};

const char *shape_dim_name(enum shape_dim dim) { return dim_names[dim]; }

int shape_array_dims(enum shape_array array,
                     enum shape_dim out[SHAPE_MOST_DIMS])
{
    int n = 0;
    for (const char *at = shape_arrays[array].dims; *at;) {
        size_t length = strcspn(at, " ");
        for (int dim = 0; dim < SHAPE_DIM_COUNT; dim++)
            if (strlen(dim_names[dim]) == length &&
                strncmp(dim_names[dim], at, length) == 0)
                out[n++] = (enum shape_dim)dim;
        at += length + (at[length] == ' ');
    }
    return n;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static void set_extents(struct shape *out, const struct model_config *config,
                        int longest)
{
    const struct analysis *analysis = out->analysis;
    size_t L = (size_t)config->n_layer, H = (size_t)config->n_head;
    size_t S = (size_t)longest, top = (size_t)analysis->top;
    size_t positions =
        analysis->positions.is_given ? (size_t)analysis->positions.n : S;
    size_t heads = analysis->heads.is_given ? (size_t)analysis->heads.n : H;
    size_t layers = analysis->layers.is_given ? (size_t)analysis->layers.n : L;
    bool is_lens = analysis->kind == ANALYSIS_LOGIT_LENS;
    out->extent[DIM_STATE] = analysis->has_mid ? 2 * L + 1 : L + 1;
    out->extent[DIM_COMPONENT] = 2 * L + 3;
    out->extent[DIM_LAYER] = L;
    out->extent[DIM_HEAD] = H;
    out->extent[DIM_CELL] =
        analysis->n_tuples ? (size_t)analysis->n_tuples : layers * heads;
    out->extent[DIM_DEST] = positions;
    out->extent[DIM_SRC] = S;
    out->extent[DIM_POSITION] = positions;
    out->extent[DIM_RANK] = least(top, is_lens ? (size_t)config->n_vocab
                                               : L * (size_t)config->d_mlp);
    out->extent[DIM_SENDER] = 1 + L * (H + 1);
    out->extent[DIM_RECEIVER] = L * (3 * H + 1) + 1;
    if (analysis->kind == ANALYSIS_NEURONS)
        out->n_sums = positions * L * (size_t)config->d_mlp;
}

void shape_open(struct shape *out, const struct plan *plan, int item,
                int longest)
{
    const struct analysis *analysis = &plan->job->analyses[item];
    *out = (struct shape){.analysis = analysis};
    for (int run = 0; run < RUN_COUNT; run++)
        if (analysis->has_run[run]) out->runs[out->n_runs++] = (enum run)run;
    set_extents(out, plan->config, longest);
    bool is_any = false;
    for (int i = 0; i < SHAPE_ARRAY_COUNT; i++) {
        enum shape_dim dims[SHAPE_MOST_DIMS];
        if (shape_arrays[i].kind != analysis->kind) continue;
        if (!is_any) out->first = i;
        is_any = true;
        out->end = i + 1;
        out->at[i] = out->n_run;
        out->n_of[i] = 1;
        for (int k = shape_array_dims((enum shape_array)i, dims); k-- > 0;)
            out->n_of[i] *= out->extent[dims[k]];
        out->n_run += out->n_of[i];
    }
}

/* head -1: the layer's MLP; layer -1: input. */
size_t shape_sender(const struct model_config *config, int layer, int head)
{
    size_t H = (size_t)config->n_head;
    if (layer < 0) return 0;
    return 1 + (size_t)layer * (H + 1) + (head < 0 ? H : (size_t)head);
}

size_t shape_receiver(const struct model_config *config,
                      const struct receiver *receiver)
{
    size_t H = (size_t)config->n_head;
    size_t first = (size_t)receiver->layer * (3 * H + 1);
    if (receiver->kind == RECEIVER_LOGITS) return first;
    if (receiver->kind == RECEIVER_MLP) return first + 3 * H;
    return first + (size_t)receiver->kind * H + (size_t)receiver->head;
}

size_t shape_reach(const struct model_config *config,
                   const struct receiver *receiver)
{
    size_t H = (size_t)config->n_head;
    size_t before = 1 + (size_t)receiver->layer * (H + 1);
    return receiver->kind == RECEIVER_MLP ? before + H : before;
}

void shape_sender_name(char *text, size_t size,
                       const struct model_config *config, size_t sender)
{
    size_t n = (size_t)config->n_head + 1;
    if (sender == 0)
        snprintf(text, size, "input");
    else if (sender % n == 0)
        snprintf(text, size, "L%zu MLP", (sender - 1) / n);
    else
        snprintf(text, size, "L%zuH%zu", (sender - 1) / n, (sender - 1) % n);
}

void shape_receiver_name(char *text, size_t size,
                         const struct model_config *config, size_t receiver)
{
    size_t H = (size_t)config->n_head, n = 3 * H + 1;
    size_t layer = receiver / n, at = receiver % n;
    if (layer == (size_t)config->n_layer)
        snprintf(text, size, "logits");
    else if (at == 3 * H)
        snprintf(text, size, "L%zu MLP", layer);
    else
        snprintf(text, size, "L%zuH%zu %c", layer, at % H, "qkv"[at / H]);
}

int shape_longest(const struct plan *plan)
{
    int longest = 0;
    for (int i = 0; i < plan->pairs->n; i++)
        for (int run = 0; run < RUN_COUNT; run++)
            if (plan->pairs->items[i].run[run].n_prompt > longest)
                longest = plan->pairs->items[i].run[run].n_prompt;
    return longest;
}

void shape_open_block(struct shape *out, const struct plan *plan, int item,
                      int block)
{
    shape_open(out, plan, item,
               block == PLAN_NO_BLOCK ? 0 : plan->blocks[block].longest_prompt);
}

size_t shape_unit_values(const struct shape *shape, int n_pairs)
{
    if (shape->n_runs == 0) return shape->n_run;
    return (size_t)shape->n_runs *
           ((size_t)n_pairs * shape->n_run + shape->n_sums);
}

size_t shape_plan_values(const struct plan *plan, int item)
{
    size_t n = 0;
    for (int i = 0; i < plan->n_segments; i++) {
        const struct segment *segment = &plan->segments[i];
        struct shape shape;
        if (segment->kind != UNIT_ANALYSIS || segment->item != item ||
            segment->is_dropped)
            continue;
        bool has_block = segment->block != PLAN_NO_BLOCK;
        shape_open_block(&shape, plan, item, segment->block);
        n += shape_unit_values(&shape,
                               has_block ? plan->blocks[segment->block].n : 0);
    }
    return n;
}

int shape_position(const struct analysis *analysis, const struct pair *pair,
                   enum run run, int i)
{
    int n = pair->run[run].n_prompt;
    if (n == 0) return -1;
    if (!analysis->positions.is_given) return i < n ? i : -1;
    const struct place *place = &analysis->positions.items[i];
    if (place->label) {
        const struct label *label = pair_label(pair, place->label);
        if (!label || label->run[run].n != 1) return -1;
        return label->run[run].at[0] < n ? label->run[run].at[0] : -1;
    }
    int at = place->index < 0 ? place->index + n : place->index;
    return at >= 0 && at < n ? at : -1;
}

void shape_cell(const struct shape *shape, int i, int *layer, int *head)
{
    const struct analysis *analysis = shape->analysis;
    if (analysis->n_tuples) {
        *layer = analysis->tuples[i].layer;
        *head = analysis->tuples[i].head;
        return;
    }
    int n = analysis->heads.is_given ? analysis->heads.n
                                     : (int)shape->extent[DIM_HEAD];
    *layer = i / n;
    *head = i % n;
    if (analysis->layers.is_given) *layer = analysis->layers.values[*layer];
    if (analysis->heads.is_given) *head = analysis->heads.values[*head];
}

enum status shape_check(const struct plan *plan, int item, struct err *err)
{
    const double most_bytes = 256.0 * (1 << 20);
    const struct analysis *analysis = &plan->job->analyses[item];
    int longest = shape_longest(plan);
    struct shape shape;
    shape_open(&shape, plan, item, longest);
    /* As shape_unit_values, where the products may be too large for it. */
    double values = 0;
    for (int i = shape.first; i < shape.end; i++) {
        enum shape_dim dims[SHAPE_MOST_DIMS];
        double n = shape.n_runs ? shape.n_runs * PLAN_BLOCK_PAIRS : 1;
        for (int k = shape_array_dims((enum shape_array)i, dims); k-- > 0;)
            n *= (double)shape.extent[dims[k]];
        values += n;
    }
    if (shape.n_sums)
        values += (double)shape.n_runs * (double)shape.extent[DIM_POSITION] *
                  plan->config->n_layer * plan->config->d_mlp;
    if (values * sizeof(float) <= most_bytes) return STATUS_OK;
    return err_set(err, STATUS_INPUT,
                   "analysis %s: %d pairs of up to %d tokens give %.0f MiB, "
                   "more than the %.0f MiB of a unit: choose fewer positions, "
                   "layers or heads",
                   analysis->name, PLAN_BLOCK_PAIRS, longest,
                   values * sizeof(float) / (1 << 20), most_bytes / (1 << 20));
}

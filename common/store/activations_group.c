/* activations_group.c - a group of activations.h5: its pairs, and its
 * dimensions, each with its own coordinates. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/store/activations_private.h"

/* Texts of tokens beside positions: not for more than this. */
enum { MOST_TOKEN_TEXTS = 1 << 20 };

static void append(char *list, size_t size, const char *name)
{
    size_t n = strlen(list);
    snprintf(list + n, size - n, "%s%s", n ? " " : "", name);
}

static void make_variable(struct kept_group *group, const char *name,
                          enum h5_type type, const char *dims,
                          const char *long_name, const void *data)
{
    const struct h5_spec spec = {.name = name,
                                 .type = type,
                                 .dims = dims,
                                 .long_name = long_name,
                                 .units = "1"};
    if (!results_is_failed(group->results))
        h5_make_variable(group->results->h5, group->path, &spec, data);
}

/* A dimension of these values (text: strings; NULL: no coordinate), made
 * unless the group has it; another one of that name becomes NAME_2. The name,
 * or NULL on failure. */
static const char *use_dim(struct kept_group *group, const char *base,
                           bool is_axis, enum h5_type type, size_t n,
                           const void *values, const char *long_name,
                           bool *is_new)
{
    struct results *results = group->results;
    struct buf bytes = {0};
    int alike = 1;
    *is_new = false;
    buf_u64(&bytes, n);
    for (size_t i = 0; values && type == H5_TYPE_TEXT && i < n; i++)
        buf_text(&bytes, ((char *const *)values)[i]);
    if (values && type != H5_TYPE_TEXT) buf_bytes(&bytes, values, 4 * n);
    if (results_is_failed(results) ||
        buf_check(&bytes, "a dimension", results->err))
        goto failed;
    for (size_t i = 0; i < group->n_dims; i++) {
        struct kept_dim *dim = &group->dims[i];
        if (strcmp(dim->base, base) != 0) continue;
        alike++;
        if (dim->is_axis != is_axis || dim->values.n != bytes.n ||
            memcmp(dim->values.data, bytes.data, bytes.n) != 0)
            continue;
        buf_free(&bytes);
        return dim->name;
    }
    if (mem_grow(&group->dims, &group->dim_capacity, group->n_dims + 1,
                 sizeof *group->dims, "dimensions", results->err))
        goto failed;
    struct kept_dim *dim = &group->dims[group->n_dims++];
    *dim = (struct kept_dim){.is_axis = is_axis, .values = bytes};
    snprintf(dim->base, sizeof dim->base, "%s", base);
    snprintf(dim->name, sizeof dim->name, "%.200s", base);
    if (alike > 1)
        snprintf(dim->name, sizeof dim->name, "%.200s_%d", base, alike);
    h5_make_dimension(results->h5, group->path, dim->name, n, type, values,
                      long_name, "1");
    *is_new = true;
    return dim->name;
failed:
    buf_free(&bytes);
    return NULL;
}

/* Dimension 0 .. n-1, or without a coordinate. */
static const char *use_numbers(struct kept_group *group, const char *base,
                               size_t n, bool has_values, const char *long_name)
{
    bool is_new;
    int32_t *numbers =
        mem_calloc(n, sizeof *numbers, base, group->results->err);
    for (size_t i = 0; numbers && i < n; i++)
        numbers[i] = (int32_t)i;
    const char *name =
        numbers ? use_dim(group, base, false, H5_TYPE_I32, n,
                          has_values ? numbers : NULL, long_name, &is_new)
                : NULL;
    free(numbers);
    return name;
}

/* "token_strings", or of another dimension than position
 * "token_strings_DIM". */
static void name_tokens(char name[H5_NAME_BYTES], const char *dim)
{
    bool is_first = strcmp(dim, "position") == 0;
    snprintf(name, H5_NAME_BYTES, "token_strings%s%.200s", is_first ? "" : "_",
             is_first ? "" : dim);
}

static bool has_tokens(const struct kept_group *group,
                       const struct kept_array *array)
{
    return (size_t)group->n_rows * (size_t)array->n_rows <= MOST_TOKEN_TEXTS;
}

/* The token strings along a new dimension of kept rows. */
static void make_tokens(struct kept_group *group,
                        const struct kept_array *array, const char *dim)
{
    struct results *results = group->results;
    const struct plan *plan = results->plan;
    size_t n_rows = (size_t)array->n_rows;
    size_t n = (size_t)group->n_rows * n_rows;
    char name[H5_NAME_BYTES], dims[2 * H5_NAME_BYTES];
    name_tokens(name, dim);
    snprintf(dims, sizeof dims, "pair %s", dim);
    char **texts = mem_calloc(n, sizeof *texts, "token strings", results->err);
    struct keep_row *rows =
        mem_calloc(n_rows, sizeof *rows, "token strings", results->err);
    for (int r = 0; texts && rows && r < group->n_rows; r++) {
        const struct pair *pair = &plan->pairs->items[group->pairs[r]];
        int n_kept = keep_rows(array->keep, pair, group->run, rows);
        for (int k = 0; k < n_kept && !results->err->status; k++) {
            size_t row =
                (size_t)(array->place_row[rows[k].place] + rows[k].item);
            texts[(size_t)r * n_rows + row] = results_token_text(
                results, pair->run[group->run].tokens[rows[k].at]);
        }
    }
    for (size_t i = 0; texts && i < n && !results->err->status; i++)
        if (!texts[i]) texts[i] = mem_strdup("", results->err);
    if (texts && rows)
        make_variable(group, name, H5_TYPE_TEXT, dims,
                      "tokens; bytes that are not UTF-8 as \\xNN", texts);
    for (size_t i = 0; texts && i < n; i++)
        free(texts[i]);
    free(texts);
    free(rows);
}

/* The dimension of the rows that are kept: numbers, or texts where one of them
 * counts from the end or is a label. Fills place_row. */
static const char *use_rows(struct kept_group *group, struct kept_array *array,
                            const char *base, const char *long_name)
{
    struct results *results = group->results;
    const struct places *places = &array->keep->entry->positions;
    size_t n_places = places->is_given ? (size_t)places->n : 0, n = 0;
    int *extent =
        mem_calloc(n_places, sizeof *extent, "positions", results->err);
    if (!extent) return NULL;
    array->n_rows =
        keep_extents(array->keep, results->plan->pairs, group->run, extent);
    size_t n_rows = (size_t)array->n_rows;
    size_t n_firsts = places->is_given ? n_places : n_rows;
    int32_t *numbers =
        mem_calloc(n_rows, sizeof *numbers, "positions", results->err);
    char **texts = mem_calloc(n_rows, sizeof *texts, "positions", results->err);
    array->place_row = mem_calloc(n_firsts, sizeof *array->place_row,
                                  "positions", results->err);
    const char *name = NULL;
    bool is_plain = true, is_new = false;
    if (results->err->status) goto out;
    for (size_t i = 0; i < n_firsts; i++) {
        const struct place *place = places->is_given ? &places->items[i] : NULL;
        int count = place ? extent[i] : 1;
        array->place_row[i] = (int)n;
        for (int k = 0; k < count; k++, n++) {
            struct buf text = {0};
            numbers[n] = place ? place->index : (int32_t)i;
            if (place && (place->label || place->index < 0)) is_plain = false;
            if (place && place->label)
                buf_printf(&text, count > 1 ? "%s[%d]" : "%s", place->label, k);
            else
                buf_printf(&text, "%d", (int)numbers[n]);
            texts[n] = buf_take_text(&text);
            if (!texts[n])
                (void)err_set(results->err, STATUS_MEMORY,
                              "no memory for positions");
        }
    }
    if (results->err->status) goto out;
    name = use_dim(group, base, false, is_plain ? H5_TYPE_I32 : H5_TYPE_TEXT,
                   n_rows, is_plain ? (const void *)numbers : texts, long_name,
                   &is_new);
    if (name && has_tokens(group, array)) {
        char tokens[H5_NAME_BYTES];
        if (is_new) make_tokens(group, array, name);
        name_tokens(tokens, name);
        append(array->coordinates, sizeof array->coordinates, tokens);
    }
out:
    for (size_t i = 0; texts && i < n_rows; i++)
        free(texts[i]);
    free(texts);
    free(numbers);
    free(extent);
    return name;
}

static void add_dim(struct kept_array *array, const char *name, size_t n)
{
    if (!name) return;
    append(array->dims, sizeof array->dims, name);
    array->extent[array->n_dims++] = n;
}

/* The columns of a list sweep beside its kept cells. */
static void make_columns(struct kept_group *group, const struct keep *keep,
                         int at, const char *dim)
{
    const struct sweep *sweep = &group->results->plan->job->sweeps[keep->sweep];
    size_t n = (size_t)keep->n_chosen[at];
    int32_t *numbers =
        mem_calloc(n, sizeof *numbers, "cells", group->results->err);
    const char **texts =
        mem_calloc(n, sizeof *texts, "cells", group->results->err);
    for (int axis = 0; numbers && texts && axis < AXIS_CELL; axis++) {
        char name[2 * H5_NAME_BYTES];
        if (!(sweep->tuple_columns & 1u << axis)) continue;
        for (size_t i = 0; i < n; i++) {
            const struct cell_tuple *t = &sweep->tuples[keep->chosen[at][i]];
            const int values[AXIS_COUNT] = {
                [AXIS_LAYER] = t->layer, [AXIS_POSITION] = t->position,
                [AXIS_HEAD] = t->head,   [AXIS_DEST] = t->dest,
                [AXIS_SRC] = t->src,     [AXIS_NEURON] = t->neuron,
                [AXIS_DIM] = t->dim};
            numbers[i] = values[axis];
            texts[i] = t->label ? t->label : "";
        }
        snprintf(name, sizeof name, "%s_%s", dim, axis_name((enum axis)axis));
        if (axis == AXIS_LABEL)
            make_variable(group, name, H5_TYPE_TEXT, dim, "label of the cell",
                          texts);
        else
            make_variable(group, name, H5_TYPE_I32, dim,
                          "column of the sweep's list", numbers);
    }
    free(numbers);
    free(texts);
}

/* One axis of the sweep: the values that are kept. */
static void use_axis(struct kept_group *group, struct kept_array *array, int at)
{
    struct results *results = group->results;
    const struct keep *keep = array->keep;
    const struct grid *grid = &results->plan->grids[keep->sweep];
    const struct grid_axis *axis = &grid->axes[at];
    size_t n = (size_t)keep->n_chosen[at];
    int32_t *numbers = mem_calloc(n, sizeof *numbers, "cells", results->err);
    float *scales = mem_calloc(n, sizeof *scales, "cells", results->err);
    char **texts = mem_calloc(n, sizeof *texts, "cells", results->err);
    enum h5_type type = axis->axis == AXIS_SCALE ? H5_TYPE_F32 : H5_TYPE_I32;
    bool is_new = false;
    for (size_t i = 0; numbers && scales && texts && i < n; i++) {
        int k = keep->chosen[at][i];
        numbers[i] = axis->values ? axis->values[k] : k;
        if (axis->axis == AXIS_SCALE)
            scales[i] = grid->sweep->value.scales[k];
        else if (axis->values || axis->labels)
            texts[i] = results_axis_text(axis, k, results->err);
        if ((axis->labels && axis->labels[k]) || numbers[i] < 0)
            type = H5_TYPE_TEXT;
    }
    const void *values = type == H5_TYPE_TEXT  ? (const void *)texts
                         : type == H5_TYPE_F32 ? (const void *)scales
                                               : numbers;
    if (!results_is_failed(results)) {
        const char *name = use_dim(group, axis_name(axis->axis), true, type, n,
                                   values, "axis of the sweep", &is_new);
        add_dim(array, name, n);
        if (name && is_new && axis->axis == AXIS_CELL)
            make_columns(group, keep, at, name);
    }
    for (size_t i = 0; texts && i < n; i++)
        free(texts[i]);
    free(texts);
    free(scales);
    free(numbers);
}

/* The hook's own dimensions. */
static void use_own(struct kept_group *group, struct kept_array *array)
{
    const struct plan *plan = group->results->plan;
    struct hook_view view = {.hook = array->hook.hook};
    size_t S = 0;
    for (int p = 0; p < plan->pairs->n; p++)
        if ((size_t)plan->pairs->items[p].run[group->run].n_tokens > S)
            S = (size_t)plan->pairs->items[p].run[group->run].n_tokens;
    hook_set_shape(&view, plan->config, S);
    if (hook_is_scores(view.hook)) {
        add_dim(
            array,
            use_numbers(group, "head", view.dims[0], true, "attention head"),
            view.dims[0]);
        const char *dest =
            use_rows(group, array, "dest", "position that attends");
        add_dim(array, dest, (size_t)array->n_rows);
        add_dim(array,
                use_numbers(group, "src", S, true, "position attended to"), S);
        return;
    }
    const char *rows = use_rows(group, array, "position",
                                "token position; negative: from the end");
    add_dim(array, rows, (size_t)array->n_rows);
    if (view.n_dims == 3) {
        add_dim(
            array,
            use_numbers(group, "head", view.dims[1], true, "attention head"),
            view.dims[1]);
        add_dim(array, use_numbers(group, "d_head", view.dims[2], false, NULL),
                view.dims[2]);
        return;
    }
    const char *name = view.dims[1] == 1        ? "one"
                       : hook_is_mlp(view.hook) ? "d_mlp"
                                                : "d_model";
    add_dim(array, use_numbers(group, name, view.dims[1], false, NULL),
            view.dims[1]);
}

void kept_array_open(struct kept_array *out, struct kept_group *group,
                     const struct keep *keep, int hook)
{
    const struct plan *plan = group->results->plan;
    *out = (struct kept_array){.keep = keep, .hook = keep->hooks[hook]};
    hook_print_name(out->name, sizeof out->name, out->hook.hook,
                    out->hook.layer);
    snprintf(out->coordinates, sizeof out->coordinates,
             "id group cluster length");
    add_dim(out, "pair", (size_t)group->n_rows);
    if (keep->sweep >= 0) {
        const struct grid *grid = &plan->grids[keep->sweep];
        if (grid->has_samples)
            add_dim(out,
                    use_numbers(group, "sample", (size_t)grid->n_samples, true,
                                "draw"),
                    (size_t)grid->n_samples);
        for (int i = 0; i < grid->n_axes; i++)
            use_axis(group, out, i);
    }
    out->n_lead = out->n_dims;
    use_own(group, out);
    out->n_box = 1;
    for (int i = out->n_lead; i < out->n_dims; i++)
        out->n_box *= out->extent[i];
}

void kept_array_free(struct kept_array *array)
{
    free(array->place_row);
    *array = (struct kept_array){0};
}

/* The pairs that an entry of the group keeps, and that have the run. */
static bool is_in(const struct kept_group *group, int pair)
{
    const struct plan *plan = group->results->plan;
    if (plan->pairs->items[pair].run[group->run].n_tokens == 0) return false;
    if (group->sweep >= 0) return plan->grids[group->sweep].is_selected[pair];
    for (int i = 0; i < plan->n_exports; i++)
        if (plan->exports[i].entry->runs[group->run] &&
            plan->exports[i].is_selected[pair])
            return true;
    return false;
}

static void make_pairs(struct kept_group *group)
{
    struct results *results = group->results;
    const struct pairs *pairs = results->plan->pairs;
    size_t n = (size_t)group->n_rows;
    int32_t *numbers = mem_calloc(n, sizeof *numbers, "pairs", results->err);
    const char **texts = mem_calloc(n, sizeof *texts, "pairs", results->err);
    char(*keys)[DIGEST_HEX] =
        mem_calloc(n, sizeof *keys, "pairs", results->err);
    static const char *const names[] = {"id", "group", "cluster", "key"};
    static const char *const long_names[] = {
        "id of the pair", "group of the pair",
        "pairs of one cluster are not independent",
        "SHA-256 of what the pair's values depend on"};
    if (results->err->status) goto out;
    for (size_t i = 0; i < n; i++)
        numbers[i] = group->pairs[i];
    h5_make_dimension(results->h5, group->path, "pair", n, H5_TYPE_I32, numbers,
                      "pair of the job", "1");
    for (int k = 0; k < 4; k++) {
        for (size_t i = 0; i < n; i++) {
            const struct pair *pair = &pairs->items[group->pairs[i]];
            digest_hex(keys[i], &pair->key);
            const char *const of[] = {pair->id, pair->group, pair->cluster,
                                      keys[i]};
            texts[i] = of[k];
            numbers[i] = pair->run[group->run].n_tokens;
        }
        make_variable(group, names[k], H5_TYPE_TEXT, "pair", long_names[k],
                      texts);
    }
    make_variable(group, "length", H5_TYPE_I32, "pair",
                  "tokens of the run, an answer_sequence too", numbers);
out:
    free(keys);
    free(texts);
    free(numbers);
}

enum status kept_group_open(struct kept_group *out, struct results *results,
                            enum run run, int sweep)
{
    const struct plan *plan = results->plan;
    size_t n = (size_t)plan->pairs->n;
    *out = (struct kept_group){.results = results, .run = run, .sweep = sweep};
    snprintf(out->path, sizeof out->path, "%s%s", sweep < 0 ? "" : "sweeps/",
             sweep < 0 ? run_name(run) : plan->job->sweeps[sweep].name);
    out->rows = mem_calloc(n, sizeof *out->rows, "pairs", results->err);
    out->pairs = mem_calloc(n, sizeof *out->pairs, "pairs", results->err);
    if (results->err->status) return results->err->status;
    for (int p = 0; p < plan->pairs->n; p++) {
        out->rows[p] = -1;
        if (!is_in(out, p)) continue;
        out->pairs[out->n_rows] = p;
        out->rows[p] = out->n_rows++;
    }
    h5_make_group(results->h5, out->path);
    make_pairs(out);
    return results->err->status;
}

void kept_group_free(struct kept_group *group)
{
    for (size_t i = 0; i < group->n_dims; i++)
        buf_free(&group->dims[i].values);
    free(group->dims);
    free(group->rows);
    free(group->pairs);
    *group = (struct kept_group){0};
}

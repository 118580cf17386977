/* cells.c - from a cell number to its edits, or to the reason why it is not
 * run. Everything here follows from the job and the tokens alone. */
#include <string.h>

#include "common/plan/by_hand.h"
#include "common/plan/cell.h"
#include "common/plan/cells.h"
#include "common/plan/grid.h"
#include "common/plan/masks.h"
#include "common/plan/noised.h"
#include "common/plan/path.h"

static const struct grid_axis *axis_of(const struct cell *cell, enum axis axis,
                                       int *index)
{
    for (int i = 0; i < cell->grid->n_axes; i++)
        if (cell->grid->axes[i].axis == axis) {
            *index = cell->index[i];
            return &cell->grid->axes[i];
        }
    return NULL;
}

/* One number: from the axis, else from the tuple, else -1. */
static int number_of(const struct cell *cell, enum axis axis, int in_tuple)
{
    int index;
    const struct grid_axis *found = axis_of(cell, axis, &index);
    return found ? found->values[index] : in_tuple;
}

static struct span span_of(int *one, int number, const struct subset *subset)
{
    if (number >= 0) {
        *one = number;
        return (struct span){1, one};
    }
    if (subset->is_given) return (struct span){subset->n, subset->values};
    return (struct span){-1, NULL};
}

static void add_row(struct rows *rows, int base, int source)
{
    for (int i = 0; i < rows->n; i++)
        if (rows->base[i] == base) return;
    rows->base[rows->n] = base;
    rows->source[rows->n] = source;
    rows->n++;
}

/* Add the position `at` (not negative) and its counterpart in the source,
 * `source` where the runs are of different pairs, where both exist. */
static void add_pair(const struct cell *cell, struct rows *rows, int at,
                     int source)
{
    enum run base = cell->sweep->base;
    if (!cell->source_pair) {
        add_row(rows, at, at);
        return;
    }
    if (cell->source_pair == cell->pair)
        source = pair_map_position(cell->pair, base, cell->source_run, at);
    if (source >= 0 &&
        source < cell->source_pair->run[cell->source_run].n_tokens)
        add_row(rows, at, source);
}

/* Add a position by its number: of the prompt, without an answer_sequence;
 * negative ones count from the prompt's end. */
static void add_index(const struct cell *cell, struct rows *rows, int at)
{
    int source = at, n = cell->pair->run[cell->sweep->base].n_prompt;
    if (at < 0) {
        at += n;
        if (cell->source_pair)
            source += cell->source_pair->run[cell->source_run].n_prompt;
    }
    if (at >= 0 && at < n) add_pair(cell, rows, at, source);
}

/* Add the positions of a label, or its one position item. */
static void add_label(const struct cell *cell, struct rows *rows,
                      const char *name, int item)
{
    const struct label *label = pair_label(cell->pair, name);
    if (!label) return;
    const struct positions *base = &label->run[cell->sweep->base];
    const struct positions *source = base;
    if (cell->source_pair) {
        const struct label *other = pair_label(cell->source_pair, name);
        if (!other) return;
        source = &other->run[cell->source_run];
    }
    if (source->n != base->n) return;
    for (int i = 0; i < base->n; i++)
        if (item < 0 || item == i) add_row(rows, base->at[i], source->at[i]);
}

static void add_place(const struct cell *cell, struct rows *rows,
                      const struct place *place)
{
    if (place->label)
        add_label(cell, rows, place->label, -1);
    else
        add_index(cell, rows, place->index);
}

/* Positions along one axis: its value, the tuple's, the subset, or all. */
static void fill_rows(struct cell *cell, struct rows *rows, enum axis axis,
                      int in_tuple, const struct places *places)
{
    int index;
    const struct grid_axis *found = axis_of(cell, axis, &index);
    rows->n = 0;
    if (found && found->labels && found->labels[index]) {
        add_label(cell, rows, found->labels[index], -1);
    } else if (found) {
        add_index(cell, rows, found->values[index]);
    } else if (in_tuple >= 0) {
        add_index(cell, rows, in_tuple);
    } else if (places->is_given) {
        for (int i = 0; i < places->n; i++)
            add_place(cell, rows, &places->items[i]);
    } else {
        for (int at = 0; at < cell->pair->run[cell->sweep->base].n_tokens; at++)
            add_pair(cell, rows, at, at);
    }
}

bool cell_use(struct cell *cell, const struct sweep *sweep)
{
    enum value_kind kind = sweep->value.kind;
    cell->sweep = sweep;
    cell->source_pair = NULL;
    if (kind == VALUE_CLEAN || kind == VALUE_CORRUPTED || kind == VALUE_BASE) {
        cell->source_pair = cell->pair;
        cell->source_run = kind == VALUE_CLEAN       ? RUN_CLEAN
                           : kind == VALUE_CORRUPTED ? RUN_CORRUPTED
                                                     : sweep->base;
    }
    return !cell->source_pair ||
           cell->source_pair->run[cell->source_run].n_tokens > 0;
}

int cell_base_run(const struct cell *cell)
{
    return cell->noise->is_given ? RUN_COUNT + cell->sample
                                 : (int)cell->sweep->base;
}

/* The layers around one_layer, clipped to the model. */
static void set_window(struct cell *cell)
{
    int width = cell->sweep->window.width;
    int first = cell->one_layer - width / 2;
    int last = cell->sweep->window.rule == WINDOW_ROME
                   ? first + width - 1
                   : cell->one_layer + width / 2;
    int n_layer = cell->plan->config->n_layer;
    cell->first_layer = first < 0 ? 0 : first;
    if (last > n_layer - 1) last = n_layer - 1;
    cell->layers = (struct span){last - cell->first_layer + 1, NULL};
}

bool cell_open(struct cell *cell, const struct plan *plan, int sweep, int pair,
               int sample, uint64_t number)
{
    cell->plan = plan;
    cell->grid = &plan->grids[sweep];
    cell->sweep = &plan->job->sweeps[sweep];
    cell->pair = &plan->pairs->items[pair];
    cell->pair_index = pair;
    cell->sweep_index = sweep;
    cell->sample = sample;
    cell->scale_index = -1;
    cell->is_by_hand = false;
    const struct sweep *s = cell->sweep;
    cell->noise = &s->noise;
    cell->noised = (struct span){0, cell->noised_at};
    if (!cell->grid->is_selected[pair]) return false;
    if (cell->pair->run[s->base].n_tokens == 0) return false;
    if (s->noise.is_given)
        cell->noised.n = plan_noise_rows(plan, sweep, pair, cell->noised_at);
    if (!cell_use(cell, s)) return false;
    if (s->value.kind == VALUE_RESAMPLE) {
        int draw = plan_resample_draw(plan, sweep, pair, sample);
        if (draw < 0) return false;
        cell->source_pair = &plan_reference(plan, sweep)->items[draw];
        cell->source_run = s->value.run;
    }
    if (cell->source_pair &&
        cell->source_pair->run[cell->source_run].n_tokens == 0)
        return false;
    grid_coordinates(cell->grid, number, cell->index);
    int index;
    cell->mask = masks_row(cell->grid, pair, cell->index);
    if (axis_of(cell, AXIS_SCALE, &index)) cell->scale_index = index;
    return true;
}

bool cell_place(struct cell *cell, const struct cell_tuple *tuple)
{
    static const struct cell_tuple none = {-1, -1, -1, -1, -1, -1, -1, NULL};
    const struct sweep *s = cell->sweep;
    const struct cell_tuple *t = tuple ? tuple : &none;
    int index;
    cell->layers = span_of(&cell->one_layer,
                           number_of(cell, AXIS_LAYER, t->layer), &s->layers);
    if (s->window.width) set_window(cell);
    if (s->site == SITE_EMBED) {
        cell->one_layer = 0;
        cell->layers = (struct span){1, &cell->one_layer};
    }
    cell->heads = span_of(&cell->one_head, number_of(cell, AXIS_HEAD, t->head),
                          &s->heads);
    cell->has_columns = false;
    if (site_kind(s->site) == SITE_SCORES) {
        fill_rows(cell, &cell->rows, AXIS_DEST, t->dest, &s->dest);
        fill_rows(cell, &cell->columns, AXIS_SRC, t->src, &s->src);
        int unused;
        cell->has_columns =
            axis_of(cell, AXIS_SRC, &unused) || t->src >= 0 || s->src.is_given;
        if (cell->columns.n == 0) return false;
    } else if (axis_of(cell, AXIS_LABEL, &index)) {
        const struct grid_axis *labels = grid_axis_find(cell->grid, AXIS_LABEL);
        cell->rows.n = 0;
        add_label(cell, &cell->rows, labels->labels[index],
                  labels->label_item[index]);
    } else if (t->label) {
        cell->rows.n = 0;
        add_label(cell, &cell->rows, t->label, -1);
    } else {
        fill_rows(cell, &cell->rows, AXIS_POSITION, t->position, &s->positions);
    }
    bool is_mlp = site_kind(s->site) == SITE_MLP;
    cell->dims = span_of(&cell->one_column,
                         number_of(cell, is_mlp ? AXIS_NEURON : AXIS_DIM,
                                   is_mlp ? t->neuron : t->dim),
                         is_mlp ? &s->neurons : &s->dims);
    return cell->rows.n > 0;
}

/* Resolve the axes. false: the cell does not apply to this pair. */
static bool resolve(struct cell *cell, const struct plan *plan, int sweep,
                    int pair, int sample, uint64_t number)
{
    if (!cell_open(cell, plan, sweep, pair, sample, number)) return false;
    int index;
    bool is_listed =
        cell->sweep->tuples && axis_of(cell, AXIS_CELL, &index) != NULL;
    return cell_place(cell, is_listed ? &cell->sweep->tuples[index] : NULL);
}

int cell_n_layers(const struct cell *cell)
{
    return cell->layers.n < 0 ? cell->plan->config->n_layer : cell->layers.n;
}

int cell_layer(const struct cell *cell, int i)
{
    if (cell->layers.n < 0) return i;
    return cell->layers.at ? cell->layers.at[i] : cell->first_layer + i;
}

struct judge cell_judge(const struct cell *cell)
{
    const struct sweep *sweep = cell->sweep;
    struct judge judge = {
        .reading = reading_of(cell->pair, sweep->base,
                              plan_has_loss(sweep->metrics, sweep->n_metrics))};
    if (cell->source_pair) {
        bool is_base = cell->noise->is_given ? sweep->value.kind == VALUE_BASE
                                             : cell->source_run == sweep->base;
        judge.is_own_run = cell->source_pair == cell->pair && is_base;
        judge.is_value_compared = !judge.is_own_run;
        judge.contrast = contrast_of(&cell->pair->run[sweep->base],
                                     &cell->source_pair->run[cell->source_run]);
        judge.contrast.noised = cell->noised;
        judge.contrast.noise_site = cell->noise->site;
    }
    return judge;
}

bool cell_row_matters(const struct cell *cell, const struct judge *judge,
                      int layer, int i)
{
    if (cell->sweep->groups.is_given &&
        !masks_edits_layer(cell->plan, cell->sweep_index, &cell->mask, layer))
        return false;
    enum site site = cell->sweep->site;
    int row = cell->rows.base[i];
    int last_layer = cell->plan->config->n_layer;
    if (!reading_reaches(&judge->reading, site, layer, last_layer, row))
        return false;
    if (noised_holds(cell->sweep, site)) return false;
    bool is_moved =
        cell->sweep->from.layer >= 0 && cell->sweep->from.layer != layer;
    if (is_moved) return true;
    if (judge->is_own_run) return cell->rows.source[i] != row;
    bool is_scores = site_kind(site) == SITE_SCORES;
    if (is_scores && cell->has_columns) {
        bool is_below = false; /* some entry is not masked */
        for (int k = 0; k < cell->columns.n; k++)
            if (cell->columns.base[k] <= row) is_below = true;
        if (!is_below) return false;
    }
    if (!judge->is_value_compared || cell->rows.source[i] != row) return true;
    if (is_scores)
        for (int k = 0; k < cell->columns.n; k++)
            if (cell->columns.source[k] != cell->columns.base[k]) return true;
    return contrast_differs(
        &judge->contrast, site, layer, row, cell->columns.base,
        is_scores && cell->has_columns ? cell->columns.n : -1);
}

static bool has_row(const struct rows *rows, int row)
{
    for (int i = 0; i < rows->n; i++)
        if (rows->base[i] == row) return rows->source[i] == row;
    return false;
}

bool cell_is_determined(const struct cell *cell, const struct judge *judge)
{
    enum site site = cell->sweep->site;
    bool is_state = site == SITE_EMBED || site == SITE_RESID_PRE ||
                    site == SITE_RESID_MID || site == SITE_RESID_POST;
    if (!is_state || !judge->is_value_compared || cell->dims.n >= 0)
        return false;
    if (cell->pair->run[cell->sweep->base].n_tokens !=
        cell->source_pair->run[cell->source_run].n_tokens)
        return false;
    int n_layer = cell->plan->config->n_layer;
    for (int i = 0; i < cell_n_layers(cell); i++) {
        int layer = cell_layer(cell, i);
        bool is_cut = !noised_follows(cell, site, layer);
        for (int row = 0; row <= judge->reading.last && is_cut; row++)
            if (contrast_differs(&judge->contrast, site, layer, row, NULL,
                                 -1) &&
                reading_reaches(&judge->reading, site, layer, n_layer, row) &&
                !has_row(&cell->rows, row))
                is_cut = false;
        if (is_cut) return true;
    }
    return false;
}

bool cell_has_mean_rows(const struct cell *cell, int sweep)
{
    if (cell->sweep->value.kind != VALUE_MEAN) return true;
    for (int i = 0; i < cell->rows.n; i++)
        if (cells_mean_row(cell->plan, sweep, cell->pair_index,
                           cell->rows.base[i]) < 0)
            return false;
    return true;
}

static enum cell_status judge_cell(const struct cell *cell,
                                   const struct judge *judge)
{
    if (cell->plan->job->skip_unchanged) {
        bool is_changed = noised_changes(cell, &judge->reading);
        for (int i = 0; i < cell_n_layers(cell) && !is_changed; i++)
            for (int k = 0; k < cell->rows.n && !is_changed; k++)
                is_changed =
                    cell_row_matters(cell, judge, cell_layer(cell, i), k);
        if (!is_changed) return CELL_UNCHANGED;
    }
    if (cell->sweep->method == METHOD_ATTRIBUTION) return CELL_ESTIMATED;
    return cell_is_determined(cell, judge) ? CELL_DETERMINED : CELL_COMPUTED;
}

enum cell_status plan_cell_status(const struct plan *plan, int sweep, int pair,
                                  int sample, uint64_t number)
{
    struct cell cell;
    if (plan->job->sweeps[sweep].edits)
        return by_hand_status(plan, sweep, pair, sample);
    if (plan->grids[sweep].path)
        return path_cell_status(plan, sweep, pair, sample, number);
    if (!resolve(&cell, plan, sweep, pair, sample, number) ||
        !cell_has_mean_rows(&cell, sweep))
        return CELL_NOT_APPLICABLE;
    struct judge judge = cell_judge(&cell);
    return judge_cell(&cell, &judge);
}

static int *copy_ints(struct arena *arena, const int *from, int n,
                      struct err *err)
{
    int *to = arena_alloc(arena, (size_t)(n > 0 ? n : 1), sizeof *to, err);
    if (to && n > 0) memcpy(to, from, (size_t)n * sizeof *to);
    return to;
}

static bool copy_span(struct span *span, struct arena *arena, struct err *err)
{
    if (span->n < 0) return true;
    span->at = copy_ints(arena, span->at, span->n, err);
    return span->at != NULL;
}

enum status cell_fill_common(struct edit *edit, const struct cell *cell,
                             int sweep, struct arena *arena, struct err *err)
{
    const struct value *value = &cell->sweep->value;
    *edit = (struct edit){.site = cell->sweep->site,
                          .heads = cell->heads,
                          .columns = cell->dims,
                          .scale = 1};
    if (site_kind(edit->site) == SITE_SCORES) {
        edit->columns = (struct span){-1, NULL};
        if (cell->has_columns || cell->source_pair) {
            edit->columns = (struct span){cell->columns.n, cell->columns.base};
            edit->source_columns =
                copy_ints(arena, cell->columns.source, cell->columns.n, err);
            if (!edit->source_columns) return err->status;
        }
    }
    if (!copy_span(&edit->heads, arena, err) ||
        !copy_span(&edit->columns, arena, err))
        return err->status;
    switch (value->kind) {
    case VALUE_CLEAN:
    case VALUE_CORRUPTED:
        edit->source = EDIT_FROM_RUN;
        edit->run = (int)cell->source_run;
        break;
    case VALUE_BASE:
        edit->source = EDIT_FROM_RUN;
        edit->run = cell_base_run(cell);
        break;
    case VALUE_RESAMPLE:
        edit->source = EDIT_FROM_RUN;
        edit->run = RUN_COUNT + cell->sample;
        break;
    case VALUE_ZERO:
        edit->source = EDIT_ZERO;
        break;
    case VALUE_NEG_INF:
        edit->source = EDIT_NEG_INF;
        break;
    case VALUE_MEAN:
        edit->source = EDIT_FROM_TABLE;
        edit->table_width = plan_score_width(cell->plan, sweep);
        break;
    case VALUE_ADD:
        edit->source = EDIT_FROM_TABLE;
        edit->is_add = true;
        if (cell->scale_index >= 0)
            edit->scale = value->scales[cell->scale_index];
        break;
    }
    return STATUS_OK;
}

enum status cell_fill_layer(struct edit *edit, const struct cell *cell,
                            const struct judge *judge, int sweep, int layer,
                            struct arena *arena, struct err *err)
{
    int base[PLAN_MAX_TOKENS], source[PLAN_MAX_TOKENS], table[PLAN_MAX_TOKENS];
    int n = 0;
    for (int i = 0; i < cell->rows.n; i++) {
        if (cell->plan->job->skip_unchanged && !cell->is_by_hand &&
            !cell_row_matters(cell, judge, layer, i))
            continue;
        base[n] = cell->rows.base[i];
        source[n] = cell->rows.source[i];
        table[n] = 0;
        if (cell->sweep->value.kind == VALUE_MEAN)
            table[n] =
                cells_mean_row(cell->plan, sweep, cell->pair_index, base[n]);
        n++;
    }
    edit->layer = edit->source_layer = layer;
    edit->rows = (struct span){n, copy_ints(arena, base, n, err)};
    edit->source_rows = copy_ints(arena, source, n, err);
    edit->table_rows = copy_ints(arena, table, n, err);
    if (cell->sweep->groups.is_given && !err->status)
        return masks_fill(edit, cell->plan, sweep, &cell->mask, arena, err);
    return err->status;
}

enum status plan_cell(enum cell_status *status, struct edit_list *out_edits,
                      const struct plan *plan, int sweep, int pair, int sample,
                      uint64_t number, const float *const *tables,
                      struct arena *arena, struct err *err)
{
    struct cell cell;
    if (plan->grids[sweep].path)
        return path_cell(status, out_edits, plan, sweep, pair, sample, number,
                         tables, arena, err);
    *status = CELL_NOT_APPLICABLE;
    if (out_edits) *out_edits = (struct edit_list){0};
    if (plan->job->sweeps[sweep].edits)
        return by_hand_cell(status, out_edits, plan, sweep, pair, sample, arena,
                            err);
    if (!resolve(&cell, plan, sweep, pair, sample, number) ||
        !cell_has_mean_rows(&cell, sweep))
        return STATUS_OK;
    struct judge judge = cell_judge(&cell);
    *status = judge_cell(&cell, &judge);
    if (!out_edits || *status == CELL_UNCHANGED) return STATUS_OK;
    struct edit common;
    struct edit *edits =
        arena_alloc(arena, (size_t)cell_n_layers(&cell), sizeof *edits, err);
    if (!edits || cell_fill_common(&common, &cell, sweep, arena, err))
        return err->status;
    for (int i = 0; i < cell_n_layers(&cell); i++) {
        struct edit edit = common;
        if (cell_fill_layer(&edit, &cell, &judge, sweep, cell_layer(&cell, i),
                            arena, err))
            return err->status;
        if (tables) edit.table = tables[edit.layer];
        if (edit.rows.n > 0) edits[out_edits->n++] = edit;
    }
    out_edits->items = edits;
    return noised_join(out_edits, &cell, &judge.reading, arena, err);
}

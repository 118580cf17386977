/* execute_sweep.c - the cells of a unit: lanes in micro-batches through the
 * engine, then their metrics. */
#include <math.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "worker/estimate.h"
#include "worker/execute_parts.h"

static const uint64_t CARRIER = UINT64_MAX; /* carries what a sender changes */

static enum status not_finite(const struct work *work, const struct lane_of *of,
                              enum metric metric, double value, struct err *err)
{
    struct buf text = {0};
    const struct grid *grid = &work->e->plan->grids[work->unit.item];
    int index[PLAN_MAX_AXES];
    grid_coordinates(grid, of->cell, index);
    for (int i = 0; i < grid->n_axes; i++) {
        const struct grid_axis *axis = &grid->axes[i];
        if (axis->labels && axis->labels[index[i]])
            buf_printf(&text, " %s %s", axis_name(axis->axis),
                       axis->labels[index[i]]);
        else
            buf_printf(&text, " %s %d", axis_name(axis->axis),
                       axis->values ? axis->values[index[i]] : index[i]);
    }
    char *cell = buf_take_text(&text);
    (void)err_set(err, STATUS_NUMERIC,
                  "sweep %s: pair %s: cell%s: %s is %f, not finite",
                  work->sweep->name, work_pair(work, of->item)->id,
                  cell ? cell : "", metric_name(metric), value);
    free(cell);
    buf_free(&text);
    return err->status;
}

/* The rows of a lane that are read and were run; n of them are added. */
static size_t collect_rows(struct work *work, size_t lane, size_t n)
{
    struct executor *e = work->e;
    const struct lane_of *of = &e->lanes_of[lane];
    const struct pair *pair = work_pair(work, of->item);
    const struct block_pair *item = &work->runs->pairs[of->item];
    enum run run = work->sweep->base;
    const struct prompt *prompt = &pair->run[run];
    bool has_loss = (work->wanted & 1u << METRIC_LOSS) != 0;
    int read = 0;
    if (of->number == CARRIER) return n;
    for (int at = 0; at < prompt->n_tokens; at++) {
        bool is_read = plan_is_read(pair, run, false, at);
        const float *state =
            plan_is_read(pair, run, has_loss, at)
                ? engine_final_row(e->engine, &e->lanes[lane], at)
                : NULL;
        if (state) {
            e->rows[n] =
                block_pair_row(item, pair, run, at, is_read ? read : -1);
            e->rows[n].base = e->lanes[lane].base;
            e->rows[n].state = state;
            if (e->lanes[lane].freeze & FREEZE_NORM)
                e->rows[n].norm =
                    base_run_row(e->lanes[lane].base, SITE_RESID_POST,
                                 e->weights->config.n_layer - 1, at);
            e->rows[n].values = e->values + n * METRIC_COUNT;
            n++;
        }
        if (is_read) read++;
    }
    return n;
}

/* Metrics of one lane from its measured rows (first is the next of them) and,
 * where a row was not run, from its base's. */
static enum status combine(struct work *work, size_t lane, size_t *first,
                           struct err *err)
{
    struct executor *e = work->e;
    const struct lane_of *of = &e->lanes_of[lane];
    const struct pair *pair = work_pair(work, of->item);
    enum run run = work->sweep->base;
    const struct base_run *base = e->lanes[lane].base;
    bool has_loss = (work->wanted & 1u << METRIC_LOSS) != 0;
    if (of->number == CARRIER) return STATUS_OK;
    for (int at = 0; at < pair->run[run].n_tokens; at++) {
        e->row_values[at] = base->measured + (size_t)at * METRIC_COUNT;
        if (plan_is_read(pair, run, has_loss, at) &&
            engine_final_row(e->engine, &e->lanes[lane], at))
            e->row_values[at] = e->values + (*first)++ * METRIC_COUNT;
    }
    for (int i = 0; i < work->sweep->n_metrics; i++) {
        enum metric metric = work->sweep->metrics[i];
        double value = measure_combine(pair, run, metric, e->row_values);
        if (!isfinite(value)) return not_finite(work, of, metric, value, err);
        work->result->values[(uint64_t)i * work->result->n_lanes + of->number] =
            (float)value;
    }
    return STATUS_OK;
}

/* Run and measure the lanes collected so far. */
static enum status flush(struct work *work, struct err *err)
{
    struct executor *e = work->e;
    if (work->n_lanes == 0) return STATUS_OK;
    engine_run(e->engine, e->lanes, work->n_lanes, e->paths.items);
    size_t n = 0, first = 0;
    for (size_t lane = 0; lane < work->n_lanes; lane++)
        n = collect_rows(work, lane, n);
    measure_rows(e->measure, e->rows, n, work->wanted);
    for (size_t lane = 0; lane < work->n_lanes; lane++)
        if (combine(work, lane, &first, err)) return err->status;
    work->n_lanes = work->n_rows = 0;
    arena_reset(&e->arena);
    return STATUS_OK;
}

/* Everything of a lane but its edits. */
static enum status fill_lane(struct work *work, struct lane *lane, int item,
                             int sample, struct err *err)
{
    struct executor *e = work->e;
    const struct pair *pair = work_pair(work, item);
    enum run run = work->sweep->base;
    int sweep = work->unit.item;
    bool has_loss = (work->wanted & 1u << METRIC_LOSS) != 0;
    size_t S = (size_t)pair->run[run].n_tokens;
    bool *is_read = arena_alloc(&e->arena, S, sizeof *is_read, err);
    const struct base_run **sources = arena_alloc(
        &e->arena, block_sources(e->plan, sweep), sizeof *sources, err);
    if (!is_read || !sources) return err->status;
    for (size_t at = 0; at < S; at++)
        is_read[at] = plan_is_read(pair, run, has_loss, (int)at);
    block_fill_lane(lane, sources, e->plan, sweep, work->runs, work->draws,
                    item, sample);
    lane->is_read = is_read;
    lane->last_read = plan_last_read(pair, run, has_loss);
    return STATUS_OK;
}

static bool has_room(const struct work *work, size_t rows)
{
    return work->n_rows + rows <= work->e->max_rows &&
           work->n_lanes < work->e->max_rows;
}

static void put_lane(struct work *work, const struct lane *lane, size_t rows,
                     struct lane_of of)
{
    work->e->lanes[work->n_lanes] = *lane;
    work->e->lanes_of[work->n_lanes] = of;
    work->n_lanes++;
    work->n_rows += rows;
}

/* The edits of a cell, in the arena of the micro-batch. */
static enum status edit_cell(struct work *work, struct lane *lane,
                             uint64_t cell, int item, int sample,
                             struct err *err)
{
    struct executor *e = work->e;
    const struct grid *grid = &e->plan->grids[work->unit.item];
    struct edit_list edits;
    enum cell_status status;
    if (plan_cell(&status, &edits, e->plan, work->unit.item,
                  work->block->pairs[item], sample, cell, work->tables,
                  &e->arena, err))
        return err->status;
    if (grid->path)
        paths_resolve(&e->paths, (size_t)(item * grid->n_samples + sample),
                      &edits);
    *lane = (struct lane){
        .edits = edits.items, .n_edits = edits.n, .freeze = edits.freeze};
    return fill_lane(work, lane, item, sample, err);
}

/* Add one cell of one pair to the micro-batch, if it is run at all. */
static enum status add_lane(struct work *work, uint64_t cell, int item,
                            int sample, struct err *err)
{
    struct executor *e = work->e;
    int pair = work->block->pairs[item];
    enum cell_status status =
        plan_cell_status(e->plan, work->unit.item, pair, sample, cell);
    if (!cell_is_lane(status)) return STATUS_OK;
    uint64_t number = work->n_done++;
    if (work->runs->pairs[item].is_excluded) {
        for (int i = 0; i < work->sweep->n_metrics; i++)
            work->result->values[(uint64_t)i * work->result->n_lanes + number] =
                NAN;
        return STATUS_OK;
    }
    struct lane lane;
    if (edit_cell(work, &lane, cell, item, sample, err)) return err->status;
    size_t rows = engine_lane_rows(&lane);
    /* the edits just made live in the arena: flush, then make them anew */
    if (!has_room(work, rows) &&
        (flush(work, err) || edit_cell(work, &lane, cell, item, sample, err)))
        return err->status;
    put_lane(work, &lane, rows, (struct lane_of){item, sample, cell, number});
    return STATUS_OK;
}

/* Add the carrying pass of a pair and sample, where anything needs it. */
static enum status add_carrier(struct work *work, uint64_t cell, int item,
                               int sample, struct err *err)
{
    struct executor *e = work->e;
    int n_samples = e->plan->grids[work->unit.item].n_samples;
    size_t i = (size_t)(item * n_samples + sample);
    const struct path_carry *carry = &e->paths.carries[i];
    struct lane lane = {.edits = carry->edits.items,
                        .n_edits = carry->edits.n,
                        .freeze = carry->edits.freeze};
    if (carry->n_captures == 0) return STATUS_OK;
    if (paths_add(&e->paths, i, &lane, e->plan->config, err) ||
        fill_lane(work, &lane, item, sample, err))
        return err->status;
    size_t rows = engine_lane_rows(&lane);
    if (!has_room(work, rows) &&
        (flush(work, err) || fill_lane(work, &lane, item, sample, err)))
        return err->status;
    put_lane(work, &lane, rows, (struct lane_of){item, sample, cell, CARRIER});
    return STATUS_OK;
}

/* Add the carrying passes that cell i of the unit and the next ones of its
 * sender share, as many as fit; *end is the first cell beyond them. */
static enum status carry(struct work *work, uint64_t i, uint64_t *end,
                         struct err *err)
{
    struct executor *e = work->e;
    uint64_t cell = plan_unit_cell(e->plan, &work->unit, i), n;
    if (paths_are_full(&e->paths)) {
        if (flush(work, err)) return err->status;
        paths_reset(&e->paths);
    }
    if (paths_fill(&e->paths, e->plan, &work->unit, i, work->runs, work->tables,
                   &n, err))
        return err->status;
    for (int item = 0; item < work->block->n; item++)
        for (int s = 0; s < e->plan->grids[work->unit.item].n_samples; s++)
            if (add_carrier(work, cell, item, s, err)) return err->status;
    *end = i + n;
    return STATUS_OK;
}

enum status execute_sweep(struct work *work, struct err *err)
{
    struct executor *e = work->e;
    const struct plan *plan = e->plan;
    int sweep = work->unit.item;
    work->sweep = &plan->job->sweeps[sweep];
    work->wanted = metric_set_of(work->sweep->metrics, work->sweep->n_metrics);
    work->tables = tables_of(e->tables, sweep, err);
    if (err->status) return err->status;
    if (block_has_draws(plan, sweep)) {
        work->draws = run_cache_draws(e->cache, sweep, work->unit.block, err);
        if (!work->draws) return err->status;
    }
    work->runs = run_cache_block(e->cache, work->unit.block, err);
    if (!work->runs) return err->status;
    struct result *result = work->result;
    result->n_metrics = work->sweep->n_metrics;
    result->n_lanes = result_lanes(plan, &work->unit);
    result->values =
        mem_calloc((size_t)result->n_metrics * (size_t)result->n_lanes,
                   sizeof *result->values, "a result", err);
    if (!result->values) return err->status;
    if (work->sweep->method == METHOD_ATTRIBUTION) {
        const struct estimate estimate = {plan,       e->weights,  &work->unit,
                                          work->runs, work->draws, work->tables,
                                          &e->arena};
        return estimate_run(&estimate, result, err);
    }
    uint64_t carried = 0; /* cells whose carrying passes are there */
    paths_reset(&e->paths);
    for (uint64_t i = 0; i < work->unit.n_cells; i++) {
        uint64_t cell = plan_unit_cell(plan, &work->unit, i);
        if (work->sweep->path && i == carried && carry(work, i, &carried, err))
            return err->status;
        for (int item = 0; item < work->block->n; item++)
            for (int s = 0; s < plan->grids[sweep].n_samples; s++)
                if (add_lane(work, cell, item, s, err)) return err->status;
    }
    return flush(work, err);
}

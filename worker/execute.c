#include "worker/execute.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/mem.h"
#include "common/plan/result.h"
#include "common/plan/shape.h"
#include "worker/analyse.h"
#include "worker/block_runs.h"
#include "worker/engine.h"
#include "worker/estimate.h"
#include "worker/kept.h"
#include "worker/measure.h"
#include "worker/paths.h"
#include "worker/tables.h"

/* Which cell a lane of the micro-batch is. */
struct lane_of {
    int item; /* pair within the block */
    int sample;
    uint64_t cell;
    uint64_t number; /* of the lane in the unit; CARRIER: none */
};
static const uint64_t CARRIER = UINT64_MAX; /* carries what a sender changes */

struct executor {
    const struct plan *plan;
    const struct weights *weights;
    struct engine *engine;
    struct measure *measure;
    struct run_cache *cache;
    struct tables *tables;
    struct analyser *analyser;
    const char *out;    /* where parts go; NULL: nowhere */
    struct arena arena; /* edits of the micro-batch */
    struct paths paths;
    size_t max_rows, max_tokens;
    struct lane *lanes;        /* (max_rows); owned, as all below */
    struct lane_of *lanes_of;  /* (max_rows) */
    struct measure_row *rows;  /* (max_rows) */
    double *values;            /* (max_rows, METRIC_COUNT) */
    const double **row_values; /* (max_tokens) */
};

static size_t rows_of(const struct plan *plan)
{
    size_t longest = (size_t)plan->pairs->max_tokens;
    for (int s = 0; s < plan->job->n_sweeps; s++)
        if ((size_t)plan_reference(plan, s)->max_tokens > longest)
            longest = (size_t)plan_reference(plan, s)->max_tokens;
    return longest;
}

size_t executor_floor_bytes(const struct plan *plan)
{
    size_t tokens = rows_of(plan);
    size_t rows = tokens > PLAN_BATCH_ROWS ? tokens : PLAN_BATCH_ROWS;
    return engine_bytes(plan->config, rows, tokens) +
           measure_bytes(plan->config, rows) + kept_floor_bytes(plan) +
           analyser_bytes(plan) + estimate_bytes(plan) +
           paths_floor_bytes(plan, tokens) + block_noised_bytes(plan) +
           rows * (sizeof(struct lane) + sizeof(struct lane_of) +
                   sizeof(struct measure_row) + METRIC_COUNT * sizeof(double));
}

static enum status open_parts(struct executor *e,
                              const struct tokenizer *tokenizer,
                              size_t cache_bytes, struct err *err)
{
    const struct plan *plan = e->plan;
    const char *what = "the executor";
    e->max_tokens = rows_of(plan);
    e->max_rows =
        e->max_tokens > PLAN_BATCH_ROWS ? e->max_tokens : PLAN_BATCH_ROWS;
    e->lanes = mem_calloc(e->max_rows, sizeof *e->lanes, what, err);
    e->lanes_of = mem_calloc(e->max_rows, sizeof *e->lanes_of, what, err);
    e->rows = mem_calloc(e->max_rows, sizeof *e->rows, what, err);
    e->values =
        mem_calloc(e->max_rows * METRIC_COUNT, sizeof *e->values, what, err);
    e->row_values = mem_calloc(e->max_tokens, sizeof *e->row_values, what, err);
    if (err->status) return err->status;
    size_t n_samples = 1;
    for (int s = 0; s < plan->job->n_sweeps; s++)
        if ((size_t)plan->grids[s].n_samples > n_samples)
            n_samples = (size_t)plan->grids[s].n_samples;
    if (paths_open(&e->paths, PLAN_BLOCK_PAIRS * n_samples, err))
        return err->status;
    e->engine = engine_open(e->weights, e->max_rows, e->max_tokens, err);
    if (!e->engine) return err->status;
    e->measure = measure_open(e->weights, e->max_rows, err);
    if (!e->measure) return err->status;
    struct run_maker maker = {
        .plan = plan,
        .weights = e->weights,
        .tokenizer = tokenizer,
        .engine = e->engine,
        .measure = e->measure,
        .max_rows = e->max_rows,
        .sites = base_run_sites_needed(plan->job),
        .metrics =
            metric_set_of(plan->baseline_metrics, plan->n_baseline_metrics)};
    e->cache = run_cache_open(&maker, cache_bytes, err);
    if (!e->cache) return err->status;
    e->tables = tables_open(&maker, err);
    e->analyser = analyser_open(plan, e->weights, err);
    return err->status;
}

struct executor *executor_open(const struct plan *plan,
                               const struct weights *weights,
                               const struct tokenizer *tokenizer,
                               size_t cache_bytes, struct err *err)
{
    struct executor *e = mem_calloc(1, sizeof *e, "the executor", err);
    if (!e) return NULL;
    e->plan = plan;
    e->weights = weights;
    if (open_parts(e, tokenizer, cache_bytes, err)) {
        executor_close(e);
        return NULL;
    }
    return e;
}

void executor_set_output(struct executor *e, const char *out) { e->out = out; }

void executor_close(struct executor *e)
{
    if (!e) return;
    analyser_close(e->analyser);
    tables_close(e->tables);
    run_cache_close(e->cache);
    measure_close(e->measure);
    engine_close(e->engine);
    paths_close(&e->paths);
    arena_free(&e->arena);
    free(e->lanes);
    free(e->lanes_of);
    free(e->rows);
    free(e->values);
    free(e->row_values);
    free(e);
}

/* One unit under way. */
struct work {
    struct executor *e;
    struct unit unit;
    const struct sweep *sweep;
    const struct block *block; /* NULL: PLAN_NO_BLOCK */
    const struct block_runs *runs, *draws;
    const float *const *tables;
    metric_set wanted;
    struct result *result;
    size_t n_lanes, n_rows; /* of the micro-batch */
    uint64_t n_done;        /* lanes of the unit so far, excluded too */
};

static const struct pair *pair_of(const struct work *work, int item)
{
    return &work->e->plan->pairs->items[work->block->pairs[item]];
}

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
                  work->sweep->name, pair_of(work, of->item)->id,
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
    const struct pair *pair = pair_of(work, of->item);
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
    const struct pair *pair = pair_of(work, of->item);
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
    const struct pair *pair = pair_of(work, item);
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

static enum status run_sweep(struct work *work, struct err *err)
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

static enum status run_baseline(struct work *work, struct err *err)
{
    struct executor *e = work->e;
    struct result *result = work->result;
    int n_metrics = e->plan->n_baseline_metrics;
    work->runs = run_cache_block(e->cache, work->unit.block, err);
    if (!work->runs) return err->status;
    size_t row = RUN_COUNT * (size_t)n_metrics, n = (size_t)work->block->n;
    result->n_metrics = n_metrics;
    result->n_pairs = work->block->n;
    result->values =
        mem_calloc(n * row, sizeof *result->values, "a result", err);
    result->pairs = mem_calloc(n, sizeof *result->pairs, "a result", err);
    if (!result->values || !result->pairs) return err->status;
    for (int item = 0; item < work->block->n; item++) {
        const struct block_pair *runs = &work->runs->pairs[item];
        struct baseline_pair *out = &result->pairs[item];
        *out = (struct baseline_pair){runs->is_excluded, runs->predicted,
                                      result->values + (size_t)item * row};
        for (int run = 0; run < RUN_COUNT; run++) {
            const struct base_run *base = &runs->runs[run];
            int S = base->prompt ? base->prompt->n_tokens : 0;
            for (int at = 0; at < S; at++)
                e->row_values[at] = base->measured + (size_t)at * METRIC_COUNT;
            for (int i = 0; i < n_metrics; i++)
                out->values[run * n_metrics + i] =
                    S ? (float)measure_combine(
                            pair_of(work, item), (enum run)run,
                            e->plan->baseline_metrics[i], e->row_values)
                      : NAN;
        }
    }
    return STATUS_OK;
}

/* The metrics of the noised runs, which no cell has changed. */
static enum status run_noised(struct work *work, struct err *err)
{
    struct executor *e = work->e;
    struct result *result = work->result;
    const struct grid *grid = &e->plan->grids[work->unit.item];
    work->sweep = grid->sweep;
    work->draws =
        run_cache_draws(e->cache, work->unit.item, work->unit.block, err);
    if (!work->draws) return err->status;
    result->noise_std = work->draws->noise_std;
    result->n_metrics = work->sweep->n_metrics;
    result->n_lanes = result_lanes(e->plan, &work->unit);
    result->values =
        mem_calloc((size_t)result->n_metrics * (size_t)result->n_lanes,
                   sizeof *result->values, "a result", err);
    if (!result->values) return err->status;
    uint64_t number = 0;
    for (int i = 0; i < work->block->n * grid->n_samples; i++) {
        const struct base_run *base = &work->draws->extra[i];
        const struct pair *pair = pair_of(work, i / grid->n_samples);
        if (!base->prompt) continue;
        for (int at = 0; at < base->prompt->n_tokens; at++)
            e->row_values[at] = base->measured + (size_t)at * METRIC_COUNT;
        for (int m = 0; m < result->n_metrics; m++) {
            enum metric metric = work->sweep->metrics[m];
            double value =
                measure_combine(pair, RUN_CLEAN, metric, e->row_values);
            if (!isfinite(value))
                return err_set(err, STATUS_NUMERIC,
                               "sweep %s: pair %s: noised run %d: %s is %f, "
                               "not finite",
                               work->sweep->name, pair->id, i % grid->n_samples,
                               metric_name(metric), value);
            result->values[(uint64_t)m * result->n_lanes + number] =
                (float)value;
        }
        number++;
    }
    return STATUS_OK;
}

static enum status run_kept(struct work *work, struct err *err)
{
    const struct executor *e = work->e;
    const struct kept_maker maker = {.plan = e->plan,
                                     .weights = e->weights,
                                     .cache = e->cache,
                                     .tables = e->tables,
                                     .out = e->out};
    return kept_run(&maker, &work->unit, &work->result->part_bytes,
                    &work->result->part_crc, err);
}

static enum status run_analysis(struct work *work, struct err *err)
{
    struct executor *e = work->e;
    struct result *result = work->result;
    const struct unit *unit = &work->unit;
    struct shape shape;
    if (analyser_needs_runs(e->plan, unit)) {
        work->runs = run_cache_block(e->cache, unit->block, err);
        if (!work->runs) return err->status;
    }
    shape_open_block(&shape, e->plan, unit->item, unit->block);
    result->n_values =
        shape_unit_values(&shape, work->block ? work->block->n : 0);
    result->values =
        mem_calloc(result->n_values, sizeof *result->values, "a result", err);
    if (!result->values) return err->status;
    return analyser_run(e->analyser, unit, work->runs, result->values, err);
}

static enum status run_unit(struct work *work, struct err *err)
{
    switch (work->unit.kind) {
    case UNIT_BASELINE:
        return run_baseline(work, err);
    case UNIT_SWEEP:
        return run_sweep(work, err);
    case UNIT_NOISED:
        return run_noised(work, err);
    case UNIT_ANALYSIS:
        return run_analysis(work, err);
    case UNIT_EXPORT:
    case UNIT_RECORD:
        return run_kept(work, err);
    case UNIT_KIND_COUNT:
        break;
    }
    return err_set(err, STATUS_INTERNAL, "a unit of no kind");
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

enum status executor_run(struct executor *executor, uint64_t unit,
                         struct buf *out, struct err *err)
{
    double start = seconds_now();
    struct result result = {.unit = unit};
    struct work work = {.e = executor, .result = &result};
    plan_unit(executor->plan, unit, &work.unit);
    if (work.unit.block != PLAN_NO_BLOCK)
        work.block = &executor->plan->blocks[work.unit.block];
    result.kind = work.unit.kind;
    arena_reset(&executor->arena);
    enum status status = run_unit(&work, err);
    if (status == STATUS_OK) {
        result.flops = work.unit.flops;
        result.seconds = seconds_now() - start;
        result_encode(out, &result);
        if (buf_check(out, "a result", err)) status = err->status;
    }
    result_free(&result);
    return status;
}

#include "worker/execute.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/plan/shape.h"
#include "worker/estimate.h"
#include "worker/execute_parts.h"
#include "worker/kept.h"

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
                            work_pair(work, item), (enum run)run,
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
        const struct pair *pair = work_pair(work, i / grid->n_samples);
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
        return execute_sweep(work, err);
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

enum status executor_run(struct executor *executor, uint64_t unit,
                         struct buf *out, struct err *err)
{
    double start = clock_now_s();
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
        result.seconds = clock_now_s() - start;
        result_encode(out, &result);
        if (buf_check(out, "a result", err)) status = err->status;
    }
    result_free(&result);
    return status;
}

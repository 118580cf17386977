#include "worker/estimate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/backward.h"
#include "worker/metric_gradient.h"
#include "worker/rows.h"

/* One pair of the unit. */
struct item {
    const struct estimate *e;
    const struct sweep *sweep;
    const struct pair *pair;
    const struct block_pair *runs;
    int number;      /* in the block */
    size_t S, width; /* of a row of the site: C, F; scores: H S */
    enum hook hook;
    float *gradients; /* (n_metrics, layers, S, width) at the sweep's site;
                       * scores (n_metrics, layers, H, S, S); owned */
    double base[METRIC_COUNT]; /* by the sweep's metrics */
    int metric;                /* under way */
    struct lane lane; /* base, runs and n_tokens, for the sources of edits */
};

static bool is_scores(const struct item *item)
{
    return site_kind(item->sweep->site) == SITE_SCORES;
}

static size_t width_of(const struct model_config *config, enum site site,
                       size_t S)
{
    switch (site_kind(site)) {
    case SITE_SCORES:
        return (size_t)config->n_head * S;
    case SITE_MLP:
        return (size_t)config->d_mlp;
    case SITE_RESID:
    case SITE_HEADS:
        break;
    }
    return (size_t)config->d_model;
}

static float *gradient_at(const struct item *item, int metric, int layer)
{
    size_t n_layer = (size_t)item->e->plan->config->n_layer;
    return item->gradients +
           ((size_t)metric * n_layer + (size_t)layer) * item->S * item->width;
}

static enum status keep(void *user, const struct hook_view *view,
                        struct err *err)
{
    (void)err;
    const struct item *item = user;
    if (view->hook == item->hook)
        memcpy(gradient_at(item, item->metric, view->layer), view->data,
               item->S * item->width * sizeof(float));
    return STATUS_OK;
}

/* The metrics of the base run and their gradients. */
static enum status differentiate(struct item *item, struct err *err)
{
    const struct estimate *e = item->e;
    enum run run = item->sweep->base;
    const struct base_run *base = &item->runs->runs[run];
    size_t C = (size_t)e->plan->config->d_model;
    struct backward *backward = NULL;
    const double **rows = mem_calloc(item->S, sizeof *rows, "a gradient", err);
    float *d_final =
        mem_calloc(item->S * C, sizeof *d_final, "a gradient", err);
    const struct forward_observer observer = {.see = keep, .user = item};
    if (err->status || backward_open(&backward, e->weights,
                                     base->prompt->tokens, item->S, err))
        goto out;
    for (size_t at = 0; at < item->S; at++)
        rows[at] = base->measured + at * METRIC_COUNT;
    for (int m = 0; m < item->sweep->n_metrics; m++) {
        enum metric metric = item->sweep->metrics[m];
        item->metric = m;
        item->base[m] = measure_combine(item->pair, run, metric, rows);
        if (metric_gradient(d_final, backward_final(backward), e->weights,
                            item->runs, item->pair, run, metric, err) ||
            backward_run(backward, d_final, &observer, err))
            goto out;
    }
out:
    backward_close(backward);
    free(d_final);
    free((void *)rows);
    return err->status;
}

/* (new - old) x gradient of one entry. */
static double part(const struct edit *edit, const float *from, const float *old,
                   const float *gradient, size_t to, size_t source)
{
    double value = from ? (double)from[source] : 0;
    double change =
        edit->is_add ? (double)edit->scale * value : value - (double)old[to];
    return change * (double)gradient[to];
}

static double estimate_scores(const struct item *item, const struct edit *edit,
                              const float *gradient)
{
    const struct base_run *base = &item->runs->runs[item->sweep->base];
    int n_heads =
        edit->heads.n < 0 ? item->e->plan->config->n_head : edit->heads.n;
    double sum = 0;
    for (int k = 0; k < n_heads; k++) {
        int head = edit->heads.n < 0 ? k : edit->heads.at[k];
        for (int i = 0; i < edit->rows.n; i++) {
            int at = edit->rows.at[i];
            const float *old =
                base_run_score_row(base, edit->site, edit->layer, head, at);
            const float *from =
                rows_source_scores(edit, &item->lane, NULL, i, head);
            const float *g =
                gradient + ((size_t)head * item->S + (size_t)at) * item->S;
            int n = edit->columns.n < 0 ? at + 1 : edit->columns.n;
            for (int c = 0; c < n; c++) {
                int src = edit->columns.n < 0 ? c : edit->columns.at[c];
                int source =
                    edit->source_columns ? edit->source_columns[c] : src;
                if (src <= at)
                    sum +=
                        part(edit, from, old, g, (size_t)src, (size_t)source);
            }
        }
    }
    return sum;
}

static double estimate_rows(const struct item *item, const struct edit *edit,
                            const float *gradient)
{
    const struct base_run *base = &item->runs->runs[item->sweep->base];
    bool has_heads = site_kind(edit->site) == SITE_HEADS;
    size_t n_heads = has_heads ? (size_t)item->e->plan->config->n_head : 1;
    size_t inner = item->width / n_heads;
    bool is_whole = !has_heads || edit->heads.n < 0;
    size_t chosen = is_whole ? n_heads : (size_t)edit->heads.n;
    size_t columns = edit->columns.n < 0 ? inner : (size_t)edit->columns.n;
    double sum = 0;
    for (int i = 0; i < edit->rows.n; i++) {
        size_t at = (size_t)edit->rows.at[i];
        const float *old =
            base_run_row(base, edit->site, edit->layer, edit->rows.at[i]);
        const float *from =
            rows_source(item->e->weights, edit, &item->lane, NULL, i);
        const float *g = gradient + at * item->width;
        for (size_t k = 0; k < chosen; k++) {
            size_t head = is_whole ? k : (size_t)edit->heads.at[k];
            for (size_t c = 0; c < columns; c++) {
                size_t to =
                    head * inner +
                    (edit->columns.n < 0 ? c : (size_t)edit->columns.at[c]);
                sum += part(edit, from, old, g, to, to);
            }
        }
    }
    return sum;
}

/* One cell of the pair: a value for every metric. */
static enum status estimate_cell(const struct item *item, uint64_t cell,
                                 int sample, struct result *result,
                                 uint64_t lane, struct err *err)
{
    const struct estimate *e = item->e;
    enum cell_status status;
    struct edit_list edits;
    if (plan_cell(&status, &edits, e->plan, e->unit->item,
                  e->plan->blocks[e->unit->block].pairs[item->number], sample,
                  cell, e->tables, e->arena, err))
        return err->status;
    for (int m = 0; m < item->sweep->n_metrics; m++) {
        double value = item->base[m];
        for (int k = 0; k < edits.n; k++) {
            const struct edit *edit = &edits.items[k];
            const float *gradient = gradient_at(item, m, edit->layer);
            value += is_scores(item) ? estimate_scores(item, edit, gradient)
                                     : estimate_rows(item, edit, gradient);
        }
        if (!isfinite(value))
            return err_set(err, STATUS_NUMERIC,
                           "sweep %s: pair %s: the estimate of %s is %f, not "
                           "finite",
                           item->sweep->name, item->pair->id,
                           metric_name(item->sweep->metrics[m]), value);
        result->values[(uint64_t)m * result->n_lanes + lane] = (float)value;
    }
    arena_reset(e->arena);
    return STATUS_OK;
}

/* lanes[cell of the unit][pair][sample]: the lane's number, -1: none. */
static int64_t *number_lanes(const struct estimate *e, size_t n_samples,
                             struct err *err)
{
    const struct block *block = &e->plan->blocks[e->unit->block];
    size_t n_pairs = (size_t)block->n;
    int64_t *lanes = mem_calloc((size_t)e->unit->n_cells * n_pairs * n_samples,
                                sizeof *lanes, "the lanes", err);
    int64_t n = 0;
    for (size_t i = 0; lanes && i < (size_t)e->unit->n_cells; i++) {
        uint64_t cell = plan_unit_cell(e->plan, e->unit, i);
        for (size_t p = 0; p < n_pairs; p++)
            for (size_t s = 0; s < n_samples; s++)
                lanes[(i * n_pairs + p) * n_samples + s] =
                    cell_is_lane(plan_cell_status(
                        e->plan, e->unit->item, block->pairs[p], (int)s, cell))
                        ? n++
                        : -1;
    }
    return lanes;
}

/* The runs that edits of the pair may name, and the draws of its samples. */
static enum status fill_lane(struct item *item, size_t n_samples,
                             struct err *err)
{
    const struct estimate *e = item->e;
    const struct base_run **runs =
        mem_calloc(RUN_COUNT + n_samples, sizeof *runs, "an estimate", err);
    if (!runs) return err->status;
    for (size_t run = 0; run < RUN_COUNT; run++)
        runs[run] = &item->runs->runs[run];
    for (size_t s = 0; e->draws && s < n_samples; s++)
        runs[RUN_COUNT + s] =
            &e->draws->extra[(size_t)item->number * n_samples + s];
    item->lane = (struct lane){.base = runs[item->sweep->base],
                               .runs = runs,
                               .n_tokens = (int)item->S};
    return STATUS_OK;
}

static enum status estimate_pair(struct item *item, const int64_t *lanes,
                                 size_t n_pairs, size_t n_samples,
                                 struct result *result, struct err *err)
{
    const struct estimate *e = item->e;
    bool is_excluded = item->runs->is_excluded;
    const struct prompt *prompt = item->runs->runs[item->sweep->base].prompt;
    if (!is_excluded && prompt) {
        item->S = (size_t)prompt->n_tokens;
        item->width = width_of(e->plan->config, item->sweep->site, item->S);
        item->gradients = mem_calloc((size_t)item->sweep->n_metrics *
                                         (size_t)e->plan->config->n_layer *
                                         item->S * item->width,
                                     sizeof *item->gradients, "gradients", err);
        if (!item->gradients || fill_lane(item, n_samples, err) ||
            differentiate(item, err))
            goto out;
    }
    for (size_t i = 0; i < (size_t)e->unit->n_cells && !err->status; i++)
        for (size_t s = 0; s < n_samples && !err->status; s++) {
            int64_t lane =
                lanes[(i * n_pairs + (size_t)item->number) * n_samples + s];
            if (lane < 0) continue;
            if (!is_excluded)
                (void)estimate_cell(item, plan_unit_cell(e->plan, e->unit, i),
                                    (int)s, result, (uint64_t)lane, err);
            for (int m = 0; is_excluded && m < item->sweep->n_metrics; m++)
                result->values[(uint64_t)m * result->n_lanes + (uint64_t)lane] =
                    NAN;
        }
out:
    free((void *)item->lane.runs);
    free(item->gradients);
    return err->status;
}

enum status estimate_run(const struct estimate *e, struct result *result,
                         struct err *err)
{
    const struct sweep *sweep = &e->plan->job->sweeps[e->unit->item];
    const struct block *block = &e->plan->blocks[e->unit->block];
    size_t n_samples = (size_t)e->plan->grids[e->unit->item].n_samples;
    int64_t *lanes = number_lanes(e, n_samples, err);
    for (int p = 0; lanes && p < block->n && !err->status; p++) {
        struct item item = {.e = e,
                            .sweep = sweep,
                            .pair = &e->plan->pairs->items[block->pairs[p]],
                            .runs = &e->runs->pairs[p],
                            .number = p,
                            .hook = hook_find(site_hook(sweep->site))};
        (void)estimate_pair(&item, lanes, (size_t)block->n, n_samples, result,
                            err);
    }
    free(lanes);
    return err->status;
}

size_t estimate_bytes(const struct plan *plan)
{
    size_t most = 0, S = (size_t)plan->pairs->max_tokens;
    const struct model_config *config = plan->config;
    for (int s = 0; s < plan->job->n_sweeps; s++) {
        const struct sweep *sweep = &plan->job->sweeps[s];
        if (sweep->method != METHOD_ATTRIBUTION) continue;
        size_t gradients = (size_t)sweep->n_metrics * (size_t)config->n_layer *
                           S * width_of(config, sweep->site, S);
        size_t bytes = gradients * sizeof(float) + backward_bytes(config, S);
        if (bytes > most) most = bytes;
    }
    return most;
}

#include "worker/tables.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

struct sweep_table {
    const float **layers; /* L of them; owned */
    float *values;        /* owned */
};

struct tables {
    struct run_maker maker;
    struct sweep_table *sweeps; /* owned */
};

struct tables *tables_open(const struct run_maker *maker, struct err *err)
{
    struct tables *tables = mem_calloc(1, sizeof *tables, "tables", err);
    if (!tables) return NULL;
    tables->maker = *maker;
    tables->sweeps = mem_calloc((size_t)maker->plan->job->n_sweeps,
                                sizeof *tables->sweeps, "tables", err);
    if (!tables->sweeps) {
        free(tables);
        return NULL;
    }
    return tables;
}

void tables_close(struct tables *tables)
{
    if (!tables) return;
    for (int s = 0; s < tables->maker.plan->job->n_sweeps; s++) {
        free(tables->sweeps[s].layers);
        free(tables->sweeps[s].values);
    }
    free(tables->sweeps);
    free(tables);
}

static size_t row_width(const struct plan *plan, int sweep)
{
    enum site site = plan->job->sweeps[sweep].site;
    if (site_kind(site) == SITE_SCORES) return plan_score_width(plan, sweep);
    return (size_t)(site_kind(site) == SITE_MLP ? plan->config->d_mlp
                                                : plan->config->d_model);
}

static enum status make_layers(struct sweep_table *table, int n_layer,
                               size_t values_a_layer, size_t step,
                               struct err *err)
{
    table->layers =
        mem_calloc((size_t)n_layer, sizeof *table->layers, "a table", err);
    table->values =
        mem_calloc_aligned(values_a_layer * (step ? (size_t)n_layer : 1),
                           sizeof *table->values, "a table", err);
    if (!table->layers || !table->values) return err->status;
    for (int layer = 0; layer < n_layer; layer++)
        table->layers[layer] = table->values + (size_t)layer * step;
    return STATUS_OK;
}

/* A vector to add: the same in every layer and head. */
static enum status make_vector(struct tables *tables, int sweep,
                               struct err *err)
{
    const struct plan *plan = tables->maker.plan;
    const struct value *value = &plan->job->sweeps[sweep].value;
    size_t width = row_width(plan, sweep), n = (size_t)value->n_vector;
    struct sweep_table *table = &tables->sweeps[sweep];
    if (make_layers(table, plan->config->n_layer, width, 0, err))
        return err->status;
    for (size_t i = 0; i < width; i++)
        table->values[i] = value->vector[i % n];
    return STATUS_OK;
}

/* Add one run's rows of every layer to the sums. */
static void add_run(double *sums, const struct plan *plan, int sweep, int item,
                    const struct base_run *run, size_t width)
{
    enum site site = plan->job->sweeps[sweep].site;
    size_t rows = (size_t)plan_mean_rows(plan, sweep);
    size_t S = (size_t)run->prompt->n_tokens;
    size_t H = (size_t)plan->config->n_head;
    for (int at = 0; at < run->prompt->n_tokens; at++) {
        int row = plan_mean_row(plan, sweep, item, at);
        if (row < 0) continue;
        for (int layer = 0; layer < plan->config->n_layer; layer++) {
            double *to = sums + ((size_t)layer * rows + (size_t)row) * width;
            if (site_kind(site) != SITE_SCORES) {
                const float *from = base_run_row(run, site, layer, at);
                for (size_t i = 0; i < width; i++)
                    to[i] += (double)from[i];
                continue;
            }
            for (size_t head = 0; head < H; head++) {
                const float *from =
                    base_run_score_row(run, site, layer, (int)head, at);
                for (size_t src = 0; src < S; src++)
                    to[head * (width / H) + src] += (double)from[src];
            }
        }
    }
}

static enum status make_mean(struct tables *tables, int sweep, struct err *err)
{
    const struct run_maker *maker = &tables->maker;
    const struct plan *plan = maker->plan;
    const struct sweep *s = &plan->job->sweeps[sweep];
    const struct pairs *set = plan_reference(plan, sweep);
    const struct reference *reference = &plan->references[sweep];
    size_t width = row_width(plan, sweep);
    size_t rows = (size_t)plan_mean_rows(plan, sweep);
    size_t values = rows * width, L = (size_t)plan->config->n_layer;
    double *sums = mem_calloc(L * values, sizeof *sums, "a mean", err);
    if (!sums ||
        make_layers(&tables->sweeps[sweep], (int)L, values, values, err))
        goto out;
    site_set sites = maker->sites;
    if (s->site != SITE_EMBED && s->site != SITE_RESID_POST)
        sites |= site_bit(s->site);
    for (int item = 0; item < set->n && !err->status; item++) {
        const struct prompt *prompt = &set->items[item].run[s->value.run];
        struct base_run run, *one = &run;
        if (prompt->n_tokens == 0) continue;
        if (base_run_open(&run, prompt, maker->weights, sites, 0, false, err))
            break;
        if (!run_maker_compute(maker, &one, 1, err))
            add_run(sums, plan, sweep, item, &run, width);
        base_run_free(&run);
    }
    float *out = tables->sweeps[sweep].values;
    for (size_t i = 0; !err->status && i < L * values; i++) {
        int count = reference->count[i / width % rows];
        out[i] = count ? (float)(sums[i] / count) : 0;
    }
out:
    free(sums);
    return err->status;
}

const float *const *tables_of(struct tables *tables, int sweep, struct err *err)
{
    struct sweep_table *table = &tables->sweeps[sweep];
    enum value_kind kind = tables->maker.plan->job->sweeps[sweep].value.kind;
    if (table->layers) return table->layers;
    if (kind != VALUE_MEAN && kind != VALUE_ADD) return NULL;
    enum status status = kind == VALUE_MEAN ? make_mean(tables, sweep, err)
                                            : make_vector(tables, sweep, err);
    if (status == STATUS_OK) return table->layers;
    free(table->layers);
    free(table->values);
    *table = (struct sweep_table){0};
    return NULL;
}

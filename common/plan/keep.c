#include "common/plan/keep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/plan/cost.h"

static enum status fill_hooks(struct keep *keep,
                              const struct model_config *config,
                              struct err *err)
{
    size_t most = 0;
    for (int hook = 0; hook < HOOK_COUNT; hook++)
        most += (size_t)hook_layers((enum hook)hook, config);
    keep->hooks = mem_calloc(most, sizeof *keep->hooks, "hooks", err);
    if (!keep->hooks) return err->status;
    /* before the blocks, block after block, after them */
    for (int place = HOOK_BEFORE; place <= HOOK_AFTER; place++) {
        int layers = place == HOOK_IN_BLOCK ? config->n_layer : 1;
        for (int layer = 0; layer < layers; layer++)
            for (int hook = 0; hook < HOOK_COUNT; hook++)
                if ((int)hook_place((enum hook)hook) == place &&
                    keeping_has(keep->entry, (enum hook)hook, layer))
                    keep->hooks[keep->n_hooks++] =
                        (struct keep_hook){(enum hook)hook, layer};
    }
    return STATUS_OK;
}

/* Whether a place that `cells` names is entry i of an axis. */
static bool is_place(const struct grid_axis *axis, int i,
                     const struct place *place)
{
    bool has_label = axis->labels && axis->labels[i];
    if (place->label)
        return has_label && strcmp(axis->labels[i], place->label) == 0;
    if (has_label) return false;
    return (axis->values ? axis->values[i] : i) == place->index;
}

static enum status choose(struct keep *keep, const struct plan *plan, int at,
                          struct err *err)
{
    const struct grid_axis *axis = &plan->grids[keep->sweep].axes[at];
    const struct places *places = &keep->entry->cells[axis->axis];
    keep->chosen[at] =
        mem_calloc((size_t)axis->n, sizeof *keep->chosen[at], "cells", err);
    if (!keep->chosen[at]) return err->status;
    for (int i = 0; i < axis->n; i++) {
        bool is_chosen = !places->is_given;
        for (int k = 0; k < places->n && !is_chosen; k++)
            is_chosen = is_place(axis, i, &places->items[k]);
        if (is_chosen) keep->chosen[at][keep->n_chosen[at]++] = i;
    }
    for (int k = 0; k < places->n; k++) {
        const struct place *place = &places->items[k];
        char found[80];
        int i = 0;
        while (i < axis->n && !is_place(axis, i, place))
            i++;
        if (i < axis->n) continue;
        snprintf(found, sizeof found, "%.64s",
                 place->label ? place->label : "");
        if (!place->label) snprintf(found, sizeof found, "%d", place->index);
        return err_set(err, STATUS_INPUT,
                       "%s: line %d: sweep '%s': record %d: cells: found %s, "
                       "which the sweep's axis %s does not have",
                       plan->job->path, keep->entry->line,
                       plan->job->sweeps[keep->sweep].name, keep->number, found,
                       axis_name(axis->axis));
    }
    return STATUS_OK;
}

static enum status name_it(struct keep *keep, const struct plan *plan,
                           struct err *err)
{
    struct buf text = {0};
    if (keep->sweep < 0)
        buf_printf(&text, "activations %d", keep->number);
    else
        buf_printf(&text, "%s, record %d", plan->job->sweeps[keep->sweep].name,
                   keep->number);
    keep->name = buf_take_text(&text);
    if (!keep->name) return err_set(err, STATUS_MEMORY, "no memory for a name");
    return STATUS_OK;
}

enum status keep_open(struct keep *out, const struct plan *plan,
                      const struct keeping *entry, int number, int sweep,
                      struct err *err)
{
    *out = (struct keep){.entry = entry, .number = number, .sweep = sweep};
    const struct select *select =
        sweep < 0 ? &entry->select : &plan->job->sweeps[sweep].select;
    out->is_selected = mem_calloc((size_t)plan->pairs->n,
                                  sizeof *out->is_selected, "pairs", err);
    if (!out->is_selected || name_it(out, plan, err) ||
        fill_hooks(out, plan->config, err) ||
        pairs_select(out->is_selected, plan->pairs, select, err))
        return err->status;
    if (sweep >= 0 && !entry->is_base) out->n_axes = plan->grids[sweep].n_axes;
    for (int i = 0; i < out->n_axes; i++)
        if (choose(out, plan, i, err)) return err->status;
    return STATUS_OK;
}

void keep_free(struct keep *keep)
{
    for (int i = 0; i < PLAN_MAX_AXES; i++)
        free(keep->chosen[i]);
    free(keep->hooks);
    free(keep->is_selected);
    free(keep->name);
    *keep = (struct keep){0};
}

const struct keep *plan_keep(const struct plan *plan, enum unit_kind kind,
                             int item)
{
    return kind == UNIT_EXPORT ? &plan->exports[item] : &plan->records[item];
}

static void add_row(struct keep_row *rows, int *n, struct keep_row row)
{
    if (rows) rows[*n] = row;
    (*n)++;
}

int keep_rows(const struct keep *keep, const struct pair *pair, enum run run,
              struct keep_row *rows)
{
    const struct prompt *prompt = &pair->run[run];
    const struct places *places = &keep->entry->positions;
    int n = 0;
    if (!places->is_given)
        for (int at = 0; at < prompt->n_tokens; at++)
            add_row(rows, &n, (struct keep_row){at, 0, at});
    for (int i = 0; i < places->n; i++) {
        const struct place *place = &places->items[i];
        if (place->label) {
            const struct label *label = pair_label(pair, place->label);
            for (int k = 0; label && k < label->run[run].n; k++)
                add_row(rows, &n,
                        (struct keep_row){i, k, label->run[run].at[k]});
            continue;
        }
        int at = place->index + (place->index < 0 ? prompt->n_prompt : 0);
        if (at >= 0 && at < prompt->n_tokens)
            add_row(rows, &n, (struct keep_row){i, 0, at});
    }
    return n;
}

int keep_extents(const struct keep *keep, const struct pairs *pairs,
                 enum run run, int *extent)
{
    const struct places *places = &keep->entry->positions;
    int total = 0;
    if (!places->is_given)
        for (int p = 0; p < pairs->n; p++)
            if (pairs->items[p].run[run].n_tokens > total)
                total = pairs->items[p].run[run].n_tokens;
    for (int i = 0; i < places->n; i++) {
        int n = 1;
        for (int p = 0; places->items[i].label && p < pairs->n; p++) {
            const struct label *label =
                pair_label(&pairs->items[p], places->items[i].label);
            if (label && label->run[run].n > n) n = label->run[run].n;
        }
        if (extent) extent[i] = n;
        total += n;
    }
    return total;
}

size_t keep_values(const struct model_config *config, enum hook hook, size_t S,
                   size_t n)
{
    struct hook_view view = {.hook = hook};
    hook_set_shape(&view, config, S);
    if (hook_is_scores(hook)) return view.dims[0] * n * S;
    return n * view.dims[1] * view.dims[2];
}

size_t keep_bytes(const struct keep *keep, size_t values)
{
    return values * (keep->entry->is_half ? 2 : sizeof(float));
}

static double pass_bytes(const struct plan *plan, const struct keep *keep,
                         const struct pair *pair, enum run run)
{
    size_t S = (size_t)pair->run[run].n_tokens, values = 0;
    size_t n = (size_t)keep_rows(keep, pair, run, NULL);
    for (int i = 0; S && i < keep->n_hooks; i++)
        values += keep_values(plan->config, keep->hooks[i].hook, S, n);
    return (double)keep_bytes(keep, values);
}

struct keep_cost keep_cost_of(const struct plan *plan,
                              const struct segment *segment, uint64_t first,
                              uint64_t n)
{
    const struct keep *keep = plan_keep(plan, segment->kind, segment->item);
    struct unit unit = {.kind = segment->kind,
                        .item = segment->item,
                        .block = segment->block,
                        .first_cell = first,
                        .n_cells = n};
    struct keep_walk walk = {.plan = plan, .unit = &unit, .of = segment};
    struct keep_cost cost = {0};
    while (keep_next(&walk)) {
        const struct pair *pair = &plan->pairs->items[walk.pair];
        cost.bytes += pass_bytes(plan, keep, pair, walk.run);
        cost.flops += cost_pass(plan->config, pair->run[walk.run].n_tokens);
    }
    return cost;
}

uint64_t keep_cell(const struct plan *plan, const struct segment *segment,
                   uint64_t i, int index[PLAN_MAX_AXES])
{
    const struct keep *keep = &plan->records[segment->item];
    const struct grid *grid = &plan->grids[keep->sweep];
    int in_grid[PLAN_MAX_AXES] = {0};
    for (int a = keep->n_axes - 1; a >= 0; a--) {
        uint64_t n = (uint64_t)segment->extent[a];
        index[a] = (int)(i % n);
        i /= n;
        if (grid->axes[a].axis == AXIS_LABEL)
            index[a] = segment->label_map[index[a]];
        in_grid[a] = keep->chosen[a][index[a]];
    }
    return grid_cell(grid, in_grid);
}

/* The next pass of an export: cells are pairs of the block. */
static bool next_run(struct keep_walk *walk, const struct keep *keep)
{
    const struct plan *plan = walk->plan;
    const struct block *block = &plan->blocks[walk->unit->block];
    for (; walk->next < walk->unit->n_cells * RUN_COUNT; walk->next++) {
        walk->item = (int)(walk->unit->first_cell + walk->next / RUN_COUNT);
        walk->run = (enum run)(walk->next % RUN_COUNT);
        walk->pair = block->pairs[walk->item];
        if (keep->is_selected[walk->pair] && keep->entry->runs[walk->run] &&
            plan->pairs->items[walk->pair].run[walk->run].n_tokens > 0) {
            walk->next++;
            return true;
        }
    }
    return false;
}

/* Whether the record has this pass at all. */
static bool has_pass(const struct keep_walk *walk, const struct keep *keep)
{
    const struct plan *plan = walk->plan;
    if (keep->entry->is_base)
        return keep->is_selected[walk->pair] &&
               plan->pairs->items[walk->pair].run[walk->run].n_tokens > 0;
    return plan_cell_status(plan, keep->sweep, walk->pair, walk->sample,
                            walk->cell) != CELL_NOT_APPLICABLE;
}

bool keep_next(struct keep_walk *walk)
{
    const struct plan *plan = walk->plan;
    const struct unit *unit = walk->unit;
    const struct keep *keep = plan_keep(plan, unit->kind, unit->item);
    if (keep->sweep < 0) return next_run(walk, keep);
    const struct block *block = &plan->blocks[unit->block];
    uint64_t n_samples = (uint64_t)plan->grids[keep->sweep].n_samples;
    uint64_t a_cell = (uint64_t)block->n * n_samples;
    walk->run = plan->job->sweeps[keep->sweep].base;
    for (; walk->next < unit->n_cells * a_cell; walk->next++) {
        uint64_t i = walk->next % a_cell;
        if (i == 0)
            walk->cell =
                keep_cell(plan, walk->of,
                          unit->first_cell + walk->next / a_cell, walk->index);
        walk->item = (int)(i / n_samples);
        walk->sample = (int)(i % n_samples);
        walk->pair = block->pairs[walk->item];
        if (has_pass(walk, keep)) {
            walk->next++;
            return true;
        }
    }
    return false;
}

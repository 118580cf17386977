#include "worker/paths.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/mem.h"

enum status paths_open(struct paths *out, size_t n_lanes, struct err *err)
{
    *out = (struct paths){0};
    out->carries = mem_calloc(n_lanes, sizeof *out->carries, "paths", err);
    out->first = mem_calloc(n_lanes, sizeof *out->first, "paths", err);
    return err->status;
}

void paths_close(struct paths *paths)
{
    arena_free(&paths->arena);
    free(paths->items);
    free(paths->carries);
    free(paths->first);
    *paths = (struct paths){0};
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Places (site and layer) at which one cell of a sweep captures, and all cells
 * of a sender, at most. */
static void count_places(size_t *of_cell, size_t *of_sender,
                         const struct grid *grid, size_t n_layer)
{
    size_t sum = 0, most = 0;
    for (int i = 0; i < grid->path->n_receivers; i++) {
        const struct path_point *point = &grid->path->receivers[i];
        size_t n = point->at.layer < 0 ? n_layer : 1;
        if (point->site == SITE_COUNT) continue;
        if (n > most) most = n;
        sum += n;
    }
    size_t sites = 0;
    for (int site = 0; site < PATH_LOGITS; site++)
        sites += grid->sweep->path->receive_sites[site];
    *of_sender = least(sum, sites * n_layer);
    *of_cell = grid_axis_find(grid, AXIS_RECEIVER) ? most : *of_sender;
}

size_t paths_floor_bytes(const struct plan *plan, size_t max_tokens)
{
    size_t floor = 0;
    for (int s = 0; s < plan->job->n_sweeps; s++) {
        const struct grid *grid = &plan->grids[s];
        if (!grid->path) continue;
        size_t of_cell, of_sender;
        size_t place = PLAN_BLOCK_PAIRS * (size_t)grid->n_samples * max_tokens *
                       (size_t)plan->config->d_model * sizeof(float);
        count_places(&of_cell, &of_sender, grid, (size_t)plan->config->n_layer);
        size_t one = of_cell * place;
        size_t most = PATHS_BYTES + (one > PATHS_BYTES ? one : PATHS_BYTES);
        size_t all = (size_t)grid->path->n_senders * of_sender * place;
        most = least(most, all);
        if (most > floor) floor = most;
    }
    return floor;
}

void paths_reset(struct paths *paths)
{
    arena_reset(&paths->arena);
    paths->n = paths->bytes = 0;
}

bool paths_are_full(const struct paths *paths)
{
    return paths->bytes >= PATHS_BYTES;
}

/* Bytes that a carrying pass captures. */
static size_t carry_bytes(const struct path_carry *carry,
                          const struct model_config *config)
{
    size_t rows = 0;
    for (int i = 0; i < carry->n_captures; i++)
        rows += (size_t)carry->captures[i].rows.n;
    return rows * (size_t)config->d_model * sizeof(float);
}

/* What n cells of one sender carry, and how many bytes they capture. */
static enum status fill_carries(struct paths *paths, const struct plan *plan,
                                const struct unit *unit, uint64_t cell,
                                uint64_t n, const struct block_runs *runs,
                                const float *const *tables, size_t *bytes,
                                struct err *err)
{
    int n_samples = plan->grids[unit->item].n_samples;
    const struct block *block = &plan->blocks[unit->block];
    *bytes = 0;
    for (int i = 0; i < block->n * n_samples; i++) {
        struct path_carry *carry = &paths->carries[i];
        int item = i / n_samples;
        *carry = (struct path_carry){0};
        if (runs->pairs[item].is_excluded) continue;
        if (path_fill_carry(carry, plan, unit->item, block->pairs[item],
                            i % n_samples, cell, n, tables, &paths->arena, err))
            return err->status;
        *bytes += carry_bytes(carry, plan->config);
    }
    return STATUS_OK;
}

enum status paths_fill(struct paths *paths, const struct plan *plan,
                       const struct unit *unit, uint64_t i,
                       const struct block_runs *runs,
                       const float *const *tables, uint64_t *n, struct err *err)
{
    uint64_t cell = plan_unit_cell(plan, unit, i);
    uint64_t of_sender = path_cells_of_sender(&plan->grids[unit->item]);
    size_t bytes;
    *n = of_sender - cell % of_sender;
    if (*n > unit->n_cells - i) *n = unit->n_cells - i;
    if (fill_carries(paths, plan, unit, cell, *n, runs, tables, &bytes, err))
        return err->status;
    while (bytes > PATHS_BYTES && *n > 1) {
        *n = (*n + 1) / 2;
        if (fill_carries(paths, plan, unit, cell, *n, runs, tables, &bytes,
                         err))
            return err->status;
    }
    return STATUS_OK;
}

enum status paths_add(struct paths *paths, size_t i, struct lane *lane,
                      const struct model_config *config, struct err *err)
{
    struct path_carry *carry = &paths->carries[i];
    size_t n = (size_t)carry->n_captures;
    size_t width = (size_t)config->d_model;
    struct captured *own = arena_alloc(&paths->arena, n, sizeof *own, err);
    if (!own || mem_grow(&paths->items, &paths->capacity, paths->n + n,
                         sizeof *paths->items, "captures", err))
        return err->status;
    paths->first[i] = paths->n;
    for (size_t k = 0; k < n; k++) {
        struct capture *capture = &carry->captures[k];
        capture->number = (int)paths->n;
        own[k] = (struct captured){
            capture, arena_alloc(&paths->arena, (size_t)capture->rows.n * width,
                                 sizeof(float), err)};
        if (!own[k].values) return err->status;
        paths->items[paths->n++] = own[k];
    }
    paths->bytes += carry_bytes(carry, config);
    lane->captured = own;
    lane->n_captured = (int)n;
    return STATUS_OK;
}

void paths_resolve(const struct paths *paths, size_t i,
                   const struct edit_list *edits)
{
    const struct path_carry *carry = &paths->carries[i];
    for (int e = 0; e < edits->n; e++) {
        struct edit *edit = &edits->items[e];
        if (edit->source != EDIT_FROM_CAPTURE) continue;
        int k = 0;
        while (k < carry->n_captures &&
               (carry->captures[k].site != edit->site ||
                carry->captures[k].layer != edit->layer))
            k++;
        assert(k < carry->n_captures);
        edit->capture = (int)paths->first[i] + k;
    }
}

#include "common/plan/path.h"

#include <limits.h>
#include <string.h>

#include "common/plan/cell.h"

/* What the senders of a cell change, for one pair. */
struct sent {
    int earliest;              /* least layer of a sender; INT_MAX: none */
    int from[PLAN_MAX_TOKENS]; /* per row: least layer where it changes */
    struct reading reading;
};

/* The points [first, first + n) of an end that a cell is of. */
struct points {
    const struct path_point *at;
    int n;
};

static struct points points_of(const struct grid *grid, enum axis axis,
                               uint64_t cell)
{
    const struct path_grid *path = grid->path;
    struct points all =
        axis == AXIS_SENDER
            ? (struct points){path->senders, path->n_senders}
            : (struct points){path->receivers, path->n_receivers};
    int index[PLAN_MAX_AXES];
    grid_coordinates(grid, cell, index);
    for (int i = 0; i < grid->n_axes; i++)
        if (grid->axes[i].axis == axis)
            return (struct points){all.at + index[i], 1};
    return all;
}

uint64_t path_cells_of_sender(const struct grid *grid)
{
    const struct grid_axis *axis = grid_axis_find(grid, AXIS_RECEIVER);
    return axis ? (uint64_t)axis->n : 1;
}

static bool open_sent(struct sent *sent, struct cell *cell,
                      const struct plan *plan, int sweep, int pair, int sample,
                      uint64_t number)
{
    if (!cell_open(cell, plan, sweep, pair, sample, number)) return false;
    struct judge judge = cell_judge(cell);
    struct points senders = points_of(cell->grid, AXIS_SENDER, number);
    sent->earliest = INT_MAX;
    sent->reading = judge.reading;
    for (int at = 0; at < cell->pair->run[cell->sweep->base].n_tokens; at++)
        sent->from[at] = INT_MAX;
    for (int s = 0; s < senders.n; s++) {
        if (!cell_place(cell, &senders.at[s].at) ||
            !cell_has_mean_rows(cell, sweep))
            continue;
        for (int l = 0; l < cell_n_layers(cell); l++) {
            int layer = cell_layer(cell, l);
            if (layer < sent->earliest) sent->earliest = layer;
            for (int i = 0; i < cell->rows.n; i++) {
                int *from = &sent->from[cell->rows.base[i]];
                bool is_changed = !plan->job->skip_unchanged ||
                                  cell_row_matters(cell, &judge, layer, i);
                if (is_changed && layer < *from) *from = layer;
            }
        }
    }
    return sent->earliest < INT_MAX;
}

/* Turn an opened cell to a receiver that is not the logits. */
static bool place_receiver(struct cell *cell, const struct path_point *point)
{
    cell->sweep = cell->grid->sweep->path->receive;
    cell->source_pair = NULL;
    return cell_place(cell, &point->at);
}

/* Whether what was sent is to be taken over at a row of a receiver. */
static bool is_taken(const struct cell *cell, const struct sent *sent,
                     enum site site, int layer, int row)
{
    int n_layer = cell->plan->config->n_layer;
    if (!cell->plan->job->skip_unchanged) return true;
    return sent->from[row] < layer &&
           reading_reaches(&sent->reading, site, layer, n_layer, row);
}

/* The logits are received at the rows that are read. */
static bool is_read_changed(const struct cell *cell, const struct sent *sent)
{
    for (int row = 0; row <= sent->reading.last; row++)
        if (sent->from[row] < INT_MAX && reading_has(&sent->reading, row))
            return true;
    return !cell->plan->job->skip_unchanged;
}

/* A cell, its senders' changes, and what becomes of it. */
static enum cell_status resolve(struct cell *cell, struct sent *sent,
                                const struct plan *plan, int sweep, int pair,
                                int sample, uint64_t number)
{
    if (!open_sent(sent, cell, plan, sweep, pair, sample, number))
        return CELL_NOT_APPLICABLE;
    bool is_after = false, is_changed = false;
    struct points receivers = points_of(cell->grid, AXIS_RECEIVER, number);
    for (int r = 0; r < receivers.n && !is_changed; r++) {
        enum site site = receivers.at[r].site;
        if (site == SITE_COUNT) {
            is_after = true;
            is_changed = is_read_changed(cell, sent);
            continue;
        }
        if (!place_receiver(cell, &receivers.at[r])) continue;
        for (int l = 0; l < cell_n_layers(cell); l++) {
            int layer = cell_layer(cell, l);
            if (layer <= sent->earliest) continue;
            is_after = true;
            for (int i = 0; i < cell->rows.n && !is_changed; i++)
                is_changed =
                    is_taken(cell, sent, site, layer, cell->rows.base[i]);
        }
    }
    if (!is_after) return CELL_NOT_APPLICABLE;
    return is_changed ? CELL_COMPUTED : CELL_UNCHANGED;
}

enum cell_status path_cell_status(const struct plan *plan, int sweep, int pair,
                                  int sample, uint64_t number)
{
    struct cell cell;
    struct sent sent;
    return resolve(&cell, &sent, plan, sweep, pair, sample, number);
}

/* Keep the rows of an edit that are wanted. */
static enum status keep_rows(struct edit *edit, const bool *is_wanted,
                             struct arena *arena, struct err *err)
{
    size_t n = (size_t)edit->rows.n;
    int *lists = arena_alloc(arena, 3 * n + 1, sizeof *lists, err);
    if (!lists) return err->status;
    int *rows = lists, *source = lists + n, *table = lists + 2 * n;
    int kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_wanted[edit->rows.at[i]]) continue;
        rows[kept] = edit->rows.at[i];
        source[kept] = edit->source_rows[i];
        table[kept++] = edit->table_rows[i];
    }
    edit->rows = (struct span){kept, rows};
    edit->source_rows = source;
    edit->table_rows = table;
    return STATUS_OK;
}

/* The engine takes edits by layer, then by site. */
static void sort_edits(struct edit *edits, int n)
{
    for (int i = 1; i < n; i++) {
        struct edit edit = edits[i];
        int k = i;
        while (k > 0 && (edits[k - 1].layer > edit.layer ||
                         (edits[k - 1].layer == edit.layer &&
                          edits[k - 1].site > edit.site))) {
            edits[k] = edits[k - 1];
            k--;
        }
        edits[k] = edit;
    }
}

static int freeze_of(enum path_kind kind)
{
    switch (kind) {
    case PATH_IOI:
        return FREEZE_ATTENTION;
    case PATH_DIRECT:
        return FREEZE_ATTENTION | FREEZE_MLP;
    case PATH_DIRECT_FROZEN_LN:
        return FREEZE_ATTENTION | FREEZE_MLP | FREEZE_NORM;
    case PATH_KIND_COUNT:
        break;
    }
    return 0;
}

/* The edits of the senders at the rows that are wanted. */
static enum status fill_senders(struct edit_list *out, struct cell *cell,
                                int sweep, uint64_t number,
                                const bool *is_wanted,
                                const float *const *tables, struct arena *arena,
                                struct err *err)
{
    const struct plan *plan = cell->plan;
    struct points senders = points_of(cell->grid, AXIS_SENDER, number);
    size_t most = (size_t)senders.n * (size_t)plan->config->n_layer;
    struct edit *edits = arena_alloc(arena, most, sizeof *edits, err);
    if (!edits) return err->status;
    struct judge judge = cell_judge(cell);
    *out = (struct edit_list){edits, 0, freeze_of(cell->sweep->path->kind)};
    for (int s = 0; s < senders.n; s++) {
        struct edit common;
        if (!cell_place(cell, &senders.at[s].at) ||
            !cell_has_mean_rows(cell, sweep))
            continue;
        if (cell_fill_common(&common, cell, sweep, arena, err))
            return err->status;
        for (int l = 0; l < cell_n_layers(cell); l++) {
            struct edit edit = common;
            if (cell_fill_layer(&edit, cell, &judge, sweep, cell_layer(cell, l),
                                arena, err) ||
                keep_rows(&edit, is_wanted, arena, err))
                return err->status;
            if (tables) edit.table = tables[edit.layer];
            if (edit.rows.n > 0) edits[out->n++] = edit;
        }
    }
    sort_edits(edits, out->n);
    return STATUS_OK;
}

/* What one receiver takes over, an edit a layer. */
static enum status fill_receiver(struct edit_list *out, const struct cell *cell,
                                 const struct sent *sent, int sweep,
                                 enum site site, struct arena *arena,
                                 struct err *err)
{
    for (int l = 0; l < cell_n_layers(cell); l++) {
        int layer = cell_layer(cell, l), n = 0;
        if (layer <= sent->earliest) continue;
        int *rows = arena_alloc(arena, (size_t)cell->rows.n, sizeof *rows, err);
        struct edit edit;
        if (!rows || cell_fill_common(&edit, cell, sweep, arena, err))
            return err->status;
        for (int i = 0; i < cell->rows.n; i++)
            if (is_taken(cell, sent, site, layer, cell->rows.base[i]))
                rows[n++] = cell->rows.base[i];
        edit.site = site;
        edit.layer = layer;
        edit.rows = (struct span){n, rows};
        edit.source = EDIT_FROM_CAPTURE;
        edit.capture = -1;
        if (n > 0) out->items[out->n++] = edit;
    }
    return STATUS_OK;
}

enum status path_cell(enum cell_status *status, struct edit_list *out_edits,
                      const struct plan *plan, int sweep, int pair, int sample,
                      uint64_t number, const float *const *tables,
                      struct arena *arena, struct err *err)
{
    struct cell cell;
    struct sent sent;
    *status = resolve(&cell, &sent, plan, sweep, pair, sample, number);
    if (out_edits) *out_edits = (struct edit_list){0};
    if (!out_edits || *status != CELL_COMPUTED) return STATUS_OK;
    struct points receivers = points_of(cell.grid, AXIS_RECEIVER, number);
    if (receivers.n == 1 && receivers.at[0].site == SITE_COUNT) {
        struct path_carry carry;
        if (path_fill_carry(&carry, plan, sweep, pair, sample, number, 1,
                            tables, arena, err))
            return err->status;
        *out_edits = carry.edits;
        return STATUS_OK;
    }
    size_t most = (size_t)receivers.n * (size_t)plan->config->n_layer;
    out_edits->items = arena_alloc(arena, most, sizeof *out_edits->items, err);
    if (!out_edits->items) return err->status;
    for (int r = 0; r < receivers.n; r++)
        if (place_receiver(&cell, &receivers.at[r]) &&
            fill_receiver(out_edits, &cell, &sent, sweep, receivers.at[r].site,
                          arena, err))
            return err->status;
    sort_edits(out_edits->items, out_edits->n);
    return STATUS_OK;
}

/* Mark the rows that a receiver takes over, and append its captures, one for
 * each site and layer. */
static void want_receiver(struct path_carry *out, bool *is_wanted,
                          struct cell *cell, const struct sent *sent,
                          const struct path_point *point)
{
    if (point->site == SITE_COUNT) {
        for (int row = 0; row <= sent->reading.last; row++)
            if (reading_has(&sent->reading, row)) is_wanted[row] = true;
        return;
    }
    if (!place_receiver(cell, point)) return;
    for (int l = 0; l < cell_n_layers(cell); l++) {
        int layer = cell_layer(cell, l), k = 0;
        bool is_any = false;
        if (layer <= sent->earliest) continue;
        for (int i = 0; i < cell->rows.n; i++)
            if (is_taken(cell, sent, point->site, layer, cell->rows.base[i]))
                is_any = is_wanted[cell->rows.base[i]] = true;
        while (k < out->n_captures && (out->captures[k].site != point->site ||
                                       out->captures[k].layer != layer))
            k++;
        if (is_any && k == out->n_captures)
            out->captures[out->n_captures++] = (struct capture){
                .site = point->site, .layer = layer, .number = k};
    }
}

enum status path_fill_carry(struct path_carry *out, const struct plan *plan,
                            int sweep, int pair, int sample, uint64_t number,
                            uint64_t n, const float *const *tables,
                            struct arena *arena, struct err *err)
{
    struct cell cell;
    struct sent sent;
    *out = (struct path_carry){0};
    if (!open_sent(&sent, &cell, plan, sweep, pair, sample, number))
        return STATUS_OK;
    size_t S = (size_t)cell.pair->run[cell.sweep->base].n_tokens;
    size_t most = PATH_SITE_COUNT * (size_t)plan->config->n_layer;
    bool *is_wanted = arena_alloc(arena, S, sizeof *is_wanted, err);
    int *rows = arena_alloc(arena, S, sizeof *rows, err);
    out->captures = arena_alloc(arena, most, sizeof *out->captures, err);
    if (!is_wanted || !rows || !out->captures) return err->status;
    memset(is_wanted, 0, S * sizeof *is_wanted);
    for (uint64_t i = 0; i < n; i++) {
        struct points receivers =
            points_of(cell.grid, AXIS_RECEIVER, number + i);
        for (int r = 0; r < receivers.n; r++)
            want_receiver(out, is_wanted, &cell, &sent, &receivers.at[r]);
    }
    int n_rows = 0;
    for (int row = 0; row < (int)S; row++)
        if (is_wanted[row]) rows[n_rows++] = row;
    for (int i = 0; i < out->n_captures; i++)
        out->captures[i].rows = (struct span){n_rows, rows};
    cell.sweep = cell.grid->sweep;
    bool is_open = cell_open(&cell, plan, sweep, pair, sample, number);
    if (!is_open) return STATUS_OK; /* it was open above */
    return fill_senders(&out->edits, &cell, sweep, number, is_wanted, tables,
                        arena, err);
}

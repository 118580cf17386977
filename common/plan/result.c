#include "common/plan/result.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/plan/grid.h"
#include "common/plan/shape.h"

/* On the wire and in the journal. */
static const uint32_t kind_numbers[UNIT_KIND_COUNT] = {
    [UNIT_SWEEP] = 1,  [UNIT_BASELINE] = 2, [UNIT_ANALYSIS] = 3,
    [UNIT_EXPORT] = 4, [UNIT_RECORD] = 5,   [UNIT_NOISED] = 6};

void result_free(struct result *result)
{
    free(result->values);
    free(result->pairs);
    *result = (struct result){0};
}

void result_encode(struct buf *out, const struct result *result)
{
    buf_u64(out, result->unit);
    buf_u32(out, kind_numbers[result->kind]);
    buf_f64(out, result->flops);
    buf_f64(out, result->seconds);
    size_t n_metrics = (size_t)result->n_metrics;
    if (result->kind == UNIT_SWEEP || result->kind == UNIT_NOISED) {
        buf_u32(out, (uint32_t)result->n_metrics);
        buf_u64(out, result->n_lanes);
        buf_f32_array(out, result->values, n_metrics * (size_t)result->n_lanes);
        if (result->kind == UNIT_NOISED) buf_f64(out, result->noise_std);
        return;
    }
    if (result->kind == UNIT_ANALYSIS) {
        buf_u64(out, result->n_values);
        buf_f32_array(out, result->values, result->n_values);
        return;
    }
    if (result->kind == UNIT_EXPORT || result->kind == UNIT_RECORD) {
        buf_u64(out, result->part_bytes);
        buf_u32(out, result->part_crc);
        return;
    }
    buf_u32(out, (uint32_t)result->n_pairs);
    buf_u32(out, (uint32_t)result->n_metrics);
    for (int p = 0; p < result->n_pairs; p++) {
        buf_u8(out, result->pairs[p].is_excluded);
        buf_i32(out, result->pairs[p].predicted);
        buf_f32_array(out, result->pairs[p].values, RUN_COUNT * n_metrics);
    }
}

/* How many cells that follow each other in a segment's numbering, from a
 * multiple of as many on, have the same status. */
static uint64_t cells_alike(const struct grid *grid,
                            const struct segment *segment)
{
    uint64_t n = 1;
    for (int i = grid->n_axes - 1;
         i >= 0 && !grid_is_decisive(grid->axes[i].axis); i--)
        n *= (uint64_t)segment->extent[i];
    return n;
}

uint64_t result_lanes(const struct plan *plan, const struct unit *unit)
{
    uint64_t lanes = 0;
    if (unit->kind != UNIT_SWEEP && unit->kind != UNIT_NOISED) return 0;
    const struct block *block = &plan->blocks[unit->block];
    const struct grid *grid = &plan->grids[unit->item];
    for (int p = 0; unit->kind == UNIT_NOISED && p < block->n; p++)
        if (grid->is_selected[block->pairs[p]])
            lanes += (uint64_t)grid->n_samples;
    uint64_t alike = cells_alike(grid, &plan->segments[unit->segment]), n;
    for (uint64_t i = 0; i < unit->n_cells; i += n) {
        uint64_t cell = plan_unit_cell(plan, unit, i);
        n = alike - (unit->first_cell + i) % alike;
        if (n > unit->n_cells - i) n = unit->n_cells - i;
        for (int p = 0; p < block->n; p++)
            for (int s = 0; s < grid->n_samples; s++) {
                enum cell_status status = plan_cell_status(
                    plan, unit->item, block->pairs[p], s, cell);
                if (cell_is_lane(status)) lanes += n;
            }
    }
    return lanes;
}

/* n values, which are all that is left. */
static enum status decode_values(struct result *out, struct cursor *cursor,
                                 size_t n, struct err *err)
{
    if (cursor_left(cursor) / sizeof(float) < n) {
        cursor->is_bad = true;
        return STATUS_OK;
    }
    out->n_values = n;
    out->values = mem_calloc(n, sizeof *out->values, "a result", err);
    for (size_t i = 0; out->values && i < n; i++)
        out->values[i] = cursor_f32(cursor);
    return err->status;
}

static enum status decode_baseline(struct result *out, struct cursor *cursor,
                                   struct err *err)
{
    size_t row = RUN_COUNT * (size_t)out->n_metrics;
    size_t n_pairs = (size_t)out->n_pairs;
    if (cursor_left(cursor) != n_pairs * (5 + row * sizeof(float))) {
        cursor->is_bad = true;
        return STATUS_OK;
    }
    out->values =
        mem_calloc(n_pairs * row, sizeof *out->values, "a result", err);
    out->n_values = n_pairs * row;
    out->pairs = mem_calloc(n_pairs, sizeof *out->pairs, "a result", err);
    if (!out->values || !out->pairs) return err->status;
    for (size_t p = 0; p < n_pairs; p++) {
        out->pairs[p].is_excluded = cursor_u8(cursor) != 0;
        out->pairs[p].predicted = cursor_i32(cursor);
        out->pairs[p].values = out->values + p * row;
        for (size_t i = 0; i < row; i++)
            out->pairs[p].values[i] = cursor_f32(cursor);
    }
    return STATUS_OK;
}

static enum status decode(struct result *out, const struct plan *plan,
                          struct cursor *cursor, struct err *err)
{
    out->unit = cursor_u64(cursor);
    uint32_t kind = cursor_u32(cursor);
    out->flops = cursor_f64(cursor);
    out->seconds = cursor_f64(cursor);
    if (cursor->is_bad || out->unit >= plan->n_units) {
        cursor->is_bad = true;
        return STATUS_OK;
    }
    struct unit unit;
    plan_unit(plan, out->unit, &unit);
    out->kind = unit.kind;
    if (kind != kind_numbers[unit.kind]) {
        cursor->is_bad = true;
        return STATUS_OK;
    }
    if (out->kind == UNIT_BASELINE) {
        out->n_pairs = (int)cursor_u32(cursor);
        out->n_metrics = (int)cursor_u32(cursor);
        if (out->n_pairs != plan->blocks[unit.block].n ||
            out->n_metrics != plan->n_baseline_metrics) {
            cursor->is_bad = true;
            return STATUS_OK;
        }
        return decode_baseline(out, cursor, err);
    }
    if (out->kind == UNIT_ANALYSIS) {
        struct shape shape;
        shape_open_block(&shape, plan, unit.item, unit.block);
        bool has_block = unit.block != PLAN_NO_BLOCK;
        size_t n = shape_unit_values(
            &shape, has_block ? plan->blocks[unit.block].n : 0);
        if (cursor_u64(cursor) == n) return decode_values(out, cursor, n, err);
        cursor->is_bad = true;
        return STATUS_OK;
    }
    if (out->kind == UNIT_EXPORT || out->kind == UNIT_RECORD) {
        out->part_bytes = cursor_u64(cursor);
        out->part_crc = cursor_u32(cursor);
        return STATUS_OK;
    }
    out->n_metrics = (int)cursor_u32(cursor);
    out->n_lanes = cursor_u64(cursor);
    if (out->n_metrics != plan->job->sweeps[unit.item].n_metrics ||
        out->n_lanes != result_lanes(plan, &unit)) {
        cursor->is_bad = true;
        return STATUS_OK;
    }
    size_t n = (size_t)out->n_metrics * (size_t)out->n_lanes;
    if (decode_values(out, cursor, n, err)) return err->status;
    if (out->kind == UNIT_NOISED) out->noise_std = cursor_f64(cursor);
    return STATUS_OK;
}

enum status result_decode(struct result *out, const struct plan *plan,
                          const void *data, size_t n, struct err *err)
{
    *out = (struct result){0};
    struct cursor cursor = cursor_of(data, n);
    if (decode(out, plan, &cursor, err) == STATUS_OK &&
        !cursor_is_done(&cursor))
        (void)err_set(err, STATUS_DAMAGED,
                      "a result of %zu bytes for unit %llu does not fit the "
                      "plan",
                      n, (unsigned long long)out->unit);
    if (err->status) result_free(out);
    return err->status;
}

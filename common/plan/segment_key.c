/* segment_key.c - what a segment is in the journal: everything that its units'
 * cells and values depend on, but the pairs of its block, which have keys of
 * their own. */
#include <string.h>

#include "common/job/analysis.h"
#include "common/plan/keep.h"
#include "common/plan/segment.h"

static void add_text(struct digest_stream *stream, const char *text)
{
    digest_add(stream, text, strlen(text) + 1);
}

/* What every unit depends on that is not of a sweep (whose grid's key has
 * it). */
static void add_run(struct digest_stream *stream, const struct plan *plan)
{
    const uint32_t version = PLAN_VERSION;
    digest_add(stream, &version, sizeof version);
    digest_add(stream, &plan->model, sizeof plan->model);
    add_text(stream, plan->job->canonical);
}

static void add_selected(struct digest_stream *stream, const struct plan *plan,
                         int block, const bool *is_selected)
{
    const struct block *of = &plan->blocks[block];
    for (int p = 0; p < of->n; p++)
        digest_add(stream, &is_selected[of->pairs[p]], sizeof(bool));
}

static void add_baseline(struct digest_stream *stream, const struct plan *plan)
{
    add_run(stream, plan);
    for (int i = 0; i < plan->n_baseline_metrics; i++)
        add_text(stream, metric_name(plan->baseline_metrics[i]));
}

static void add_export(struct digest_stream *stream,
                       const struct segment *segment, const struct plan *plan)
{
    const struct keep *keep = &plan->exports[segment->item];
    add_text(stream, "activations");
    add_run(stream, plan);
    add_text(stream, keep->entry->canonical);
    add_selected(stream, plan, segment->block, keep->is_selected);
}

/* The extents of a sweep's axes over the block, labels by their names; of a
 * record those among its chosen ones. */
static void add_extents(struct digest_stream *stream,
                        const struct segment *segment, const struct grid *grid,
                        const struct keep *record)
{
    int n_axes = record ? record->n_axes : grid->n_axes;
    for (int i = 0; i < n_axes; i++) {
        const struct grid_axis *axis = &grid->axes[i];
        digest_add(stream, &segment->extent[i], sizeof segment->extent[i]);
        if (axis->axis != AXIS_LABEL) continue;
        for (int k = 0; k < segment->extent[i]; k++) {
            int at = segment->label_map[k];
            if (record) at = record->chosen[i][at];
            add_text(stream, axis->labels[at]);
            digest_add(stream, &axis->label_item[at],
                       sizeof axis->label_item[at]);
        }
    }
}

/* A sweep's cells, what is recorded of them, or its noised runs. */
static void add_sweep(struct digest_stream *stream,
                      const struct segment *segment, const struct plan *plan)
{
    const struct keep *record =
        segment->kind == UNIT_RECORD ? &plan->records[segment->item] : NULL;
    const struct grid *grid =
        &plan->grids[record ? record->sweep : segment->item];
    if (record) {
        add_text(stream, "record");
        add_text(stream, record->entry->canonical);
    }
    digest_add(stream, &grid->key, sizeof grid->key);
    if (segment->kind != UNIT_NOISED)
        add_extents(stream, segment, grid, record);
    add_selected(stream, plan, segment->block, grid->is_selected);
    if (segment->kind == UNIT_NOISED) digest_add(stream, "noised", 6);
}

enum status segment_key(struct digest *out, const struct segment *segment,
                        const struct plan *plan, struct err *err)
{
    struct digest_stream *stream = digest_open(err);
    if (!stream) return err->status;
    switch (segment->kind) {
    case UNIT_BASELINE:
        add_baseline(stream, plan);
        break;
    case UNIT_ANALYSIS:
        add_run(stream, plan);
        add_text(stream, "analysis");
        add_text(stream, plan->job->analyses[segment->item].canonical);
        break;
    case UNIT_EXPORT:
        add_export(stream, segment, plan);
        break;
    case UNIT_SWEEP:
    case UNIT_RECORD:
    case UNIT_NOISED:
        add_sweep(stream, segment, plan);
        break;
    case UNIT_KIND_COUNT:
        break;
    }
    return digest_close(stream, out, err);
}

enum status plan_unit_key(struct digest *out, const struct plan *plan,
                          const struct unit *unit, struct err *err)
{
    return segment_key(out, &plan->segments[unit->segment], plan, err);
}

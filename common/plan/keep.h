/* keep.h - what an entry of `activations` or `record` keeps, resolved against
 * the model and the pairs.
 *
 * The pieces of a unit, in the order in which they are computed and stored:
 *   activations: for each selected pair of the unit, for each run that the
 *                entry names and the pair has
 *   record:      for each cell of the unit, for each selected pair of the
 *                block, for each sample
 * one *pass*; and of a pass, one piece for each hook, in the model's order. A
 * piece holds float32 or float16 values: of hooks with positions
 * [position, ..], of attn_scores and pattern [head, dest, src], where position
 * and dest are the rows that are kept and all else is whole. */
#ifndef PATCHSWEEP_COMMON_PLAN_KEEP_H
#define PATCHSWEEP_COMMON_PLAN_KEEP_H

#include "common/plan/plan.h"

struct keep_hook {
    enum hook hook;
    int layer;
};

struct keep {
    const struct keeping *entry; /* kept */
    int number;                  /* of the entry in its list */
    int sweep;                   /* record: of the job; -1: activations */
    struct keep_hook *hooks;     /* in the order of a pass; owned */
    int n_hooks;
    bool *is_selected; /* per pair of the job; owned */
    /* record: the chosen indices of each axis of the sweep's grid; n_axes 0
     * where it keeps the noised run itself */
    int n_axes;
    int *chosen[PLAN_MAX_AXES]; /* ascending; owned */
    int n_chosen[PLAN_MAX_AXES];
    char *name; /* for messages; owned */
};

/* STATUS_INPUT where `cells` names what the axis has not. grids are there. */
enum status keep_open(struct keep *out, const struct plan *plan,
                      const struct keeping *entry, int number, int sweep,
                      struct err *err) WARN_UNUSED;
void keep_free(struct keep *keep);

/* Cell i of a record's segment: which of the chosen indices it has on each
 * axis, and the grid's number of it. */
uint64_t keep_cell(const struct plan *plan, const struct segment *segment,
                   uint64_t i, int index[PLAN_MAX_AXES]);

/* A row that is kept: which element of `positions` it is, which of that
 * label's positions, and where it is in the run. Without `positions` element
 * and position are the same. */
struct keep_row {
    int place, item, at;
};

/* The rows of a run, no more than keep_extents says; rows may be NULL. */
int keep_rows(const struct keep *keep, const struct pair *pair, enum run run,
              struct keep_row *rows);

/* Rows that an array over all pairs has: per element of `positions` how many
 * (extent may be NULL); without `positions` one for each position of the
 * longest run. In all. */
int keep_extents(const struct keep *keep, const struct pairs *pairs,
                 enum run run, int *extent);

/* Values of a piece of a run of S tokens of which n rows are kept. */
size_t keep_values(const struct model_config *config, enum hook hook, size_t S,
                   size_t n);
size_t keep_bytes(const struct keep *keep, size_t values); /* as stored */

/* Bytes of the values and FLOPs of some cells of a segment: pairs of the block
 * for activations, cells over the whole block for record. */
struct keep_cost {
    double bytes, flops;
};
struct keep_cost keep_cost_of(const struct plan *plan,
                              const struct segment *segment, uint64_t first,
                              uint64_t n);

/* One pass after the other of a unit. Begin with zeroes but for the first
 * three. */
struct keep_walk {
    const struct plan *plan;
    const struct unit *unit;
    const struct segment *of; /* the unit's */
    /* the pass */
    uint64_t cell;            /* record: of the grid */
    int index[PLAN_MAX_AXES]; /* record: as keep_cell */
    int item;                 /* the pair's place in its block */
    int pair;                 /* of the job */
    int sample;               /* record */
    enum run run;
    uint64_t next; /* the walk's own: where it goes on */
};
bool keep_next(struct keep_walk *walk);

/* The entry that a unit or segment of these kinds belongs to. */
const struct keep *plan_keep(const struct plan *plan, enum unit_kind kind,
                             int item);

#endif

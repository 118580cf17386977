/* grid.h - the geometry of a sweep; the structures are in plan.h. */
#ifndef PATCHSWEEP_COMMON_PLAN_GRID_H
#define PATCHSWEEP_COMMON_PLAN_GRID_H

#include "common/plan/plan.h"

/* Lay out the axes of a sweep over all pairs of the job, in canonical order.
 * Names it in the message where an axis has no value at all. is_selected and
 * key are the planner's to fill. */
enum status grid_open(struct grid *out, const struct sweep *sweep,
                      const struct pairs *pairs,
                      const struct model_config *config,
                      struct err *err) WARN_UNUSED;
void grid_free(struct grid *grid);

/* Whether what becomes of a cell depends on the axis: which head, neuron, dim
 * or scale it is makes no difference. */
bool grid_is_decisive(enum axis axis);

#endif

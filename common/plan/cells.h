/* cells.h - for the planner's own files. */
#ifndef PATCHSWEEP_COMMON_PLAN_CELLS_H
#define PATCHSWEEP_COMMON_PLAN_CELLS_H

#include "common/plan/plan.h"

/* The row of a mean table that stands at a base position of a pair: by
 * position, by the first label that holds the position, or the one row of the
 * group; -1 where no reference prompt has it. */
int cells_mean_row(const struct plan *plan, int sweep, int pair, int at);

#endif

/* by_hand.h - for the planner's own files: a sweep whose one cell is a list of
 * edits by hand. plan_cell_status and plan_cell of such a sweep. */
#ifndef PATCHSWEEP_COMMON_PLAN_BY_HAND_H
#define PATCHSWEEP_COMMON_PLAN_BY_HAND_H

#include "common/plan/plan.h"

enum cell_status by_hand_status(const struct plan *plan, int sweep, int pair,
                                int sample);

enum status by_hand_cell(enum cell_status *status, struct edit_list *out,
                         const struct plan *plan, int sweep, int pair,
                         int sample, struct arena *arena,
                         struct err *err) WARN_UNUSED;

#endif

/* cost.h - for the planner's own files. */
#ifndef PATCHSWEEP_COMMON_PLAN_COST_H
#define PATCHSWEEP_COMMON_PLAN_COST_H

#include "common/plan/plan.h"

/* FLOPs of computing one lane with these edits, and of its metrics alone. */
double cost_lane(const struct plan *plan, const struct sweep *sweep,
                 const struct pair *pair, const struct edit_list *edits);
/* A whole pass of n_tokens without the unembedding. */
double cost_pass(const struct model_config *config, int n_tokens);
/* Of one row through the matrix products of all blocks. */
double cost_row(const struct model_config *config);
/* Of the noised runs of a sweep over a block, with their metrics. */
double cost_noised(const struct plan *plan, int sweep, int block);
double cost_measure(const struct plan *plan, const struct pair *pair,
                    enum run run, const enum metric *metrics, int n);

/* Of an analysis over a block (or PLAN_NO_BLOCK). */
double cost_analysis(const struct plan *plan, int item, int block);

#endif

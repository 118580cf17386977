/* cost.h - for the planner's own files. */
#ifndef PATCHSWEEP_COMMON_PLAN_COST_H
#define PATCHSWEEP_COMMON_PLAN_COST_H

#include "common/plan/plan.h"

/* FLOPs of computing one cell of a pair, for one sample; of a path with its
 * share of what the cells of one sender have in common. And of its metrics
 * alone. arena: scratch, on failure err is set. */
double cost_cell(const struct plan *plan, int sweep, int pair, uint64_t cell,
                 struct arena *arena, struct err *err);
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

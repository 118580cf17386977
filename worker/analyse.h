/* analyse.h - units of analyses: the plain forward pass of each prompt, and
 * what is read off it. Definitions: docs/metrics.md; the values' order:
 * common/plan/shape.h. */
#ifndef PATCHSWEEP_WORKER_ANALYSE_H
#define PATCHSWEEP_WORKER_ANALYSE_H

#include "common/base/err.h"
#include "common/model/weights.h"
#include "common/plan/plan.h"
#include "worker/block_runs.h"

struct analyser;

/* For the analyses of a plan, of which there may be none. Both are kept. */
struct analyser *analyser_open(const struct plan *plan,
                               const struct weights *weights,
                               struct err *err) WARN_UNUSED;
void analyser_close(struct analyser *analyser);

/* What an open one holds, and a forward pass beside it. */
size_t analyser_bytes(const struct plan *plan);

/* Whether the block's base runs are needed first: to know which pairs are
 * excluded or what a predicted answer is. */
bool analyser_needs_runs(const struct plan *plan, const struct unit *unit);

/* Compute a unit: values (shape_unit_values of them) are written. runs: of
 * the block, or NULL where analyser_needs_runs says that none are needed.
 * STATUS_NUMERIC where an activation is not finite. */
enum status analyser_run(struct analyser *analyser, const struct unit *unit,
                         const struct block_runs *runs, float *values,
                         struct err *err) WARN_UNUSED;

#endif

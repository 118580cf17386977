/* metric_gradient.h - the derivative of a metric by the final states it is
 * read from: where the way back begins. */
#ifndef PATCHSWEEP_WORKER_METRIC_GRADIENT_H
#define PATCHSWEEP_WORKER_METRIC_GRADIENT_H

#include "common/base/err.h"
#include "common/job/pairs.h"
#include "common/model/weights.h"
#include "worker/block_runs.h"

/* d_final (S, C), S = tokens of the run: the derivative of the metric by
 * ln_final.hook_normalized, which is `final` (S, C). Metrics without a gradient
 * (METRIC_NO_GRADIENT) are the caller's fault. Definitions: docs/metrics.md. */
enum status metric_gradient(float *d_final, const float *final,
                            const struct weights *weights,
                            const struct block_pair *item,
                            const struct pair *pair, enum run run,
                            enum metric metric, struct err *err) WARN_UNUSED;

#endif

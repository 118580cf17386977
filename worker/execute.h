/* execute.h - compute one unit. The worker's whole face to the outside. */
#ifndef PATCHSWEEP_WORKER_EXECUTE_H
#define PATCHSWEEP_WORKER_EXECUTE_H

#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/model/tokenizer.h"
#include "common/model/weights.h"
#include "common/plan/plan.h"

struct executor;

/* An executor holds the buffers of one computing thread and its cache of base
 * runs. plan, weights and tokenizer are kept; tokenizer may be NULL unless the
 * job requires an attribute. cache_bytes bounds the cache; at least one block
 * always fits. NULL on failure; release with executor_close. */
struct executor *executor_open(const struct plan *plan,
                               const struct weights *weights,
                               const struct tokenizer *tokenizer,
                               size_t cache_bytes, struct err *err) WARN_UNUSED;
void executor_close(struct executor *executor);

/* Units of activations write their parts below this output folder (kept);
 * they fail where there is none. */
void executor_set_output(struct executor *executor, const char *out);

/* Compute unit number and append its result (result.h) to out. The same plan
 * and unit give the same values, bit for bit, on one CPU type. A value that is
 * not finite is STATUS_NUMERIC and names the cell. */
enum status executor_run(struct executor *executor, uint64_t unit,
                         struct buf *out, struct err *err) WARN_UNUSED;

/* Bytes that an executor needs beyond its cache and the weights. */
size_t executor_floor_bytes(const struct plan *plan);

#endif

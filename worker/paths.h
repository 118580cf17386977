/* paths.h - what the carrying passes of a unit capture (common/plan/path.h),
 * kept while the cells of their sender are run. */
#ifndef PATCHSWEEP_WORKER_PATHS_H
#define PATCHSWEEP_WORKER_PATHS_H

#include "common/plan/path.h"
#include "worker/block_runs.h"
#include "worker/engine.h"

/* Most bytes that the cells of one sender, taken together, capture, unless one
 * cell does; and from which on all is let go before the next sender. A plan
 * constant: it decides batches. */
enum { PATHS_BYTES = 4 << 20 };

struct paths {
    struct arena arena;     /* carrying passes and what they capture */
    struct captured *items; /* by number; owned */
    size_t n, capacity;
    size_t bytes; /* captured */
    /* of the sender under way, per pair and sample; owned */
    struct path_carry *carries;
    size_t *first; /* number of its first capture */
};

/* Room for n_lanes pairs and samples. */
enum status paths_open(struct paths *out, size_t n_lanes,
                       struct err *err) WARN_UNUSED;
void paths_close(struct paths *paths);

/* Bytes that a job's paths need at most. */
size_t paths_floor_bytes(const struct plan *plan, size_t max_tokens);

/* Forget everything captured; no lane may be under way. */
void paths_reset(struct paths *paths);

/* So much is captured that it must be let go before the next sender. */
bool paths_are_full(const struct paths *paths);

/* Make the carrying passes of cell i of a unit and of the next ones of its
 * sender: of n cells in all, so many that what they capture fits. */
enum status paths_fill(struct paths *paths, const struct plan *plan,
                       const struct unit *unit, uint64_t i,
                       const struct block_runs *runs,
                       const float *const *tables, uint64_t *n,
                       struct err *err) WARN_UNUSED;

/* Number the captures of carries[i] and give them to the lane that runs it. */
enum status paths_add(struct paths *paths, size_t i, struct lane *lane,
                      const struct model_config *config,
                      struct err *err) WARN_UNUSED;

/* Point the edits of a cell of pair and sample i to what was captured. */
void paths_resolve(const struct paths *paths, size_t i,
                   const struct edit_list *edits);

#endif

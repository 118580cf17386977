/* coordinator_parts.h - what coordinator.c and recall.c share. */
#ifndef PATCHSWEEP_COORDINATOR_COORDINATOR_PARTS_H
#define PATCHSWEEP_COORDINATOR_COORDINATOR_PARTS_H

#include "common/store/lock.h"
#include "coordinator/coordinator.h"
#include "coordinator/progress.h"
#include "coordinator/serve.h"

struct coordinator {
    const struct coordinator_options *options;
    const struct plan *plan;
    struct lock lock;
    struct journal *journal;
    char *stop_path;
    unsigned char *done; /* bit a unit */
    uint64_t n_done;
    struct serve serve; /* of coordinator_serve, for coordinator_leave */
    struct scheduler *scheduler;
};

/* Cells of a unit: (cell, pair, sample), whatever becomes of them. */
uint64_t coordinator_unit_cells(const struct plan *plan,
                                const struct unit *unit);

/* A second result of a unit against the recorded one: values bit for bit
 * where is_same_cpu, else within the parity tolerance; else STATUS_NUMERIC. */
enum status coordinator_compare_second(struct coordinator *coordinator,
                                       uint64_t unit, const void *data,
                                       size_t n, bool is_same_cpu,
                                       struct err *err) WARN_UNUSED;

#endif

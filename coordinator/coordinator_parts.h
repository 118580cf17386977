/* coordinator_parts.h - what coordinator.c, recall.c and record.c share. */
#ifndef PATCHSWEEP_COORDINATOR_COORDINATOR_PARTS_H
#define PATCHSWEEP_COORDINATOR_COORDINATOR_PARTS_H

#include "common/store/lock.h"
#include "coordinator/coordinator.h"
#include "coordinator/progress.h"
#include "coordinator/serve.h"

/* Second results come of units that were given twice near the end: mostly of
 * the last ones recorded, which are found without a walk of the journal. */
enum { COORDINATOR_RECENT = 4096 };

struct coordinator {
    const struct coordinator_options *options;
    const struct plan *plan;
    struct lock lock;
    struct journal *journal;
    char *stop_path;
    unsigned char *done; /* bit a unit */
    uint64_t n_done;
    struct {
        uint64_t unit, at;        /* in the journal */
    } recent[COORDINATOR_RECENT]; /* a ring of the units recorded last */
    uint64_t n_recorded;
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

/* What is known of a worker. */
struct worker_record {
    char name[MESSAGE_NAME_BYTES + 64]; /* "rank 3 (host, pid 12)" */
    struct message_hello hello;
    uint64_t results, failures;
};

struct serving {
    struct coordinator *c;
    struct worker_record *workers; /* owned */
    const struct buf *start;
    struct progress progress;
    struct buf kinds; /* CPU type with BLAS kernel, distinct */
    int n_kinds, n_joined, n_workers;
    int first_joined; /* worker */
    bool is_recorded; /* the start */
    double next_sync_s, next_look_s;
    const char *stop_reason; /* NULL: none asked for */
    bool is_dropped;
    uint64_t n_results, cells_computed, cells_unchanged, cells_failed;
};

/* Append name to a NUL-separated list unless it is there; true: appended. */
bool serving_add_distinct(struct buf *list, const char *name);

/* Append a record to the journal and release its text. */
enum status serving_append(struct serving *s, enum journal_record kind,
                           struct buf *text, struct err *err) WARN_UNUSED;

/* The start, once, with what the workers that have joined are: when all have,
 * or before the first answer. */
enum status serving_record_start(struct serving *s,
                                 struct err *err) WARN_UNUSED;

/* The end, and a sync. */
enum status serving_record_end(struct serving *s, const char *ending,
                               double now_s, struct err *err) WARN_UNUSED;

#endif

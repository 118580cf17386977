/* scheduler.h - which worker computes which unit: a pure state machine.
 *
 * Events go in, actions come out; it knows no clock, no MPI and no file. It
 * holds a bit a unit and a cursor a segment, never a list of units.
 *
 * The rules, in order:
 *   1. A worker has at most two units; one, once fewer units are left than
 *      there are workers (so that no unit waits behind another at the end).
 *   2. A worker stays with its block while the block has units, since it has
 *      the block's base runs. Else it takes the block with most work that no
 *      worker has; else it helps where most work is left for each worker.
 *   3. Of a block's segments the baseline comes first, then the segment whose
 *      next unit is the largest; inside a segment units go by number.
 *   4. When every unit is closed (done or failed), or a stop was asked for, a
 *      worker without units is told to stop.
 *   5. The units of a worker that is silent or lost go back and are given to
 *      others, once; a silent one gets no more until it is heard again.
 *   6. The units of a worker that is late are given to others, once, when those
 *      have nothing else to do; the late one gets no more until it answers. Who
 *      is late when all is done, or when a stop was asked for, is not waited
 *      for.
 *
 * Why every run of it ends: docs/protocol.md. */
#ifndef PATCHSWEEP_COORDINATOR_SCHEDULER_H
#define PATCHSWEEP_COORDINATOR_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

enum { SCHEDULER_OUTSTANDING = 2 };

struct scheduler_segment {
    uint64_t first_unit, n_units;
    double flops;
    int block; /* 0 .. n_blocks-1 */
    bool is_baseline;
    bool is_dropped; /* not to be computed */
};

struct scheduler_work {
    const struct scheduler_segment *segments; /* ascending first_unit, without
                                               * gaps from 0; copied */
    int n_segments, n_blocks;
    /* Bit u of byte u / 8: unit u is done; NULL: none is. Copied. */
    const unsigned char *done;
    /* FLOPs of a unit; user is handed back. Kept. */
    double (*unit_flops)(void *user, uint64_t unit);
    void *user;
};

/* code, meaning */
#define SCHEDULER_EVENT_LIST(X)                                                \
    X(SCHEDULER_JOINED, "the worker said HELLO")                               \
    X(SCHEDULER_RESULT, "the worker returned the unit")                        \
    X(SCHEDULER_FAILED, "the worker cannot compute the unit")                  \
    X(SCHEDULER_SILENT, "the worker has not been heard for too long")          \
    X(SCHEDULER_LATE, "the worker takes many times as long as others would")   \
    X(SCHEDULER_LOST, "the worker's process has gone")                         \
    X(SCHEDULER_LEFT, "the worker said BYE")                                   \
    X(SCHEDULER_STOP, "no more units are to be given out")

enum scheduler_event_kind {
#define SCHEDULER_EVENT_ENUM(code, meaning) code,
    SCHEDULER_EVENT_LIST(SCHEDULER_EVENT_ENUM)
#undef SCHEDULER_EVENT_ENUM
};

struct scheduler_event {
    enum scheduler_event_kind kind;
    int worker;    /* all but STOP */
    uint64_t unit; /* RESULT, FAILED */
};

struct scheduler_action {
    bool is_stop; /* tell worker to stop; else give it unit */
    int worker;
    uint64_t unit;
};

struct scheduler_counts {
    uint64_t units;  /* that belong to the job */
    uint64_t done;   /* of them, with those of earlier starts */
    uint64_t failed; /* of them, in this start; not among done */
    uint64_t issued; /* given out and not answered */
    double flops, done_flops;
    int workers; /* joined and not left */
};

struct scheduler;

/* n_workers are expected, numbered from 0. Release with scheduler_close. */
enum status scheduler_open(struct scheduler **out,
                           const struct scheduler_work *work, int n_workers,
                           struct err *err) WARN_UNUSED;
void scheduler_close(struct scheduler *scheduler);

/* Take in one event. *is_new (may be NULL): for RESULT and FAILED, the unit
 * was open until now; false: it had been answered before (by a worker that
 * was taken for silent). STATUS_MPI for what no worker in order would do:
 * a unit it was not given, a second HELLO. */
enum status scheduler_take(struct scheduler *scheduler,
                           const struct scheduler_event *event, bool *is_new,
                           struct err *err) WARN_UNUSED;

/* The next thing to do; false where there is nothing until another event. */
bool scheduler_next(struct scheduler *scheduler, struct scheduler_action *out);

/* Every worker has left, or is silent, lost, or late at the end. */
bool scheduler_is_over(const struct scheduler *scheduler);

/* All units of the job are done or failed. */
bool scheduler_is_complete(const struct scheduler *scheduler);

void scheduler_count(const struct scheduler *scheduler,
                     struct scheduler_counts *out);

double scheduler_unit_flops(const struct scheduler *scheduler, uint64_t unit);

/* The worker's process has gone. */
bool scheduler_is_lost(const struct scheduler *scheduler, int worker);

/* The units a worker holds, oldest first; their number is returned. */
int scheduler_outstanding(const struct scheduler *scheduler, int worker,
                          uint64_t units[SCHEDULER_OUTSTANDING]);

#endif

/* coordinator.h - rank 0's part of a run: the output folder, its lock and
 * journal, and the loop that gives out units and records what comes back.
 *
 * OUT/journal is the truth, OUT/lock keeps a second run out, OUT/stop (made
 * by the user) asks for a stop. In order: coordinator_open, coordinator_recall,
 * coordinator_serve, coordinator_leave, coordinator_close. */
#ifndef PATCHSWEEP_COORDINATOR_COORDINATOR_H
#define PATCHSWEEP_COORDINATOR_COORDINATOR_H

#include <stdbool.h>
#include <stdio.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/plan/plan.h"
#include "common/store/journal.h"
#include "common/transport/transport.h"

enum coordinator_signal {
    COORDINATOR_NO_SIGNAL,
    COORDINATOR_SIGNAL_STOP, /* SIGUSR1: drain and end */
    COORDINATOR_SIGNAL_DROP  /* SIGTERM, SIGINT: sync and end */
};

struct coordinator_options {
    const char *folder; /* made where it is absent */
    double sync_s;      /* seconds between syncs: what a crash may cost */
    double silent_s;    /* see serve.h; 0: 600 */
    double late_s;      /* see serve.h; 0: 10 */
    int (*next_lost)(void *watch); /* see serve.h; may be NULL */
    void *watch;
    double end_s; /* clock_now_s() at which to stop; 0: never */
    bool accept_change, break_lock;
    FILE *log; /* notices and progress; NULL: silent */
    bool is_terminal;
    enum coordinator_signal (*signal)(void); /* what has come so far */
};

struct coordinator;

/* Take the lock, open the journal, cut its bad tail (which is told). options
 * and what they point to are kept. */
enum status coordinator_open(struct coordinator **out,
                             const struct coordinator_options *options,
                             struct err *err) WARN_UNUSED;

/* Replay the journal onto plan (fresh from plan_open; kept), add what the job
 * has more, note which units are done. inputs: the payload of JOURNAL_INPUTS,
 * recorded where it differs from the last one. records receives every
 * extension, for coordinator_replay_records on the other ranks. Pairs or sweeps
 * that were changed or removed are listed and are STATUS_INPUT without
 * accept_change. */
enum status coordinator_recall(struct coordinator *coordinator,
                               struct plan *plan, const struct buf *inputs,
                               struct buf *records,
                               struct err *err) WARN_UNUSED;

/* After recall: STATUS_INPUT with both numbers where the activations that are
 * not there yet, and activations.h5 where it is gathered, need more room than
 * the folder's disk has. */
enum status coordinator_check_room(const struct coordinator *coordinator,
                                   bool is_gathering,
                                   struct err *err) WARN_UNUSED;

/* The same extensions onto another rank's plan. */
enum status coordinator_replay_records(struct plan *plan,
                                       const struct buf *records,
                                       struct err *err) WARN_UNUSED;

struct coordinator_outcome {
    bool is_complete; /* every unit is done or failed */
    bool is_dropped;  /* left at once: workers are still at work */
    int n_given_up;   /* workers that cannot be waited for */
    char ending[128]; /* in words; also in the journal */
};

/* Serve n_workers (peers 0 .. n_workers-1 of transport; 0 lives in this
 * process) until all is done or a stop was asked for; then write the record
 * of the end and sync. start: the lines of JOURNAL_START that are known
 * (runinfo.h); hosts, CPUs and BLAS kernels are added as workers join.
 * STATUS_OK, STATUS_UNITS_FAILED or STATUS_INCOMPLETE with a sentence, or
 * what went wrong. */
enum status coordinator_serve(struct coordinator *coordinator,
                              struct transport *transport, int n_workers,
                              const struct buf *start,
                              struct coordinator_outcome *outcome,
                              struct err *err) WARN_UNUSED;

/* Tell the workers that the run is over and with which exit status; at_once:
 * they are not to wait for others. */
enum status coordinator_leave(struct coordinator *coordinator, int exit_status,
                              bool at_once, struct err *err) WARN_UNUSED;

/* For gather, while the run is open; do not close. */
struct journal *coordinator_journal(struct coordinator *coordinator);

void coordinator_close(struct coordinator *coordinator);

#endif

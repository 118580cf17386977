/* serve.h - the coordinator's side of the protocol: messages in, the
 * scheduler asked, messages out. It knows units and bytes, no plan and no
 * file; what becomes of a result is its caller's (coordinator.c).
 *
 * docs/protocol.md tells the protocol. */
#ifndef PATCHSWEEP_COORDINATOR_SERVE_H
#define PATCHSWEEP_COORDINATOR_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/transport/transport.h"
#include "coordinator/scheduler.h"

enum serve_wish {
    SERVE_GO,   /* carry on */
    SERVE_STOP, /* give out no more, wait for what is out */
    SERVE_DROP  /* leave at once */
};

/* What the caller does with what comes. All get user first; a failure ends
 * the run. */
struct serve_callbacks {
    enum status (*joined)(void *user, int worker,
                          const struct message_hello *hello, struct err *err);
    /* is_new false: the unit had been answered before. */
    enum status (*result)(void *user, int worker, uint64_t unit, bool is_new,
                          const void *data, size_t n, struct err *err);
    enum status (*failed)(void *user, int worker, uint64_t unit, bool is_new,
                          const struct message_failed *failed, struct err *err);
    enum status (*left)(void *user, int worker, const struct message_bye *bye,
                        struct err *err);
    /* kind: SCHEDULER_SILENT, not heard for waited_s; SCHEDULER_LATE, at a
     * unit for waited_s that would take others usual_s; SCHEDULER_LOST. */
    enum status (*given_up)(void *user, int worker,
                            enum scheduler_event_kind kind, double waited_s,
                            double usual_s, struct err *err);
    /* Called at every turn, at least every 10 ms. */
    enum status (*tick)(void *user, double now_s, enum serve_wish *wish,
                        struct err *err);
};

struct serve {
    struct transport *transport; /* kept; workers are peers 0 .. n_workers-1 */
    struct scheduler *scheduler; /* kept */
    int n_workers;
    int own_worker;  /* lives in this process, is never silent; -1: none */
    double silent_s; /* a worker with units is silent after this long, and
                      * twenty times the longest wait for an answer so far */
    double late_s;   /* a worker is late after this long at one unit, and five
                      * times as long as others would take */
    /* A worker whose process has gone, each told once, or -1; NULL: nobody
     * knows. Asked once a second. */
    int (*next_lost)(void *watch);
    void *watch;
    const struct serve_callbacks *callbacks; /* kept */
    void *user;
};

/* Until every worker has left or was given up (scheduler_is_over), or the tick
 * wishes to drop. *n_given_up: workers that have not left or whose process has
 * gone (with SERVE_DROP: not counted). */
enum status serve_run(const struct serve *serve, int *n_given_up,
                      struct err *err) WARN_UNUSED;

/* Tell every worker to exit, when all is written, with the run's status;
 * at_once: without waiting for the others. */
enum status serve_leave(const struct serve *serve, int exit_status,
                        bool at_once, struct err *err) WARN_UNUSED;

#endif

/* loop.h - a worker's life: say HELLO, compute what is assigned, say BYE.
 *
 * The loop knows units and bytes alone; what computes them is handed in, so
 * that it runs over any transport and in tests without a model. */
#ifndef PATCHSWEEP_WORKER_LOOP_H
#define PATCHSWEEP_WORKER_LOOP_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/transport/transport.h"

struct worker {
    struct transport *transport;       /* kept; the coordinator is peer 0 */
    const struct message_hello *hello; /* kept; what this worker is */
    /* Append the result of unit to out (empty); a failure is the unit's own
     * and is reported. */
    enum status (*compute)(void *user, uint64_t unit, struct buf *out,
                           struct err *err);
    void *user;
};

/* Until the coordinator says LEAVE; *leave is what it said. Fails only
 * where the transport does or a message is not of the protocol. */
enum status worker_loop(const struct worker *worker,
                        struct message_leave *leave,
                        struct err *err) WARN_UNUSED;

#endif

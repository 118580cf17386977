#include "worker/loop.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"

enum { QUEUE = 8 }; /* the coordinator gives out two at most */

struct loop {
    const struct worker *worker;
    struct message *message; /* in and out; owned */
    uint64_t queue[QUEUE];
    int n_queued;
    bool is_stopping, is_over;
    struct message_leave leave;
    struct message_bye totals;
    struct buf result;
};

static enum status take(struct loop *loop, struct err *err)
{
    switch (loop->message->kind) {
    case MESSAGE_ASSIGN:
        if (loop->n_queued == QUEUE || loop->is_stopping) break;
        loop->queue[loop->n_queued++] = loop->message->as.assign.unit;
        return STATUS_OK;
    case MESSAGE_STOP:
        if (loop->is_stopping) break;
        loop->is_stopping = true;
        return STATUS_OK;
    case MESSAGE_LEAVE:
        loop->is_over = true;
        loop->leave = loop->message->as.leave;
        return STATUS_OK;
    default:
        break;
    }
    return err_set(err, STATUS_MPI, "the coordinator sent %s out of turn",
                   message_name(loop->message->kind));
}

static enum status send(struct loop *loop, struct err *err)
{
    return transport_send(loop->worker->transport, 0, loop->message, err);
}

static enum status report_failure(struct loop *loop, uint64_t unit,
                                  const struct err *why, struct err *err)
{
    struct message_failed *failed = &loop->message->as.failed;
    loop->message->kind = MESSAGE_FAILED;
    failed->unit = unit;
    failed->status = (uint32_t)why->status;
    snprintf(failed->sentence, sizeof failed->sentence, "%s", why->message);
    loop->totals.failed++;
    return send(loop, err);
}

static enum status compute_one(struct loop *loop, struct err *err)
{
    const struct worker *worker = loop->worker;
    uint64_t unit = loop->queue[0];
    loop->n_queued--;
    for (int i = 0; i < loop->n_queued; i++)
        loop->queue[i] = loop->queue[i + 1];
    struct err why = {0};
    buf_clear(&loop->result);
    enum status status =
        worker->compute(worker->user, unit, &loop->result, &why);
    if (status == STATUS_OK)
        status = buf_check(&loop->result, "the result of a unit", &why);
    if (status != STATUS_OK) return report_failure(loop, unit, &why, err);
    uint32_t n_parts = message_parts(loop->result.n);
    for (uint32_t part = 0; part < n_parts; part++) {
        message_fill_part(loop->message, unit, loop->result.data,
                          loop->result.n, part);
        if (send(loop, err)) return err->status;
    }
    loop->totals.units++;
    /* MPI moves a long message only while both sides are in its calls: see
     * it on its way before the next unit keeps this side busy. */
    size_t n_left;
    return transport_flush(worker->transport, 0.02, &n_left, err);
}

static enum status say_bye(struct loop *loop, struct err *err)
{
    loop->message->kind = MESSAGE_BYE;
    loop->message->as.bye = loop->totals;
    return send(loop, err);
}

static enum status run(struct loop *loop, struct err *err)
{
    struct transport *transport = loop->worker->transport;
    double idle_s = 0;
    bool is_bye_said = false;
    loop->message->kind = MESSAGE_HELLO;
    loop->message->as.hello = *loop->worker->hello;
    if (send(loop, err)) return err->status;
    while (!loop->is_over) {
        bool is_any;
        int peer;
        if (transport_receive(transport, &peer, loop->message, &is_any, err))
            return err->status;
        if (is_any) {
            if (take(loop, err)) return err->status;
            idle_s = 0;
        } else if (loop->n_queued > 0) {
            if (compute_one(loop, err)) return err->status;
            idle_s = 0;
        } else if (loop->is_stopping && !is_bye_said) {
            if (say_bye(loop, err)) return err->status;
            is_bye_said = true;
        } else {
            transport_rest(transport, &idle_s);
        }
    }
    return STATUS_OK;
}

enum status worker_loop(const struct worker *worker,
                        struct message_leave *leave, struct err *err)
{
    struct loop loop = {.worker = worker};
    loop.message = mem_calloc(1, sizeof *loop.message, "a message", err);
    if (!loop.message) return err->status;
    enum status status = run(&loop, err);
    *leave = loop.leave;
    buf_free(&loop.result);
    free(loop.message);
    return status;
}

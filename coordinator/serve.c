#include "coordinator/serve.h"

#include <stdlib.h>
#include <time.h>

#include "common/base/mem.h"

/* Ranks come out of start-up together; one that does not must not hold up the
 * others for longer. */
static const double patience_s = 5;

struct peer {
    struct assembly assembly;
    double heard_s;
    bool has_joined, is_told_to_stop, has_left, is_silent;
};

struct service {
    const struct serve *serve;
    struct peer *peers; /* owned */
    struct message *message;
    double longest_wait_s;
    double next_look_s; /* for silent workers */
    double open_s; /* nothing is given out before all have joined, or this */
    int n_joined;
    bool is_stopping;
    int n_silent;
};

double serve_now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int held_by(const struct service *s, int worker)
{
    uint64_t units[SCHEDULER_OUTSTANDING];
    return scheduler_outstanding(s->serve->scheduler, worker, units);
}

static enum status take_hello(struct service *s, int worker, struct err *err)
{
    struct scheduler_event event = {SCHEDULER_JOINED, worker, 0};
    if (scheduler_take(s->serve->scheduler, &event, NULL, err))
        return err->status;
    s->peers[worker].has_joined = true;
    s->n_joined++;
    return s->serve->callbacks->joined(s->serve->user, worker,
                                       &s->message->as.hello, err);
}

static enum status take_part(struct service *s, int worker, struct err *err)
{
    const struct serve *serve = s->serve;
    struct assembly *assembly = &s->peers[worker].assembly;
    bool is_whole = false, is_new = false;
    if (assembly_add(assembly, &s->message->as.result, &is_whole, err))
        return err_context(err, "from rank %d", worker);
    if (!is_whole) return STATUS_OK;
    struct scheduler_event event = {SCHEDULER_RESULT, worker, assembly->unit};
    if (scheduler_take(serve->scheduler, &event, &is_new, err))
        return err->status;
    return serve->callbacks->result(serve->user, worker, assembly->unit, is_new,
                                    assembly->bytes.data, assembly->bytes.n,
                                    err);
}

static enum status take_failed(struct service *s, int worker, struct err *err)
{
    const struct message_failed *failed = &s->message->as.failed;
    struct scheduler_event event = {SCHEDULER_FAILED, worker, failed->unit};
    bool is_new = false;
    if (scheduler_take(s->serve->scheduler, &event, &is_new, err))
        return err->status;
    return s->serve->callbacks->failed(s->serve->user, worker, failed->unit,
                                       is_new, failed->sentence, err);
}

static enum status take_bye(struct service *s, int worker, struct err *err)
{
    struct scheduler_event event = {SCHEDULER_LEFT, worker, 0};
    if (scheduler_take(s->serve->scheduler, &event, NULL, err))
        return err->status;
    s->peers[worker].has_left = true;
    return s->serve->callbacks->left(s->serve->user, worker,
                                     &s->message->as.bye, err);
}

static enum status take_message(struct service *s, int worker, double now_s,
                                struct err *err)
{
    struct peer *peer = &s->peers[worker];
    double waited_s = now_s - peer->heard_s;
    if (held_by(s, worker) > 0 && waited_s > s->longest_wait_s)
        s->longest_wait_s = waited_s;
    peer->heard_s = now_s;
    peer->is_silent = false;
    switch (s->message->kind) {
    case MESSAGE_HELLO:
        return take_hello(s, worker, err);
    case MESSAGE_RESULT:
        return take_part(s, worker, err);
    case MESSAGE_FAILED:
        return take_failed(s, worker, err);
    case MESSAGE_BYE:
        return take_bye(s, worker, err);
    default:
        return err_set(err, STATUS_MPI, "rank %d sent %s to the coordinator",
                       worker, message_name(s->message->kind));
    }
}

/* Workers that hold units, or have yet to say HELLO or BYE, and have not
 * been heard for too long. */
static enum status look_for_silent(struct service *s, double now_s,
                                   struct err *err)
{
    if (now_s < s->next_look_s) return STATUS_OK;
    s->next_look_s = now_s + 1;
    double most_s = s->serve->silent_s + 20 * s->longest_wait_s;
    for (int worker = 0; worker < s->serve->n_workers; worker++) {
        struct peer *peer = &s->peers[worker];
        double silent_s = now_s - peer->heard_s;
        bool is_waited_for =
            !peer->has_left && (!peer->has_joined || peer->is_told_to_stop ||
                                held_by(s, worker) > 0);
        if (!is_waited_for || peer->is_silent || silent_s <= most_s ||
            worker == s->serve->own_worker)
            continue;
        peer->is_silent = true;
        struct scheduler_event event = {SCHEDULER_SILENT, worker, 0};
        if (scheduler_take(s->serve->scheduler, &event, NULL, err) ||
            s->serve->callbacks->silent(s->serve->user, worker, silent_s, err))
            return err->status;
    }
    return STATUS_OK;
}

static enum status act(struct service *s, double now_s, struct err *err)
{
    struct scheduler_action action;
    if (s->n_joined < s->serve->n_workers && now_s < s->open_s)
        return STATUS_OK;
    while (scheduler_next(s->serve->scheduler, &action)) {
        struct peer *peer = &s->peers[action.worker];
        if (action.is_stop) {
            s->message->kind = MESSAGE_STOP;
            s->message->as.stop.reason = s->is_stopping;
            peer->is_told_to_stop = true;
        } else {
            s->message->kind = MESSAGE_ASSIGN;
            s->message->as.assign.unit = action.unit;
        }
        /* From now on an answer is waited for. */
        if (action.is_stop || held_by(s, action.worker) == 1)
            peer->heard_s = now_s;
        if (transport_send(s->serve->transport, action.worker, s->message, err))
            return err->status;
    }
    return STATUS_OK;
}

/* Everything that has come; *is_any: there was something. */
static enum status take_all(struct service *s, double now_s, bool *is_any,
                            struct err *err)
{
    const int most = 1000; /* then the tick must have its turn */
    bool is_there = true;
    *is_any = false;
    for (int i = 0; i < most && is_there; i++) {
        int worker;
        if (transport_receive(s->serve->transport, &worker, s->message,
                              &is_there, err) ||
            (is_there && take_message(s, worker, now_s, err)))
            return err->status;
        if (is_there) *is_any = true;
        if (act(s, now_s, err)) return err->status;
    }
    return STATUS_OK;
}

static enum status serve_loop(struct service *s, struct err *err)
{
    const struct serve *serve = s->serve;
    double idle_s = 0, now_s = serve_now_s();
    s->next_look_s = now_s + 1;
    s->open_s = now_s + patience_s;
    for (int worker = 0; worker < serve->n_workers; worker++)
        s->peers[worker].heard_s = now_s;
    while (!scheduler_is_over(serve->scheduler)) {
        enum serve_wish wish = SERVE_GO;
        bool is_any;
        now_s = serve_now_s();
        if (take_all(s, now_s, &is_any, err) ||
            look_for_silent(s, now_s, err) ||
            serve->callbacks->tick(serve->user, now_s, &wish, err))
            return err->status;
        if (wish == SERVE_DROP) return STATUS_OK;
        if (wish == SERVE_STOP && !s->is_stopping) {
            struct scheduler_event stop = {.kind = SCHEDULER_STOP};
            s->is_stopping = true;
            if (scheduler_take(serve->scheduler, &stop, NULL, err))
                return err->status;
        }
        if (act(s, now_s, err)) return err->status;
        if (is_any)
            idle_s = 0;
        else
            transport_rest(serve->transport, &idle_s);
    }
    for (int worker = 0; worker < serve->n_workers; worker++)
        if (!s->peers[worker].has_left) s->n_silent++;
    return STATUS_OK;
}

enum status serve_run(const struct serve *serve, int *n_silent, struct err *err)
{
    struct service s = {.serve = serve};
    s.peers = mem_calloc((size_t)serve->n_workers, sizeof *s.peers,
                         "the workers", err);
    s.message = mem_calloc(1, sizeof *s.message, "a message", err);
    if (err->status) goto out;
    if (serve_loop(&s, err)) goto out;
    *n_silent = s.n_silent;
out:
    for (int i = 0; s.peers && i < serve->n_workers; i++)
        assembly_free(&s.peers[i].assembly);
    free(s.peers);
    free(s.message);
    return err->status;
}

enum status serve_leave(const struct serve *serve, int exit_status,
                        struct err *err)
{
    struct message *message = mem_calloc(1, sizeof *message, "a message", err);
    if (!message) return err->status;
    message->kind = MESSAGE_LEAVE;
    message->as.leave.exit_status = (uint32_t)exit_status;
    for (int worker = 0; worker < serve->n_workers; worker++)
        if (transport_send(serve->transport, worker, message, err)) break;
    free(message);
    if (err->status) return err->status;
    size_t n_left;
    return transport_flush(serve->transport, 5, &n_left, err);
}

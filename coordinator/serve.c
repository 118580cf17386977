#include "coordinator/serve.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

/* Ranks come out of start-up together; one that does not must not hold up the
 * others for longer. */
static const double patience_s = 5;

/* Late is who takes this many times as long as others would. FLOPs tell the
 * time of a unit within a factor of three or so. */
static const double late_factor = 5;

struct peer {
    struct assembly assembly;
    double heard_s;
    double began_s;     /* when it could begin the oldest unit it holds */
    double spent_s;     /* on what it answered */
    double spent_flops; /* of that */
    bool has_joined, is_told_to_stop, has_left, is_silent, is_late, is_lost;
};

struct service {
    const struct serve *serve;
    struct peer *peers; /* owned */
    struct message *message;
    double longest_wait_s;
    double next_look_s;          /* for silent, late and lost workers */
    double spent_s, spent_flops; /* of all workers */
    double open_s; /* nothing is given out before all have joined, or this */
    int n_joined;
    bool is_stopping;
    int n_given_up;
};

static int held_by(const struct service *s, int worker)
{
    uint64_t units[SCHEDULER_OUTSTANDING];
    return scheduler_outstanding(s->serve->scheduler, worker, units);
}

/* The first in line of what the worker holds, if it holds any. */
static bool current_unit(const struct service *s, int worker, uint64_t *unit)
{
    uint64_t units[SCHEDULER_OUTSTANDING];
    if (scheduler_outstanding(s->serve->scheduler, worker, units) == 0)
        return false;
    *unit = units[0];
    return true;
}

/* A unit is answered: what that took, and the next one begins. */
static void account(struct service *s, int worker, uint64_t unit)
{
    struct peer *peer = &s->peers[worker];
    double took_s = peer->heard_s - peer->began_s;
    double flops = scheduler_unit_flops(s->serve->scheduler, unit);
    peer->spent_s += took_s;
    peer->spent_flops += flops;
    s->spent_s += took_s;
    s->spent_flops += flops;
    peer->began_s = peer->heard_s;
    peer->is_late = false;
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
    account(s, worker, assembly->unit);
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
    account(s, worker, failed->unit);
    struct scheduler_event event = {SCHEDULER_FAILED, worker, failed->unit};
    bool is_new = false;
    if (scheduler_take(s->serve->scheduler, &event, &is_new, err))
        return err->status;
    return s->serve->callbacks->failed(s->serve->user, worker, failed->unit,
                                       is_new, failed, err);
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

static enum status report(struct service *s, int worker,
                          enum scheduler_event_kind kind, double waited_s,
                          double usual_s, struct err *err)
{
    const struct serve *serve = s->serve;
    struct scheduler_event event = {kind, worker, 0};
    if (scheduler_take(serve->scheduler, &event, NULL, err)) return err->status;
    return serve->callbacks->given_up(serve->user, worker, kind, waited_s,
                                      usual_s, err);
}

/* A worker that holds units, or has yet to say HELLO or BYE, and has not been
 * heard for too long. */
static enum status look_for_silence(struct service *s, int worker, double now_s,
                                    struct err *err)
{
    struct peer *peer = &s->peers[worker];
    double most_s = s->serve->silent_s + 20 * s->longest_wait_s;
    double silent_s = now_s - peer->heard_s;
    bool is_waited_for =
        !peer->has_joined || peer->is_told_to_stop || held_by(s, worker) > 0;
    if (!is_waited_for || peer->is_silent || silent_s <= most_s ||
        worker == s->serve->own_worker)
        return STATUS_OK;
    peer->is_silent = true;
    return report(s, worker, SCHEDULER_SILENT, silent_s, 0, err);
}

/* A worker that has been at a unit for many times as long as others, by what
 * they have taken for theirs, would be. */
static enum status look_for_lateness(struct service *s, int worker,
                                     double now_s, struct err *err)
{
    struct peer *peer = &s->peers[worker];
    double others_s = s->spent_s - peer->spent_s;
    double others_flops = s->spent_flops - peer->spent_flops;
    double waited_s = now_s - peer->began_s;
    uint64_t unit;
    if (peer->is_late || peer->is_silent || waited_s < s->serve->late_s ||
        others_flops <= 0 || !current_unit(s, worker, &unit))
        return STATUS_OK;
    double usual_s = others_s / others_flops *
                     scheduler_unit_flops(s->serve->scheduler, unit);
    if (waited_s < late_factor * usual_s) return STATUS_OK;
    peer->is_late = true;
    return report(s, worker, SCHEDULER_LATE, waited_s, usual_s, err);
}

static enum status look_for_losses(struct service *s, struct err *err)
{
    const struct serve *serve = s->serve;
    int worker;
    while (serve->next_lost && (worker = serve->next_lost(serve->watch)) >= 0) {
        if (s->peers[worker].is_lost) continue;
        s->peers[worker].is_lost = true;
        if (report(s, worker, SCHEDULER_LOST, 0, 0, err)) return err->status;
    }
    return STATUS_OK;
}

static enum status look_at_workers(struct service *s, double now_s,
                                   struct err *err)
{
    if (now_s < s->next_look_s) return STATUS_OK;
    /* A machine that slept, or a sync that took long: nobody was late then. */
    double slept_s = now_s - s->next_look_s;
    for (int worker = 0; slept_s > 1 && worker < s->serve->n_workers;
         worker++) {
        s->peers[worker].heard_s += slept_s;
        s->peers[worker].began_s += slept_s;
    }
    s->next_look_s = now_s + 1;
    if (look_for_losses(s, err)) return err->status;
    for (int worker = 0; worker < s->serve->n_workers; worker++) {
        const struct peer *peer = &s->peers[worker];
        if (peer->has_left || peer->is_lost) continue;
        if (look_for_silence(s, worker, now_s, err) ||
            look_for_lateness(s, worker, now_s, err))
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
            peer->heard_s = peer->began_s = now_s;
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
    double idle_s = 0, now_s = clock_now_s();
    s->next_look_s = now_s + 1;
    s->open_s = now_s + patience_s;
    for (int worker = 0; worker < serve->n_workers; worker++)
        s->peers[worker].heard_s = now_s;
    while (!scheduler_is_over(serve->scheduler)) {
        enum serve_wish wish = SERVE_GO;
        bool is_any;
        now_s = clock_now_s();
        if (take_all(s, now_s, &is_any, err) ||
            look_at_workers(s, now_s, err) ||
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
        if (!s->peers[worker].has_left || s->peers[worker].is_lost)
            s->n_given_up++;
    return STATUS_OK;
}

enum status serve_run(const struct serve *serve, int *n_given_up,
                      struct err *err)
{
    struct service s = {.serve = serve};
    s.peers = mem_calloc((size_t)serve->n_workers, sizeof *s.peers,
                         "the workers", err);
    s.message = mem_calloc(1, sizeof *s.message, "a message", err);
    if (err->status) goto out;
    if (serve_loop(&s, err)) goto out;
    *n_given_up = s.n_given_up;
out:
    for (int i = 0; s.peers && i < serve->n_workers; i++)
        assembly_free(&s.peers[i].assembly);
    free(s.peers);
    free(s.message);
    return err->status;
}

enum status serve_leave(const struct serve *serve, int exit_status,
                        bool at_once, struct err *err)
{
    struct message *message = mem_calloc(1, sizeof *message, "a message", err);
    if (!message) return err->status;
    message->kind = MESSAGE_LEAVE;
    message->as.leave.exit_status = (uint32_t)exit_status;
    message->as.leave.at_once = at_once;
    for (int worker = 0; worker < serve->n_workers; worker++)
        if (!scheduler_is_lost(serve->scheduler, worker) &&
            transport_send(serve->transport, worker, message, err))
            break;
    free(message);
    if (err->status) return err->status;
    size_t n_left;
    return transport_flush(serve->transport, 5, &n_left, err);
}

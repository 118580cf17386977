#include "coordinator/scheduler.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "coordinator/scheduler_parts.h"

static void close_unit(struct scheduler *s, uint64_t unit)
{
    s->closed[unit / 8] |= (unsigned char)(1u << (unit % 8));
}

/* Move the cursor to the next open unit. */
void scheduler_settle(struct scheduler *s, struct segment_state *segment)
{
    uint64_t end = segment->is.first_unit + segment->is.n_units;
    while (segment->next < end && scheduler_is_closed(s, segment->next))
        segment->next += segment->next % 8 == 0 && segment->next + 8 <= end &&
                                 s->closed[segment->next / 8] == 0xff
                             ? 8
                             : 1;
    if (segment->next < end)
        segment->next_flops = s->unit_flops(s->user, segment->next);
}

static void enqueue(struct scheduler *s, int worker)
{
    if (s->workers[worker].is_queued) return;
    s->workers[worker].is_queued = true;
    s->queue[(s->queue_at + s->n_queued) % s->n_workers] = worker;
    s->n_queued++;
}

static void enqueue_all(struct scheduler *s)
{
    for (int i = 0; i < s->n_workers; i++)
        if (s->workers[i].is_joined && !s->workers[i].has_left) enqueue(s, i);
}

bool scheduler_is_complete(const struct scheduler *s)
{
    return s->counts.done + s->counts.failed == s->counts.units;
}

bool scheduler_is_over(const struct scheduler *s)
{
    if (s->is_stopping || scheduler_is_complete(s))
        return s->n_present == s->n_late_present;
    return s->n_present == 0;
}

void scheduler_count(const struct scheduler *s, struct scheduler_counts *out)
{
    *out = s->counts;
}

double scheduler_unit_flops(const struct scheduler *s, uint64_t unit)
{
    return s->unit_flops(s->user, unit);
}

bool scheduler_is_lost(const struct scheduler *s, int worker)
{
    return s->workers[worker].is_lost;
}

int scheduler_outstanding(const struct scheduler *s, int worker,
                          uint64_t units[SCHEDULER_OUTSTANDING])
{
    const struct worker_state *w = &s->workers[worker];
    memcpy(units, w->units, sizeof w->units);
    return w->n;
}

/* Choosing */

/* Put worker at block (-1: at none). */
static void move_to(struct scheduler *s, struct worker_state *worker, int block)
{
    if (worker->block >= 0) s->blocks[worker->block].n_workers--;
    if (block >= 0) s->blocks[block].n_workers++;
    worker->block = block;
}

/* The block that no worker has with most work, or -1. */
static int take_fresh(struct scheduler *s)
{
    while (s->next_fresh < s->n_blocks) {
        int block = s->fresh[s->next_fresh++];
        if (s->blocks[block].n_open == 0) continue;
        s->blocks[block].is_begun = true;
        s->begun[s->n_begun++] = block;
        return block;
    }
    return -1;
}

/* The begun block with most work for each worker at it, or -1. */
static int find_crowded(struct scheduler *s)
{
    int best = -1;
    double most = -1;
    for (int i = 0; i < s->n_begun;) {
        struct block_state *block = &s->blocks[s->begun[i]];
        if (block->n_open == 0) {
            s->begun[i] = s->begun[--s->n_begun];
            continue;
        }
        double share = block->open_flops / (block->n_workers + 1);
        if (share > most || (share == most && block->number < best)) {
            most = share;
            best = block->number;
        }
        i++;
    }
    return best;
}

/* Give out the next unit of a block that has one. */
static uint64_t take_from_block(struct scheduler *s, struct block_state *block)
{
    struct segment_state *best = NULL;
    for (int i = 0; i < block->n_segments; i++) {
        struct segment_state *segment =
            &s->segments[s->by_block[block->first_segment + i]];
        if (segment->n_open == 0) continue;
        if (!best || (segment->is.is_baseline && !best->is.is_baseline) ||
            (segment->is.is_baseline == best->is.is_baseline &&
             segment->next_flops > best->next_flops))
            best = segment;
    }
    uint64_t unit = best->next;
    best->n_open--;
    block->n_open--;
    block->open_flops -= best->next_flops;
    if (block->open_flops < 0) block->open_flops = 0;
    s->n_unissued--;
    best->next++;
    scheduler_settle(s, best);
    return unit;
}

/* For a worker that has nothing at all to do, a unit that another is late
 * with; false where there is none. */
static bool choose_late(struct scheduler *s, const struct worker_state *worker,
                        uint64_t *unit)
{
    if (worker->n > 0) return false;
    while (s->n_late > 0) {
        *unit = s->late[--s->n_late];
        if (!scheduler_is_closed(s, *unit)) return true;
    }
    return false;
}

/* A unit for this worker; false where there is none. */
static bool choose(struct scheduler *s, struct worker_state *worker,
                   uint64_t *unit)
{
    while (s->n_returned > 0) {
        *unit = s->returned[--s->n_returned];
        if (!scheduler_is_closed(s, *unit)) return true;
    }
    if (s->n_unissued == 0) return choose_late(s, worker, unit);
    int block = worker->block;
    if (block < 0 || s->blocks[block].n_open == 0) {
        block = take_fresh(s);
        if (block < 0) block = find_crowded(s);
        if (block < 0) return false;
        move_to(s, worker, block);
    }
    *unit = take_from_block(s, &s->blocks[block]);
    return true;
}

bool scheduler_next(struct scheduler *s, struct scheduler_action *out)
{
    while (s->n_queued > 0) {
        int number = s->queue[s->queue_at];
        s->queue_at = (s->queue_at + 1) % s->n_workers;
        s->n_queued--;
        struct worker_state *worker = &s->workers[number];
        worker->is_queued = false;
        if (worker->has_left || worker->is_stopped || worker->is_silent ||
            worker->is_late || worker->is_lost)
            continue;
        if (s->is_stopping || scheduler_is_complete(s)) {
            if (worker->n > 0) continue;
            worker->is_stopped = true;
            *out = (struct scheduler_action){.is_stop = true, .worker = number};
            return true;
        }
        int most =
            s->n_unissued < (uint64_t)s->n_workers ? 1 : SCHEDULER_OUTSTANDING;
        if (worker->n >= most || !choose(s, worker, &out->unit)) continue;
        worker->units[worker->n] = out->unit;
        worker->is_returned[worker->n] = worker->is_offered[worker->n] = false;
        worker->n++;
        s->counts.issued++;
        enqueue(s, number);
        out->is_stop = false;
        out->worker = number;
        return true;
    }
    return false;
}

/* Events */

/* Take unit from what the worker holds; false where it does not hold it. */
static bool release(struct scheduler *s, struct worker_state *worker,
                    uint64_t unit)
{
    for (int i = 0; i < worker->n; i++) {
        if (worker->units[i] != unit) continue;
        worker->n--;
        for (int j = i; j < worker->n; j++) {
            worker->units[j] = worker->units[j + 1];
            worker->is_returned[j] = worker->is_returned[j + 1];
            worker->is_offered[j] = worker->is_offered[j + 1];
        }
        s->counts.issued--;
        return true;
    }
    return false;
}

/* Offer what the worker holds to others, at once. */
static enum status give_back(struct scheduler *s, struct worker_state *worker,
                             struct err *err)
{
    for (int i = 0; i < worker->n; i++) {
        if (worker->is_returned[i] || scheduler_is_closed(s, worker->units[i]))
            continue;
        if (mem_grow(&s->returned, &s->returned_capacity, s->n_returned + 1,
                     sizeof *s->returned, "units given back", err))
            return err->status;
        s->returned[s->n_returned++] = worker->units[i];
        worker->is_returned[i] = worker->is_offered[i] = true;
    }
    enqueue_all(s);
    return STATUS_OK;
}

/* Offer it to those who will have nothing else to do. */
static enum status offer(struct scheduler *s, struct worker_state *worker,
                         struct err *err)
{
    for (int i = 0; i < worker->n; i++) {
        if (worker->is_offered[i] || scheduler_is_closed(s, worker->units[i]))
            continue;
        if (mem_grow(&s->late, &s->late_capacity, s->n_late + 1,
                     sizeof *s->late, "units of late workers", err))
            return err->status;
        s->late[s->n_late++] = worker->units[i];
        worker->is_offered[i] = true;
    }
    enqueue_all(s);
    return STATUS_OK;
}

static enum status take_answer(struct scheduler *s,
                               const struct scheduler_event *event,
                               bool *is_new, struct err *err)
{
    struct worker_state *worker = &s->workers[event->worker];
    if (!release(s, worker, event->unit))
        return err_set(err, STATUS_MPI,
                       "worker %d answered unit %llu, which it was not given",
                       event->worker, (unsigned long long)event->unit);
    worker->is_silent = worker->is_late = false;
    *is_new = !scheduler_is_closed(s, event->unit);
    if (*is_new) {
        close_unit(s, event->unit);
        double flops = s->unit_flops(s->user, event->unit);
        if (event->kind == SCHEDULER_RESULT) {
            s->counts.done++;
            s->counts.done_flops += flops;
        } else {
            s->counts.failed++;
        }
    }
    if (scheduler_is_complete(s))
        enqueue_all(s);
    else
        enqueue(s, event->worker);
    return STATUS_OK;
}

/* Who is waited for; see scheduler_is_over. */
static void count_presence(struct scheduler *s,
                           const struct worker_state *worker, int sign)
{
    if (worker->has_left || worker->is_silent || worker->is_lost) return;
    s->n_present += sign;
    if (worker->is_late) s->n_late_present += sign;
}

/* What the event makes of the worker. */
static enum status apply(struct scheduler *s,
                         const struct scheduler_event *event, bool *is_new,
                         struct err *err)
{
    struct worker_state *worker = &s->workers[event->worker];
    switch (event->kind) {
    case SCHEDULER_JOINED:
        worker->is_joined = true;
        worker->is_silent = false;
        s->counts.workers++;
        enqueue(s, event->worker);
        return STATUS_OK;
    case SCHEDULER_RESULT:
    case SCHEDULER_FAILED:
        return take_answer(s, event, is_new, err);
    case SCHEDULER_SILENT:
        worker->is_silent = true;
        return give_back(s, worker, err);
    case SCHEDULER_LATE:
        worker->is_late = true;
        return offer(s, worker, err);
    case SCHEDULER_LOST:
        worker->is_lost = true;
        move_to(s, worker, -1);
        return give_back(s, worker, err);
    case SCHEDULER_LEFT:
        worker->has_left = true;
        worker->is_silent = false;
        s->counts.workers--;
        move_to(s, worker, -1);
        if (give_back(s, worker, err)) return err->status;
        s->counts.issued -= (uint64_t)worker->n;
        worker->n = 0;
        return STATUS_OK;
    case SCHEDULER_STOP:
        break;
    }
    return STATUS_OK;
}

enum status scheduler_take(struct scheduler *s,
                           const struct scheduler_event *event, bool *is_new,
                           struct err *err)
{
    bool ignored;
    if (!is_new) is_new = &ignored;
    *is_new = false;
    if (event->kind == SCHEDULER_STOP) {
        s->is_stopping = true;
        enqueue_all(s);
        return STATUS_OK;
    }
    if (event->worker < 0 || event->worker >= s->n_workers)
        return err_set(err, STATUS_MPI, "worker %d of %d", event->worker,
                       s->n_workers);
    struct worker_state *worker = &s->workers[event->worker];
    bool is_known = worker->is_joined && !worker->has_left;
    bool is_about = event->kind == SCHEDULER_SILENT ||
                    event->kind == SCHEDULER_LATE ||
                    event->kind == SCHEDULER_LOST;
    if (!is_about && is_known == (event->kind == SCHEDULER_JOINED))
        return err_set(err, STATUS_MPI,
                       "worker %d spoke out of turn (event %d)", event->worker,
                       (int)event->kind);
    count_presence(s, worker, -1);
    enum status status = apply(s, event, is_new, err);
    count_presence(s, worker, 1);
    return status;
}

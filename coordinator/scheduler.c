#include "coordinator/scheduler.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

struct segment_state {
    struct scheduler_segment is;
    uint64_t next;     /* first unit neither closed nor given out, or the end */
    uint64_t n_open;   /* units from next on that are not closed */
    double next_flops; /* of unit next */
};

struct block_state {
    int number;
    int first_segment, n_segments; /* in `by_block` */
    uint64_t n_open;
    double open_flops;
    int n_workers; /* that are at it */
    bool is_begun; /* taken from the order of fresh blocks */
};

struct worker_state {
    bool is_joined, is_silent, is_stopped, has_left, is_queued;
    int block; /* -1: none yet */
    int n;
    uint64_t units[SCHEDULER_OUTSTANDING];
    bool is_returned[SCHEDULER_OUTSTANDING]; /* also waiting for another */
};

struct scheduler {
    struct segment_state *segments;
    int n_segments;
    int *by_block; /* segments ordered by block */
    struct block_state *blocks;
    int n_blocks;
    int *fresh; /* blocks, most work first */
    int next_fresh;
    int *begun; /* blocks with open units that were begun */
    int n_begun;
    struct worker_state *workers;
    int n_workers;
    int *queue; /* ring of workers to look at */
    int queue_at, n_queued;
    uint64_t *returned; /* of silent workers */
    size_t n_returned, returned_capacity;
    unsigned char *closed; /* bit a unit: done or failed */
    uint64_t n_unissued;   /* open and never given out */
    bool is_stopping;
    double (*unit_flops)(void *user, uint64_t unit);
    void *user;
    struct scheduler_counts counts;
};

static bool is_closed(const struct scheduler *s, uint64_t unit)
{
    return s->closed[unit / 8] >> (unit % 8) & 1;
}

static void close_unit(struct scheduler *s, uint64_t unit)
{
    s->closed[unit / 8] |= (unsigned char)(1u << (unit % 8));
}

/* Move the cursor to the next open unit. */
static void settle(struct scheduler *s, struct segment_state *segment)
{
    uint64_t end = segment->is.first_unit + segment->is.n_units;
    while (segment->next < end && is_closed(s, segment->next))
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
    for (int i = 0; i < s->n_workers; i++)
        if (!s->workers[i].has_left && !s->workers[i].is_silent) return false;
    return true;
}

void scheduler_count(const struct scheduler *s, struct scheduler_counts *out)
{
    *out = s->counts;
}

int scheduler_outstanding(const struct scheduler *s, int worker,
                          uint64_t units[SCHEDULER_OUTSTANDING])
{
    const struct worker_state *w = &s->workers[worker];
    memcpy(units, w->units, sizeof w->units);
    return w->n;
}

/* Opening */

static void count_segment(struct scheduler *s, struct segment_state *segment)
{
    uint64_t first = segment->is.first_unit, n = segment->is.n_units;
    segment->next = first;
    if (segment->is.is_dropped) {
        segment->next = first + n;
        return;
    }
    for (uint64_t unit = first; unit < first + n; unit++)
        if (!is_closed(s, unit)) segment->n_open++;
    double share = n ? (double)segment->n_open / (double)n : 0;
    struct block_state *block = &s->blocks[segment->is.block];
    block->n_open += segment->n_open;
    block->open_flops += share * segment->is.flops;
    s->n_unissued += segment->n_open;
    s->counts.units += n;
    s->counts.done += n - segment->n_open;
    s->counts.flops += segment->is.flops;
    s->counts.done_flops += (1 - share) * segment->is.flops;
    settle(s, segment);
}

static enum status index_blocks(struct scheduler *s, struct err *err)
{
    uint64_t end = 0;
    for (int i = 0; i < s->n_segments; i++) {
        const struct scheduler_segment *segment = &s->segments[i].is;
        if (segment->first_unit != end || segment->block < 0 ||
            segment->block >= s->n_blocks)
            return err_set(err, STATUS_INTERNAL,
                           "segment %d begins at unit %llu of block %d", i,
                           (unsigned long long)segment->first_unit,
                           segment->block);
        end += segment->n_units;
        s->blocks[segment->block].n_segments++;
    }
    int at = 0;
    for (int b = 0; b < s->n_blocks; b++) {
        s->blocks[b].number = b;
        s->blocks[b].first_segment = at;
        at += s->blocks[b].n_segments;
        s->blocks[b].n_segments = 0;
    }
    for (int i = 0; i < s->n_segments; i++) {
        struct block_state *block = &s->blocks[s->segments[i].is.block];
        s->by_block[block->first_segment + block->n_segments++] = i;
    }
    return STATUS_OK;
}

struct fresh_key {
    double flops;
    int block;
};

static int compare_fresh(const void *a, const void *b)
{
    const struct fresh_key *left = a, *right = b;
    if (left->flops != right->flops) return left->flops > right->flops ? -1 : 1;
    return (left->block > right->block) - (left->block < right->block);
}

static enum status order_fresh(struct scheduler *s, struct err *err)
{
    struct fresh_key *keys =
        mem_calloc((size_t)s->n_blocks, sizeof *keys, "the blocks", err);
    if (!keys) return err->status;
    for (int b = 0; b < s->n_blocks; b++)
        keys[b] = (struct fresh_key){s->blocks[b].open_flops, b};
    qsort(keys, (size_t)s->n_blocks, sizeof *keys, compare_fresh);
    for (int b = 0; b < s->n_blocks; b++)
        s->fresh[b] = keys[b].block;
    free(keys);
    return STATUS_OK;
}

enum status scheduler_open(struct scheduler **out,
                           const struct scheduler_work *work, int n_workers,
                           struct err *err)
{
    *out = NULL;
    const char *what = "the scheduler";
    struct scheduler *s = mem_calloc(1, sizeof *s, what, err);
    if (!s) return err->status;
    uint64_t n_units = 0;
    for (int i = 0; i < work->n_segments; i++)
        n_units += work->segments[i].n_units;
    size_t n_segments = (size_t)work->n_segments;
    size_t n_blocks = (size_t)work->n_blocks, n = (size_t)n_workers;
    size_t n_bytes = (size_t)(n_units / 8 + 1);
    s->n_segments = work->n_segments;
    s->n_blocks = work->n_blocks;
    s->n_workers = n_workers;
    s->unit_flops = work->unit_flops;
    s->user = work->user;
    s->segments = mem_calloc(n_segments, sizeof *s->segments, what, err);
    s->by_block = mem_calloc(n_segments, sizeof *s->by_block, what, err);
    s->blocks = mem_calloc(n_blocks, sizeof *s->blocks, what, err);
    s->fresh = mem_calloc(n_blocks, sizeof *s->fresh, what, err);
    s->begun = mem_calloc(n_blocks, sizeof *s->begun, what, err);
    s->workers = mem_calloc(n, sizeof *s->workers, what, err);
    s->queue = mem_calloc(n, sizeof *s->queue, what, err);
    s->closed = mem_calloc(n_bytes, 1, what, err);
    if (err->status) goto out;
    for (int i = 0; i < n_workers; i++)
        s->workers[i].block = -1;
    if (work->done) memcpy(s->closed, work->done, (size_t)((n_units + 7) / 8));
    for (int i = 0; i < s->n_segments; i++)
        s->segments[i].is = work->segments[i];
    if (index_blocks(s, err)) goto out;
    for (int i = 0; i < s->n_segments; i++)
        count_segment(s, &s->segments[i]);
    if (order_fresh(s, err)) goto out;
    *out = s;
    return STATUS_OK;
out:
    scheduler_close(s);
    return err->status;
}

void scheduler_close(struct scheduler *s)
{
    if (!s) return;
    free(s->segments);
    free(s->by_block);
    free(s->blocks);
    free(s->fresh);
    free(s->begun);
    free(s->workers);
    free(s->queue);
    free(s->returned);
    free(s->closed);
    free(s);
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
    settle(s, best);
    return unit;
}

/* A unit for this worker; false where there is none. */
static bool choose(struct scheduler *s, struct worker_state *worker,
                   uint64_t *unit)
{
    while (s->n_returned > 0) {
        *unit = s->returned[--s->n_returned];
        if (!is_closed(s, *unit)) return true;
    }
    if (s->n_unissued == 0) return false;
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
        if (worker->has_left || worker->is_stopped || worker->is_silent)
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
        worker->is_returned[worker->n] = false;
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
        }
        s->counts.issued--;
        return true;
    }
    return false;
}

/* Offer what the worker holds to others. */
static enum status give_back(struct scheduler *s, struct worker_state *worker,
                             struct err *err)
{
    for (int i = 0; i < worker->n; i++) {
        if (worker->is_returned[i] || is_closed(s, worker->units[i])) continue;
        if (mem_grow(&s->returned, &s->returned_capacity, s->n_returned + 1,
                     sizeof *s->returned, "units given back", err))
            return err->status;
        s->returned[s->n_returned++] = worker->units[i];
        worker->is_returned[i] = true;
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
    worker->is_silent = false;
    *is_new = !is_closed(s, event->unit);
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
    if (event->kind != SCHEDULER_SILENT &&
        is_known == (event->kind == SCHEDULER_JOINED))
        return err_set(err, STATUS_MPI,
                       "worker %d spoke out of turn (event %d)", event->worker,
                       (int)event->kind);
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

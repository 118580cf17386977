/* scheduler_open.c - from the plan's segments to a scheduler's state. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "coordinator/scheduler_parts.h"

static void count_segment(struct scheduler *s, struct segment_state *segment)
{
    uint64_t first = segment->is.first_unit, n = segment->is.n_units;
    segment->next = first;
    if (segment->is.is_dropped) {
        segment->next = first + n;
        return;
    }
    for (uint64_t unit = first; unit < first + n; unit++)
        if (!scheduler_is_closed(s, unit)) segment->n_open++;
    double share = n ? (double)segment->n_open / (double)n : 0;
    struct block_state *block = &s->blocks[segment->is.block];
    block->n_open += segment->n_open;
    block->open_flops += share * segment->is.flops;
    s->n_unissued += segment->n_open;
    s->counts.units += n;
    s->counts.done += n - segment->n_open;
    s->counts.flops += segment->is.flops;
    s->counts.done_flops += (1 - share) * segment->is.flops;
    scheduler_settle(s, segment);
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
    s->n_workers = s->n_present = n_workers;
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
    free(s->late);
    free(s->closed);
    free(s);
}

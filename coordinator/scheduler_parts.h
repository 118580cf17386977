/* scheduler_parts.h - what scheduler.c and scheduler_open.c share. */
#ifndef PATCHSWEEP_COORDINATOR_SCHEDULER_PARTS_H
#define PATCHSWEEP_COORDINATOR_SCHEDULER_PARTS_H

#include <stddef.h>

#include "coordinator/scheduler.h"

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
    bool is_joined, is_silent, is_late, is_lost, is_stopped, has_left,
        is_queued;
    int block; /* -1: none yet */
    int n;
    uint64_t units[SCHEDULER_OUTSTANDING];
    bool is_returned[SCHEDULER_OUTSTANDING]; /* also waiting for another */
    bool is_offered[SCHEDULER_OUTSTANDING];  /* or for an idle one */
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
    int n_present;      /* not left, silent or lost */
    int n_late_present; /* of those, late */
    int *queue;         /* ring of workers to look at */
    int queue_at, n_queued;
    uint64_t *returned; /* of silent and lost workers */
    size_t n_returned, returned_capacity;
    uint64_t *late; /* of late workers */
    size_t n_late, late_capacity;
    unsigned char *closed; /* bit a unit: done or failed */
    uint64_t n_unissued;   /* open and never given out */
    bool is_stopping;
    double (*unit_flops)(void *user, uint64_t unit);
    void *user;
    struct scheduler_counts counts;
};

static inline bool scheduler_is_closed(const struct scheduler *s, uint64_t unit)
{
    return s->closed[unit / 8] >> (unit % 8) & 1;
}

/* Move the segment's cursor to the next open unit. */
void scheduler_settle(struct scheduler *s, struct segment_state *segment);

#endif

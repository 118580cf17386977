#include "common/model/bpe.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/base/mem.h"

/* A token of the piece as it stands: a list linked in both directions, in
 * the order of positions. */
struct bpe_part {
    int id; /* -1: merged into a part before it */
    int32_t previous, next;
};

static const int32_t no_part = -1;

void bpe_free(struct bpe *bpe)
{
    free(bpe->bytes);
    free(bpe->at);
    free(bpe->merges);
    free(bpe->slots);
    *bpe = (struct bpe){0};
}

void bpe_scratch_free(struct bpe_scratch *scratch)
{
    free(scratch->parts);
    free(scratch->heap);
    free(scratch->batch);
    *scratch = (struct bpe_scratch){0};
}

size_t bpe_slot(const struct bpe *bpe, int left, int right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    key *= 0x9e3779b97f4a7c15u;
    size_t slot = (size_t)(key ^ (key >> 32)) & (bpe->n_slots - 1);
    while (bpe->slots[slot]) {
        const struct bpe_merge *merge = &bpe->merges[bpe->slots[slot] - 1];
        if (merge->left == left && merge->right == right) break;
        slot = (slot + 1) & (bpe->n_slots - 1);
    }
    return slot;
}

uint32_t bpe_rank(const struct bpe *bpe, int left, int right)
{
    uint32_t found = bpe->slots[bpe_slot(bpe, left, right)];
    return found ? found - 1 : BPE_NO_MERGE;
}

/* The heap: rank in the upper half of an entry, position in the lower, the
 * smallest entry first. */
struct heap {
    uint64_t *entries;
    size_t n;
};

static void heap_push(struct heap *heap, uint64_t entry)
{
    size_t at = heap->n++;
    while (at > 0 && heap->entries[(at - 1) / 2] > entry) {
        heap->entries[at] = heap->entries[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->entries[at] = entry;
}

static uint64_t heap_pop(struct heap *heap)
{
    uint64_t top = heap->entries[0];
    uint64_t entry = heap->entries[--heap->n];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= heap->n) break;
        if (child + 1 < heap->n &&
            heap->entries[child + 1] < heap->entries[child])
            child++;
        if (heap->entries[child] >= entry) break;
        heap->entries[at] = heap->entries[child];
        at = child;
    }
    heap->entries[at] = entry;
    return top;
}

/* Put in the pair that begins at position, where it has a rank. */
static void push_pair(struct heap *heap, const struct bpe *bpe,
                      const struct bpe_part *parts, int32_t position)
{
    if (position == no_part || parts[position].next == no_part) return;
    uint32_t rank =
        bpe_rank(bpe, parts[position].id, parts[parts[position].next].id);
    if (rank != BPE_NO_MERGE)
        heap_push(heap, (uint64_t)rank << 32 | (uint32_t)position);
}

/* Merge the pair at position where it still stands there. */
static bool merge_at(struct bpe_part *parts, const struct bpe_merge *merge,
                     uint32_t position)
{
    struct bpe_part *part = &parts[position];
    if (part->id != merge->left || part->next == no_part ||
        parts[part->next].id != merge->right)
        return false;
    struct bpe_part *gone = &parts[part->next];
    part->id = merge->result;
    part->next = gone->next;
    gone->id = -1;
    if (part->next != no_part) parts[part->next].previous = (int32_t)position;
    return true;
}

static void merge_all(const struct bpe *bpe, struct bpe_part *parts,
                      struct heap *heap, uint32_t *batch)
{
    while (heap->n > 0) {
        uint64_t rank = heap->entries[0] >> 32;
        size_t n_merged = 0;
        while (heap->n > 0 && heap->entries[0] >> 32 == rank) {
            uint32_t position = (uint32_t)heap_pop(heap);
            if (merge_at(parts, &bpe->merges[rank], position))
                batch[n_merged++] = position;
        }
        for (size_t i = 0; i < n_merged; i++) {
            push_pair(heap, bpe, parts, parts[batch[i]].previous);
            push_pair(heap, bpe, parts, (int32_t)batch[i]);
        }
    }
}

enum status bpe_encode(const struct bpe *bpe, struct bpe_scratch *scratch,
                       int **ids, size_t *n_ids, size_t *capacity,
                       const char *piece, size_t n, struct err *err)
{
    if (n == 0) return STATUS_OK;
    /* n - 1 pairs to begin, and at most two more for each of n - 1 merges */
    if (mem_grow(&scratch->parts, &scratch->parts_capacity, n,
                 sizeof *scratch->parts, "a piece of text", err) ||
        mem_grow(&scratch->heap, &scratch->heap_capacity, 3 * n,
                 sizeof *scratch->heap, "a piece of text", err) ||
        mem_grow(&scratch->batch, &scratch->batch_capacity, n,
                 sizeof *scratch->batch, "a piece of text", err))
        return err->status;
    struct bpe_part *parts = scratch->parts;
    struct heap heap = {.entries = scratch->heap};
    for (size_t i = 0; i < n; i++)
        parts[i] = (struct bpe_part){
            .id = bpe->byte_id[(unsigned char)piece[i]],
            .previous = (int32_t)i - 1,
            .next = i + 1 < n ? (int32_t)i + 1 : no_part,
        };
    for (size_t i = 0; i < n; i++)
        push_pair(&heap, bpe, parts, (int32_t)i);
    merge_all(bpe, parts, &heap, scratch->batch);

    for (int32_t at = 0; at != no_part; at = parts[at].next) {
        if (mem_grow(ids, capacity, *n_ids + 1, sizeof **ids, "token ids", err))
            return err->status;
        (*ids)[(*n_ids)++] = parts[at].id;
    }
    return STATUS_OK;
}

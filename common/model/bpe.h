/* bpe.h - byte-pair merges over a vocabulary of byte strings. Used by
 * tokenizer.c alone; that header is the public one.
 *
 * A token is an id, 0 .. n_vocab-1, and stands for a string of bytes. A merge
 * replaces two neighbouring tokens by one; its rank is its place in
 * merges.txt, the smallest goes first. Positions count bytes of a piece. */
#ifndef PATCHSWEEP_COMMON_MODEL_BPE_H
#define PATCHSWEEP_COMMON_MODEL_BPE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct bpe_merge {
    int left, right, result; /* ids */
};

struct bpe {
    int n_vocab;
    int end_of_text;  /* id of <|endoftext|>, or -1 */
    int byte_id[256]; /* the token of each single byte */
    char *bytes;      /* owned: all tokens, in order of id */
    size_t *at;       /* owned: token id is bytes[at[id]..at[id+1]) */
    size_t n_merges;
    struct bpe_merge *merges; /* owned: in order of rank */
    uint32_t *slots;          /* owned: hash of (left, right) -> rank + 1 */
    size_t n_slots;           /* a power of two, under half of it in use */
};

/* Fill *bpe (zeroed by the caller) from vocab.json and merges.txt; what is
 * checked is in tokenizer.h. bpe_free releases it, also after a failure. */
enum status bpe_load(struct bpe *bpe, const char *vocab_name, const char *vocab,
                     size_t vocab_bytes, const char *merges_name,
                     const char *merges, size_t merges_bytes,
                     struct err *err) WARN_UNUSED;
void bpe_free(struct bpe *bpe);

/* The rank of the merge of two neighbours, or BPE_NO_MERGE. */
#define BPE_NO_MERGE UINT32_MAX
uint32_t bpe_rank(const struct bpe *bpe, int left, int right);

/* Where bpe_rank finds the pair, or the free slot it would take. */
size_t bpe_slot(const struct bpe *bpe, int left, int right);

/* Working memory of bpe_encode, to be used again for the next piece. Zeroed
 * to begin; bpe_scratch_free. */
struct bpe_scratch {
    struct bpe_part *parts;
    uint64_t *heap;
    uint32_t *batch;
    size_t parts_capacity, heap_capacity, batch_capacity;
};
void bpe_scratch_free(struct bpe_scratch *scratch);

/* Append the tokens of a piece to ids (grown with mem_grow).
 *
 * The rule is that of OpenAI's encoder.py: of all pairs of neighbours take
 * the one of the lowest rank, merge it everywhere from left to right, and
 * begin again until no pair has a rank. It takes O(n log n) here: the pairs
 * wait in a heap by rank and position, and all that have the lowest rank are
 * taken out before the pairs that their merges make are put in. (Merging the
 * top of the heap one at a time is the same only for merges in an order that
 * training makes: a pair holds no token of a later line.)
 *
 *   n  bytes of the piece, at most INT32_MAX */
enum status bpe_encode(const struct bpe *bpe, struct bpe_scratch *scratch,
                       int **ids, size_t *n_ids, size_t *capacity,
                       const char *piece, size_t n,
                       struct err *err) WARN_UNUSED;

#endif

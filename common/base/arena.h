/* arena.h - memory that is released all at once.
 *
 * Pointers stay valid until arena_reset or arena_free. */
#ifndef PATCHSWEEP_COMMON_BASE_ARENA_H
#define PATCHSWEEP_COMMON_BASE_ARENA_H

#include <stddef.h>

#include "common/base/err.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first; owned */
};

/* n * size bytes, 64-byte aligned, not zeroed. NULL and STATUS_MEMORY on
 * failure. */
void *arena_alloc(struct arena *arena, size_t n, size_t size,
                  struct err *err) WARN_UNUSED;

/* Forget everything, keep the largest chunk for the next round. */
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);

#endif

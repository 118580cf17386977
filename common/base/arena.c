#include "common/base/arena.h"

#include <stdlib.h>

#include "common/base/mem.h"

enum { ALIGNMENT = 64, LEAST_CHUNK = 1 << 16 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, capacity; /* bytes, counted from the chunk's start */
};

static size_t round_up(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

void *arena_alloc(struct arena *arena, size_t n, size_t size, struct err *err)
{
    size_t bytes;
    const size_t header = round_up(sizeof(struct arena_chunk));
    if (!mem_multiply(&bytes, n, size) || bytes > (size_t)1 << 60) {
        (void)err_set(err, STATUS_MEMORY, "no memory for %zu x %zu bytes", n,
                      size);
        return NULL;
    }
    bytes = round_up(bytes ? bytes : 1);
    struct arena_chunk *chunk = arena->chunks;
    if (!chunk || chunk->capacity - chunk->used < bytes) {
        size_t capacity = chunk ? 2 * chunk->capacity : LEAST_CHUNK;
        if (capacity < header + bytes) capacity = header + bytes;
        void *memory = NULL;
        if (posix_memalign(&memory, ALIGNMENT, capacity) != 0) {
            (void)err_set(err, STATUS_MEMORY, "no memory for %zu bytes",
                          capacity);
            return NULL;
        }
        chunk = memory;
        *chunk = (struct arena_chunk){arena->chunks, header, capacity};
        arena->chunks = chunk;
    }
    void *memory = (char *)chunk + chunk->used;
    chunk->used += bytes;
    return memory;
}

void arena_reset(struct arena *arena)
{
    struct arena_chunk *largest = arena->chunks;
    if (!largest) return;
    while (largest->next) { /* a new chunk is never smaller than the last */
        struct arena_chunk *next = largest->next->next;
        free(largest->next);
        largest->next = next;
    }
    largest->used = round_up(sizeof *largest);
}

void arena_free(struct arena *arena)
{
    while (arena->chunks) {
        struct arena_chunk *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
}

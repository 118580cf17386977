#include "tests/base/fail_alloc.h"

#include <errno.h>

/* The names that the linker's --wrap makes. */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *memory, size_t n);
int __real_posix_memalign(void **memory, size_t alignment, size_t n);
void __real_free(void *memory);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *memory, size_t n);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t n);
void __wrap_free(void *memory);

static struct {
    size_t left; /* allocations to the one that fails; 0: none does */
    bool is_reached;
    long live;
} state;

void fail_alloc_start(size_t number)
{
    state.left = number;
    state.is_reached = false;
    state.live = 0;
}

bool fail_alloc_stop(void)
{
    state.left = 0;
    return state.is_reached;
}

long fail_alloc_live(void) { return state.live; }

static bool fails(void)
{
    if (state.left == 0 || --state.left > 0) return false;
    state.is_reached = true;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t n)
{
    void *memory = fails() ? NULL : __real_malloc(n);
    if (memory) state.live++;
    return memory;
}

void *__wrap_calloc(size_t n, size_t size)
{
    void *memory = fails() ? NULL : __real_calloc(n, size);
    if (memory) state.live++;
    return memory;
}

void *__wrap_realloc(void *memory, size_t n)
{
    void *grown = fails() ? NULL : __real_realloc(memory, n);
    if (grown && !memory) state.live++;
    return grown;
}

int __wrap_posix_memalign(void **memory, size_t alignment, size_t n)
{
    int failed = fails() ? ENOMEM : __real_posix_memalign(memory, alignment, n);
    if (failed == 0) state.live++;
    return failed;
}

void __wrap_free(void *memory)
{
    if (memory) state.live--;
    __real_free(memory);
}

/* fail_alloc.h - make one allocation of the code under test fail.
 *
 * A test that links the library fail_alloc has its calls of malloc, calloc,
 * realloc, posix_memalign and free wrapped at link time (those of our static
 * libraries and of the test itself, not those inside shared libraries).
 *
 *   for (size_t n = 1;; n++) {
 *       fail_alloc_start(n);
 *       status = thing_open(...);
 *       if (!fail_alloc_stop()) break;    // fewer than n allocations: done
 *       assert status is STATUS_MEMORY, fail_alloc_live() is 0
 *   }
 */
#ifndef PATCHSWEEP_TESTS_BASE_FAIL_ALLOC_H
#define PATCHSWEEP_TESTS_BASE_FAIL_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* From here on the allocation of that number (1: the next) fails, once; 0:
 * none does. Counting of live blocks begins anew. */
void fail_alloc_start(size_t number);

/* No failure from here on. true: the allocation to fail was reached. */
bool fail_alloc_stop(void);

/* Blocks allocated since fail_alloc_start less blocks released since. */
long fail_alloc_live(void);

#endif

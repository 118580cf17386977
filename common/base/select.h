/* select.h - the greatest of many values. */
#ifndef PATCHSWEEP_COMMON_BASE_SELECT_H
#define PATCHSWEEP_COMMON_BASE_SELECT_H

#include <stddef.h>

/* Places of the n_out (<= n) greatest of n values, greatest first, of equal
 * ones the first; NaN counts least.  out (n_out) */
void select_greatest(int *out, size_t n_out, const float *values, size_t n);

#endif

/* kernels_rows.h - loops over rows, compiled once an instruction set.
 *
 * kernels_rows.inc holds the loops; kernels_portable.c, kernels_avx2.c and
 * kernels_avx512.c include it with their vector width and are compiled with
 * their flags; kernels.c calls through the table of the best set that the
 * processor has. Meanings: kernels.h. */
#ifndef PATCHSWEEP_COMMON_MODEL_KERNELS_ROWS_H
#define PATCHSWEEP_COMMON_MODEL_KERNELS_ROWS_H

#include <stddef.h>

#include "common/model/config.h"

struct kernels_rows {
    const char *name;
    void (*add_bias)(float *x, const float *bias, size_t n);
    /* one row; gain NULL: neither gain nor bias; out NULL: only the scale */
    float (*layernorm)(float *out, const float *x, const float *gain,
                       const float *bias, size_t C, float eps);
    void (*activation)(float *out, const float *x, size_t n,
                       enum activation activation);
    void (*softmax)(float *x, size_t n);
    double (*dot_double)(const float *a, const float *b, size_t n);
    double (*logsumexp)(const float *x, size_t n);
};

extern const struct kernels_rows kernels_rows_portable;
#if defined(__x86_64__)
extern const struct kernels_rows kernels_rows_avx2;
extern const struct kernels_rows kernels_rows_avx512;
#endif

#endif

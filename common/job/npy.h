/* npy.h - a vector out of a NumPy .npy file.
 *
 * Read: versions 1 to 3, descr '<f4' or '<f8', C order, one dimension; every
 * length is compared with the file's. Source: NumPy's format specification
 * (numpy.lib.format). */
#ifndef PATCHSWEEP_COMMON_JOB_NPY_H
#define PATCHSWEEP_COMMON_JOB_NPY_H

#include <stddef.h>

#include "common/base/err.h"

/* n bytes of a file called name: *values (owned by the caller) and their
 * number. float64 is rounded to float32; NaN, infinities and what overflows
 * float32 are refused. */
enum status npy_read_vector(float **values, int *n_values, const char *name,
                            const void *data, size_t n,
                            struct err *err) WARN_UNUSED;

#endif

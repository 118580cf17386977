/* A .npy file of any bytes. */
#include <stdint.h>
#include <stdlib.h>

#include "common/job/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    float *values = NULL;
    int n = 0;
    if (npy_read_vector(&values, &n, "fuzzed.npy", data, size, &err)) {
        if (!err.message[0] || values) abort();
        return 0;
    }
    if (n < 1 || (size_t)n * sizeof *values > size) abort();
    free(values);
    return 0;
}

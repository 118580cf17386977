/* A safetensors header: any bytes are refused in a sentence, or the tensors
 * follow one another over the whole of the data. The first byte says how much
 * data there is. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/model/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct safetensors files = {0};
    struct err err = {0};
    if (size == 0) return 0;
    uint64_t at = 7 + size, end = at + 4 * (uint64_t)data[0];
    if (safetensors_parse_header(&files, 0, (const char *)data + 1, size - 1,
                                 at, end - at, &err) == STATUS_OK) {
        for (size_t i = 0; i < files.n_tensors; i++) {
            if (files.tensors[i].begin != at) abort();
            at = files.tensors[i].end;
        }
        if (at != end || files.n_tensors == 0) abort();
    } else if (err.message[0] == '\0') {
        abort();
    }
    safetensors_close(&files);
    return 0;
}

/* safetensors_load.c - one pass over the weight files: digest, widen, check. */
#include "common/model/safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"

enum { CHUNK_BYTES = 1 << 20 }; /* a multiple of every element's size */

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint32_t u16_at(const unsigned char *data)
{
    return (uint32_t)data[0] | (uint32_t)data[1] << 8;
}

/* IEEE 754 binary16 to binary32. The shifted bits are the value times 2^-112,
 * subnormal numbers included, so one exact product puts the exponent right;
 * infinities and NaN keep the exponent of all ones. */
static float widen_half(uint32_t half)
{
    uint32_t bits =
        bits_of_float(float_of_bits((half & 0x7fff) << 13) * 0x1p112F);
    if ((half & 0x7c00) == 0x7c00) bits = 0x7f800000 | (half & 0x3ff) << 13;
    return float_of_bits(bits | (half & 0x8000) << 16);
}

static void widen(float *out, const unsigned char *data, size_t n,
                  enum dtype dtype)
{
    if (dtype == DTYPE_F16) {
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            out[i] = widen_half(u16_at(data + 2 * i));
    } else if (dtype == DTYPE_BF16) {
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            out[i] = float_of_bits(u16_at(data + 2 * i) << 16);
    } else {
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            out[i] = float_of_bits(u16_at(data + 4 * i) |
                                   u16_at(data + 4 * i + 2) << 16);
    }
}

static bool is_finite(float value)
{
    return (bits_of_float(value) & 0x7f800000) != 0x7f800000;
}

static enum status check_finite(const float *values, size_t n, uint64_t first,
                                struct err *err)
{
    unsigned n_bad = 0;
#pragma omp simd reduction(+ : n_bad)
    for (size_t i = 0; i < n; i++)
        n_bad += !is_finite(values[i]);
    if (n_bad == 0) return STATUS_OK;
    size_t at = 0;
    while (is_finite(values[at]))
        at++;
    return err_set(err, STATUS_INPUT,
                   "value %" PRIu64 " is not a finite number", first + at);
}

/* Where a pass through a file stands. */
struct pass {
    const struct safetensors_file *file;
    struct digest_stream *stream;
    unsigned char *chunk; /* (CHUNK_BYTES) */
    uint64_t at;
};

/* The next n <= CHUNK_BYTES bytes of the file into chunk and digest. */
static enum status advance(struct pass *pass, size_t n, struct err *err)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(pass->file->fd, pass->chunk + done, n - done,
                            (off_t)(pass->at + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return err_set_errno(err, STATUS_IO, errno, "cannot read");
        if (got == 0)
            return err_set(err, STATUS_INPUT,
                           "the file ended at byte %" PRIu64 " while it was "
                           "read",
                           pass->at + done);
        done += (size_t)got;
    }
    digest_add(pass->stream, pass->chunk, n);
    pass->at += n;
    return STATUS_OK;
}

static size_t next_bytes(const struct pass *pass, uint64_t end)
{
    uint64_t left = end - pass->at;
    return left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
}

/* Read on to the end of tensor; target is NULL where it is not wanted. */
static enum status read_tensor(struct pass *pass,
                               const struct safetensors_tensor *tensor,
                               float *target, struct err *err)
{
    size_t size = tensor->dtype == DTYPE_F32 ? 4 : 2;
    uint64_t first = 0;
    while (pass->at < tensor->end) {
        size_t bytes = next_bytes(pass, tensor->end), n = bytes / size;
        if (advance(pass, bytes, err)) return err->status;
        if (!target) continue;
        widen(target + first, pass->chunk, n, tensor->dtype);
        if (check_finite(target + first, n, first, err))
            return err_context(err, "tensor %.80s", tensor->name);
        first += n;
    }
    return STATUS_OK;
}

enum status safetensors_load(const struct safetensors *safetensors,
                             float *const *targets, struct digest *digest,
                             struct err *err)
{
    struct pass pass = {0};
    size_t t = 0;
    pass.chunk = mem_calloc(CHUNK_BYTES, 1, "a reading buffer", err);
    pass.stream = digest_open(err);
    if (!pass.chunk || !pass.stream) goto out;
    for (size_t f = 0; f < safetensors->n_files; f++) {
        pass.file = &safetensors->files[f];
        pass.at = 0;
        while (t < safetensors->n_tensors &&
               safetensors->tensors[t].file == f && !err->status) {
            const struct safetensors_tensor *tensor = &safetensors->tensors[t];
            /* the header stands before the first tensor, nothing else does */
            while (pass.at < tensor->begin &&
                   advance(&pass, next_bytes(&pass, tensor->begin), err) ==
                       STATUS_OK)
                continue;
            if (!err->status) (void)read_tensor(&pass, tensor, targets[t], err);
            t++;
        }
        if (err->status) {
            (void)err_context(err, "%s", pass.file->name);
            goto out;
        }
    }
out:
    free(pass.chunk);
    if (!pass.stream) return err->status;
    return digest_close(pass.stream, err->status ? NULL : digest, err);
}

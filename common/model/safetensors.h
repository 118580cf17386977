/* safetensors.h - the weight files of a Hugging Face folder.
 *
 * A file is: u64 header length, little-endian; the header, one JSON map from
 * tensor name to {dtype, shape, data_offsets: [begin, end)} (offsets count
 * from the end of the header; "__metadata__" is a map of strings and
 * ignored); the data. A folder has model.safetensors or, where that is
 * absent, model.safetensors.index.json, whose weight_map names the shard of
 * every tensor.
 *
 * Checked before anything is used: the header's length against the file and
 * SAFETENSORS_MOST_HEADER; every shape, dtype and offset; the data are covered
 * without gap or overlap and reach exactly to the file's end; shards are plain
 * names in the folder; index and shards name the same tensors.
 *
 * Source: the format page of huggingface/safetensors. */
#ifndef PATCHSWEEP_COMMON_MODEL_SAFETENSORS_H
#define PATCHSWEEP_COMMON_MODEL_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/digest.h"
#include "common/base/err.h"

enum {
    SAFETENSORS_MOST_HEADER = 16 << 20, /* bytes */
    SAFETENSORS_MOST_FILES = 256,
    SAFETENSORS_MOST_DIMS = 8
};

/* name in the file, bytes an element, whether it can be read as a weight
 * (the others may only stand beside the weights, as masks do). */
#define DTYPE_LIST(X)                                                          \
    X(DTYPE_F32, "F32", 4, 1)                                                  \
    X(DTYPE_F16, "F16", 2, 1)                                                  \
    X(DTYPE_BF16, "BF16", 2, 1)                                                \
    X(DTYPE_F64, "F64", 8, 0)                                                  \
    X(DTYPE_I64, "I64", 8, 0)                                                  \
    X(DTYPE_I32, "I32", 4, 0)                                                  \
    X(DTYPE_I16, "I16", 2, 0)                                                  \
    X(DTYPE_I8, "I8", 1, 0)                                                    \
    X(DTYPE_U64, "U64", 8, 0)                                                  \
    X(DTYPE_U32, "U32", 4, 0)                                                  \
    X(DTYPE_U16, "U16", 2, 0)                                                  \
    X(DTYPE_U8, "U8", 1, 0)                                                    \
    X(DTYPE_BOOL, "BOOL", 1, 0)

enum dtype {
#define DTYPE_ENUM(code, name, bytes, is_weight) code,
    DTYPE_LIST(DTYPE_ENUM)
#undef DTYPE_ENUM
        DTYPE_COUNT
};

struct safetensors_file {
    char *name; /* "model.safetensors" */
    int fd;
    uint64_t bytes;
};

struct safetensors_tensor {
    char *name;
    enum dtype dtype;
    size_t n_dims;
    uint64_t dims[SAFETENSORS_MOST_DIMS];
    uint64_t n_values;   /* product of dims */
    size_t file;         /* index in files */
    uint64_t begin, end; /* bytes from the start of the file */
};

struct safetensors {
    size_t n_files;
    struct safetensors_file *files; /* in order of name */
    size_t n_tensors;
    struct safetensors_tensor *tensors; /* in order of file and offset */
    size_t capacity;
};

/* Open the folder's weight files and read their headers; the files stay open
 * until safetensors_close. *out is zeroed first and may be closed after a
 * failure. STATUS_INPUT with a sentence that names file and tensor. */
enum status safetensors_open(struct safetensors *out, const char *folder,
                             struct err *err) WARN_UNUSED;
void safetensors_close(struct safetensors *safetensors);

/* Read every file once from start to end: targets[i] (borrowed; n_values
 * floats) receives tensor i widened exactly to float32, or is NULL where it
 * is not wanted. digest: SHA-256 over the bytes of all files in order of
 * name. A value that is not finite is an error that names the tensor. */
enum status safetensors_load(const struct safetensors *safetensors,
                             float *const *targets, struct digest *digest,
                             struct err *err) WARN_UNUSED;

const char *safetensors_dtype_name(enum dtype dtype);
bool safetensors_dtype_is_weight(enum dtype dtype);

/* Append "[768,2304]" to text, for messages; at most size bytes with NUL. */
void safetensors_print_shape(char *text, size_t size, const uint64_t *dims,
                             size_t n_dims);

/* The inner part of safetensors_open: the tensors of one header (n bytes of
 * JSON), whose data are data_bytes bytes from data_at of the file on, are
 * checked and appended to out in order of offset. */
enum status safetensors_parse_header(struct safetensors *out, size_t file,
                                     const char *text, size_t n,
                                     uint64_t data_at, uint64_t data_bytes,
                                     struct err *err) WARN_UNUSED;

#endif

/* inputs.h - the bytes of every small file that a job depends on.
 *
 * On rank 0 the set collects: a file asked for is read from the disk and
 * kept. Serialized, sent and restored on the other ranks, it only serves what
 * it holds. Weights are not in here. */
#ifndef PATCHSWEEP_COMMON_JOB_INPUTS_H
#define PATCHSWEEP_COMMON_JOB_INPUTS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/err.h"

struct input {
    char *path;          /* as asked for: relative to the job's folder; owned */
    unsigned char *data; /* NUL-terminated for convenience; owned */
    size_t n;            /* without that NUL */
    struct digest digest;
    bool is_absent; /* asked for with inputs_find and not there */
};

struct inputs {
    char *folder; /* of the job file; paths are relative to it; owned */
    char *job;    /* name of the job file inside folder; owned */
    bool is_collecting;
    struct input **items; /* in order of first use; owned */
    size_t n, capacity;
};

/* Begin to collect for the job file at path (not read yet). */
enum status inputs_open(struct inputs *out, const char *path,
                        struct err *err) WARN_UNUSED;
void inputs_free(struct inputs *inputs);

/* The file at path (relative to the job's folder, or absolute), read at the
 * first call. An error where it cannot be read or is longer than most bytes.
 * Valid until inputs_free. */
const struct input *inputs_get(struct inputs *inputs, const char *path,
                               size_t most, struct err *err) WARN_UNUSED;

/* As inputs_get, but NULL without an error where no such file exists; check
 * err->status for the rest. */
const struct input *inputs_find(struct inputs *inputs, const char *path,
                                size_t most, struct err *err) WARN_UNUSED;

/* The whole set as bytes, and back (then is_collecting is false). Every
 * truncation of the bytes is refused. */
void inputs_encode(struct buf *out, const struct inputs *inputs);
enum status inputs_decode(struct inputs *out, const void *data, size_t n,
                          struct err *err) WARN_UNUSED;

#endif

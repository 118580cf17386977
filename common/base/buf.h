/* buf.h - a growing byte buffer and a bounded reading cursor.
 *
 * Everything on the wire and on disk goes through these: fixed-width fields,
 * little-endian, never a struct copied whole. A buffer has a ceiling; passing
 * it is an error. A cursor never reads beyond its end: after a short read it
 * is "bad", every later read gives zero, and the caller checks once. */
#ifndef PATCHSWEEP_COMMON_BASE_BUF_H
#define PATCHSWEEP_COMMON_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct buf {
    unsigned char *data; /* owned; buf_free */
    size_t n;            /* bytes in use */
    size_t capacity;
    size_t ceiling; /* 0: 1 GiB */
    bool is_failed; /* out of memory or over the ceiling */
};

void buf_free(struct buf *buf);
void buf_clear(struct buf *buf); /* n = 0, memory kept */

/* Append. Failure is sticky: check buf_check once at the end. */
void buf_bytes(struct buf *buf, const void *data, size_t n);
void buf_u8(struct buf *buf, uint8_t value);
void buf_u32(struct buf *buf, uint32_t value);
void buf_u64(struct buf *buf, uint64_t value);
void buf_i32(struct buf *buf, int32_t value);
void buf_f32(struct buf *buf, float value);
void buf_f64(struct buf *buf, double value);
void buf_text(struct buf *buf, const char *text); /* u32 length, bytes */
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_f32_array(struct buf *buf, const float *values, size_t n);

enum status buf_check(const struct buf *buf, const char *what,
                      struct err *err) WARN_UNUSED;

/* The content as a C string (a NUL is appended, not counted); owned by the
 * caller, the buffer is empty afterwards. NULL where the buffer failed. */
char *buf_take_text(struct buf *buf);

struct cursor {
    const unsigned char *data; /* borrowed */
    size_t n;
    size_t at;
    bool is_bad;
};

struct cursor cursor_of(const void *data, size_t n);
uint8_t cursor_u8(struct cursor *cursor);
uint32_t cursor_u32(struct cursor *cursor);
uint64_t cursor_u64(struct cursor *cursor);
int32_t cursor_i32(struct cursor *cursor);
float cursor_f32(struct cursor *cursor);
double cursor_f64(struct cursor *cursor);
/* n bytes in place, or NULL and bad where fewer are left. */
const unsigned char *cursor_bytes(struct cursor *cursor, size_t n);
/* An owned NUL-terminated copy of a buf_text; NULL and bad where damaged or
 * longer than most bytes. */
char *cursor_text(struct cursor *cursor, size_t most);
size_t cursor_left(const struct cursor *cursor);
/* true: everything was read, nothing was short. */
bool cursor_is_done(const struct cursor *cursor);

#endif

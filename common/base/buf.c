#include "common/base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t default_ceiling = (size_t)1 << 30;

void buf_free(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){.ceiling = buf->ceiling};
}

void buf_clear(struct buf *buf)
{
    buf->n = 0;
    buf->is_failed = false;
}

/* Room for n more bytes, or NULL. */
static unsigned char *reserve(struct buf *buf, size_t n)
{
    if (buf->is_failed) return NULL;
    size_t ceiling = buf->ceiling ? buf->ceiling : default_ceiling;
    if (n > ceiling || buf->n > ceiling - n) {
        buf->is_failed = true;
        return NULL;
    }
    if (buf->n + n > buf->capacity || !buf->data) {
        size_t wanted = buf->capacity ? buf->capacity : 256;
        while (wanted < buf->n + n)
            wanted *= 2;
        unsigned char *data = realloc(buf->data, wanted);
        if (!data) {
            buf->is_failed = true;
            return NULL;
        }
        buf->data = data;
        buf->capacity = wanted;
    }
    unsigned char *room = buf->data + buf->n;
    buf->n += n;
    return room;
}

void buf_bytes(struct buf *buf, const void *data, size_t n)
{
    unsigned char *room = reserve(buf, n);
    if (room && n) memcpy(room, data, n);
}

static void put(struct buf *buf, uint64_t value, size_t n)
{
    unsigned char *room = reserve(buf, n);
    for (size_t i = 0; room && i < n; i++)
        room[i] = (unsigned char)(value >> (8 * i));
}

void buf_u8(struct buf *buf, uint8_t value) { put(buf, value, 1); }
void buf_u32(struct buf *buf, uint32_t value) { put(buf, value, 4); }
void buf_u64(struct buf *buf, uint64_t value) { put(buf, value, 8); }
void buf_i32(struct buf *buf, int32_t value) { put(buf, (uint32_t)value, 4); }

void buf_f32(struct buf *buf, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put(buf, bits, 4);
}

void buf_f64(struct buf *buf, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put(buf, bits, 8);
}

void buf_f32_array(struct buf *buf, const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_f32(buf, values[i]);
}

void buf_text(struct buf *buf, const char *text)
{
    size_t n = strlen(text);
    if (n > UINT32_MAX) {
        buf->is_failed = true;
        return;
    }
    buf_u32(buf, (uint32_t)n);
    buf_bytes(buf, text, n);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) {
        buf->is_failed = true;
    } else {
        /* one more for the NUL that vsnprintf writes, taken back after */
        unsigned char *room = reserve(buf, (size_t)n + 1);
        if (room) {
            vsnprintf((char *)room, (size_t)n + 1, format, again);
            buf->n--;
        }
    }
    va_end(again);
}

enum status buf_check(const struct buf *buf, const char *what, struct err *err)
{
    if (!buf->is_failed) return STATUS_OK;
    return err_set(err, STATUS_MEMORY,
                   "%s: out of memory, or longer than %zu bytes", what,
                   buf->ceiling ? buf->ceiling : default_ceiling);
}

char *buf_take_text(struct buf *buf)
{
    buf_u8(buf, 0);
    if (buf->is_failed) return NULL;
    char *text = (char *)buf->data;
    *buf = (struct buf){.ceiling = buf->ceiling};
    return text;
}

struct cursor cursor_of(const void *data, size_t n)
{
    return (struct cursor){.data = data, .n = n};
}

const unsigned char *cursor_bytes(struct cursor *cursor, size_t n)
{
    if (cursor->is_bad || n > cursor->n - cursor->at) {
        cursor->is_bad = true;
        return NULL;
    }
    const unsigned char *bytes = cursor->data + cursor->at;
    cursor->at += n;
    return bytes;
}

static uint64_t get(struct cursor *cursor, size_t n)
{
    const unsigned char *bytes = cursor_bytes(cursor, n);
    uint64_t value = 0;
    for (size_t i = 0; bytes && i < n; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

uint8_t cursor_u8(struct cursor *cursor) { return (uint8_t)get(cursor, 1); }
uint32_t cursor_u32(struct cursor *cursor) { return (uint32_t)get(cursor, 4); }
uint64_t cursor_u64(struct cursor *cursor) { return get(cursor, 8); }
int32_t cursor_i32(struct cursor *cursor) { return (int32_t)get(cursor, 4); }

float cursor_f32(struct cursor *cursor)
{
    uint32_t bits = cursor_u32(cursor);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double cursor_f64(struct cursor *cursor)
{
    uint64_t bits = cursor_u64(cursor);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

char *cursor_text(struct cursor *cursor, size_t most)
{
    size_t n = cursor_u32(cursor);
    if (n > most) cursor->is_bad = true;
    const unsigned char *bytes = cursor_bytes(cursor, n);
    if (!bytes) return NULL;
    char *text = malloc(n + 1);
    if (!text) {
        cursor->is_bad = true;
        return NULL;
    }
    memcpy(text, bytes, n);
    text[n] = '\0';
    return text;
}

size_t cursor_left(const struct cursor *cursor)
{
    return cursor->is_bad ? 0 : cursor->n - cursor->at;
}

bool cursor_is_done(const struct cursor *cursor)
{
    return !cursor->is_bad && cursor->at == cursor->n;
}

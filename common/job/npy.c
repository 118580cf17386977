#include "common/job/npy.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"

enum { MOST_VALUES = 1 << 24, MOST_HEADER = 1 << 16 };

/* What follows "'key': " in the header, a Python dictionary on one line; NULL
 * where the key is not there. */
static const char *find_key(const char *header, const char *quoted_key)
{
    const char *at = strstr(header, quoted_key);
    if (!at) return NULL;
    at += strlen(quoted_key);
    at += strspn(at, " ");
    if (*at++ != ':') return NULL;
    return at + strspn(at, " ");
}

/* Bytes of text up to `end`, at most 20, for messages. */
static int shown(const char *text, char end)
{
    int n = 0;
    while (n < 20 && text[n] && text[n] != end)
        n++;
    return n;
}

/* "(n,)": the one dimension; false for any other shape. */
static bool read_shape(const char *at, size_t *n)
{
    if (*at++ != '(') return false;
    at += strspn(at, " ");
    size_t value = 0, digits = 0;
    for (; *at >= '0' && *at <= '9' && digits < 12; at++, digits++)
        value = 10 * value + (size_t)(*at - '0');
    at += strspn(at, " ");
    if (digits == 0 || *at++ != ',') return false;
    at += strspn(at, " ");
    *n = value;
    return *at == ')';
}

static enum status read_header(struct cursor *cursor, const char *name,
                               char **header, struct err *err)
{
    const unsigned char *magic = cursor_bytes(cursor, 6);
    if (!magic || memcmp(magic, "\x93NUMPY", 6) != 0)
        return err_set(err, STATUS_INPUT,
                       "%s: not a .npy file: it does not begin with \\x93NUMPY",
                       name);
    uint8_t major = cursor_u8(cursor);
    (void)cursor_u8(cursor);
    if (!cursor->is_bad && (major < 1 || major > 3))
        return err_set(err, STATUS_INPUT,
                       "%s: found .npy version %d, expected 1, 2 or 3", name,
                       major);
    size_t bytes = cursor_u8(cursor);
    bytes |= (size_t)cursor_u8(cursor) << 8;
    if (major > 1) {
        bytes |= (size_t)cursor_u8(cursor) << 16;
        bytes |= (size_t)cursor_u8(cursor) << 24;
    }
    const unsigned char *text = NULL;
    if (bytes <= MOST_HEADER) text = cursor_bytes(cursor, bytes);
    if (!text || memchr(text, '\0', bytes))
        return err_set(err, STATUS_INPUT,
                       "%s: the header of the .npy file is cut or damaged",
                       name);
    *header = mem_calloc(bytes + 1, 1, "a .npy header", err);
    if (*header) memcpy(*header, text, bytes);
    return err->status;
}

enum status npy_read_vector(float **values, int *n_values, const char *name,
                            const void *data, size_t n, struct err *err)
{
    struct cursor cursor = cursor_of(data, n);
    char *header = NULL;
    float *out = NULL;
    size_t count = 0;
    if (read_header(&cursor, name, &header, err)) goto out;
    const char *descr = find_key(header, "'descr'");
    const char *order = find_key(header, "'fortran_order'");
    const char *shape = find_key(header, "'shape'");
    if (!descr || !order || !shape) {
        (void)err_set(err, STATUS_INPUT,
                      "%s: the .npy header lacks descr, fortran_order or shape",
                      name);
        goto out;
    }
    bool is_double = strncmp(descr, "'<f8'", 5) == 0;
    if (!is_double && strncmp(descr, "'<f4'", 5) != 0) {
        (void)err_set(err, STATUS_INPUT,
                      "%s: found values of type %.*s, expected '<f4' or '<f8' "
                      "(float32 or float64, little-endian)",
                      name, shown(descr, ','), descr);
        goto out;
    }
    /* of one dimension, both orders are the same */
    if (!read_shape(shape, &count) || count < 1 || count > MOST_VALUES) {
        (void)err_set(err, STATUS_INPUT,
                      "%s: found shape %.*s), expected one dimension of 1 to "
                      "%d values, such as (768,)",
                      name, shown(shape, ')'), shape, MOST_VALUES);
        goto out;
    }
    size_t expected = count * (is_double ? 8 : 4);
    if (cursor_left(&cursor) != expected) {
        (void)err_set(err, STATUS_INPUT,
                      "%s: found %zu bytes of values, expected %zu for %zu of "
                      "them",
                      name, cursor_left(&cursor), expected, count);
        goto out;
    }
    out = mem_calloc(count, sizeof *out, "a vector", err);
    for (size_t i = 0; out && i < count && !err->status; i++) {
        out[i] = is_double ? (float)cursor_f64(&cursor) : cursor_f32(&cursor);
        if (!isfinite(out[i]))
            (void)err_set(err, STATUS_INPUT,
                          "%s: value %zu is not a finite float32", name, i);
    }
out:
    free(header);
    if (err->status) {
        free(out);
        return err->status;
    }
    *values = out;
    *n_values = (int)count;
    return STATUS_OK;
}

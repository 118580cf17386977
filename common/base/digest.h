/* digest.h - SHA-256 (the only user of the crypto library) and CRC-32 (the
 * only user of zlib outside HDF5). */
#ifndef PATCHSWEEP_COMMON_BASE_DIGEST_H
#define PATCHSWEEP_COMMON_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum { DIGEST_BYTES = 32, DIGEST_HEX = 65 };

struct digest {
    unsigned char bytes[DIGEST_BYTES];
};

/* SHA-256 of n bytes at once (FIPS 180-4). */
enum status digest_of(struct digest *out, const void *data, size_t n,
                      struct err *err) WARN_UNUSED;

/* The same in pieces: open, add any number of times, close (which writes out
 * and releases; out may be NULL to only release). */
struct digest_stream;
struct digest_stream *digest_open(struct err *err) WARN_UNUSED;
void digest_add(struct digest_stream *stream, const void *data, size_t n);
enum status digest_close(struct digest_stream *stream, struct digest *out,
                         struct err *err) WARN_UNUSED;

/* 64 lower-case hexadecimal digits and a NUL. */
void digest_hex(char hex[DIGEST_HEX], const struct digest *digest);

/* CRC-32 of zlib over n bytes, continued from crc (0 to begin). */
uint32_t crc32_of(uint32_t crc, const void *data, size_t n);

#endif

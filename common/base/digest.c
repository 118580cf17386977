#include "common/base/digest.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <zlib.h>

#include "common/base/mem.h"

struct digest_stream {
    EVP_MD_CTX *context;
    bool is_failed;
};

struct digest_stream *digest_open(struct err *err)
{
    struct digest_stream *stream =
        mem_calloc(1, sizeof *stream, "a digest", err);
    if (!stream) return NULL;
    stream->context = EVP_MD_CTX_new();
    if (!stream->context ||
        EVP_DigestInit_ex(stream->context, EVP_sha256(), NULL) != 1) {
        (void)err_set(err, STATUS_INTERNAL, "SHA-256 is not available");
        EVP_MD_CTX_free(stream->context);
        free(stream);
        return NULL;
    }
    return stream;
}

void digest_add(struct digest_stream *stream, const void *data, size_t n)
{
    if (EVP_DigestUpdate(stream->context, data, n) != 1)
        stream->is_failed = true;
}

enum status digest_close(struct digest_stream *stream, struct digest *out,
                         struct err *err)
{
    struct digest unused;
    unsigned int n = 0;
    if (EVP_DigestFinal_ex(stream->context, (out ? out : &unused)->bytes, &n) !=
            1 ||
        n != DIGEST_BYTES || stream->is_failed)
        (void)err_set(err, STATUS_INTERNAL, "SHA-256 failed");
    EVP_MD_CTX_free(stream->context);
    free(stream);
    return err->status;
}

enum status digest_of(struct digest *out, const void *data, size_t n,
                      struct err *err)
{
    struct digest_stream *stream = digest_open(err);
    if (!stream) return err->status;
    digest_add(stream, data, n);
    return digest_close(stream, out, err);
}

void digest_hex(char hex[DIGEST_HEX], const struct digest *digest)
{
    for (size_t i = 0; i < DIGEST_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest->bytes[i]);
}

uint32_t crc32_of(uint32_t crc, const void *data, size_t n)
{
    return (uint32_t)crc32_z(crc, data, n);
}

/* The tokenizer: whatever is encoded is decoded to the same bytes, and
 * whatever stands in its files it is opened or refused. By the first byte:
 *
 *   'E'  edits of the small vocabulary's files, five bytes each
 *   'R'  the rest is vocab.json, a byte 0xff, merges.txt
 *   else the whole input is a text for GPT-2's vocabulary */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"
#include "common/model/tokenizer.h"
#include "tests/model/small_vocabulary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int is_right, const char *what)
{
    if (is_right) return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static void round_trip(const struct tokenizer *tokenizer, const char *text,
                       size_t n, bool allow_special)
{
    struct err err = {0};
    struct buf out = {0};
    int *ids = NULL;
    size_t n_ids = 0, capacity = 0;
    check(tokenizer_encode(tokenizer, &ids, &n_ids, &capacity, text, n,
                           allow_special, &err) == STATUS_OK,
          err.message);
    check(tokenizer_decode(tokenizer, &out, ids, n_ids, &err) == STATUS_OK,
          err.message);
    check(out.n == n && (n == 0 || memcmp(out.data, text, n) == 0),
          "decoding does not give the text back");
    buf_clear(&out);
    for (size_t i = 0; i < n_ids; i++)
        tokenizer_print(tokenizer, &out, ids[i]);
    for (size_t i = 0; i < out.n; i++)
        check(out.data[i] >= 0x20 && out.data[i] != 0x7f,
              "a control character is printed");
    buf_free(&out);
    free(ids);
}

static struct tokenizer *open_real(void)
{
    struct err err = {0};
    struct buf vocab = {0}, merges = {0};
    check(!file_read(&vocab, TEST_SOURCE_DIR "/models/demo/vocab.json", 0,
                     &err) &&
              !file_read(&merges, TEST_SOURCE_DIR "/models/demo/merges.txt", 0,
                         &err),
          err.message);
    struct tokenizer *tokenizer =
        tokenizer_open("vocab.json", (const char *)vocab.data, vocab.n,
                       "merges.txt", (const char *)merges.data, merges.n, &err);
    check(tokenizer != NULL, err.message);
    buf_free(&vocab);
    buf_free(&merges);
    return tokenizer;
}

static void try_files(const void *vocab, size_t n_vocab, const void *merges,
                      size_t n_merges)
{
    struct err err = {0};
    struct tokenizer *tokenizer = tokenizer_open(
        "v.json", vocab, n_vocab, "m.txt", merges, n_merges, &err);
    if (tokenizer) {
        static const char text[] = "abaabab ccabc<|endoftext|> it's \xff\n\n 1";
        round_trip(tokenizer, text, sizeof text - 1, true);
        tokenizer_close(tokenizer);
    } else {
        check(err.status == STATUS_INPUT && err.message[0] != '\0',
              "refused without a sentence");
    }
}

/* An edit: which file and what to do, place (two bytes), two bytes to put. */
static void edit(struct buf *file, const uint8_t *bytes)
{
    if (file->n == 0) return;
    size_t place = (bytes[1] | (size_t)bytes[2] << 8) % file->n;
    unsigned char *at = file->data + place;
    switch (bytes[0] / 2 % 4) {
    case 0: /* a byte */
        *at = bytes[3];
        break;
    case 1: /* cut out */
        memmove(at, at + 1, file->n - place - 1);
        file->n--;
        break;
    case 2: /* put in twice */
        buf_u8(file, 0);
        at = file->data + place;
        memmove(at + 1, at, file->n - place - 1);
        break;
    default: /* two bytes */
        *at = bytes[3];
        file->data[(place + 1) % file->n] = bytes[4];
        break;
    }
}

static void try_edits(const uint8_t *data, size_t size)
{
    struct buf vocab = {0}, merges = {0};
    small_vocabulary_write(&vocab);
    small_merges_write(&merges);
    for (; size >= 5; data += 5, size -= 5)
        edit(data[0] % 2 ? &vocab : &merges, data);
    try_files(vocab.data, vocab.n, merges.data, merges.n);
    buf_free(&vocab);
    buf_free(&merges);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tokenizer *real;
    if (!real) real = open_real();
    if (size > 0 && data[0] == 'E') {
        try_edits(data + 1, size - 1);
    } else if (size > 0 && data[0] == 'R') {
        const uint8_t *end = memchr(data, 0xff, size);
        size_t n_vocab = end ? (size_t)(end - data) - 1 : size - 1;
        size_t n_merges = end ? size - n_vocab - 2 : 0;
        try_files(data + 1, n_vocab, end ? end + 1 : data, n_merges);
    } else {
        round_trip(real, (const char *)data, size, size % 2);
    }
    return 0;
}

/* tokenizer.c - text into pieces by GPT-2's pattern, pieces into tokens. */
#include "common/model/tokenizer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/bpe.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* encoder.py, with \s as \p{White_Space} and \S as its complement. */
#define SPACE     "\\p{White_Space}"
#define NOT_SPACE "\\P{White_Space}"
static const char pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^" SPACE
    "\\p{L}\\p{N}]+|" SPACE "+(?!" NOT_SPACE ")|" SPACE "+";

static const char end_of_text[] = "<|endoftext|>";

/* What the pattern sees in place of a byte that is not UTF-8: one byte, no
 * space, letter, number or apostrophe. */
static const char stand_in = '\x01';

struct tokenizer {
    struct bpe bpe;
    pcre2_general_context *memory;
    pcre2_code *code;
    char unicode_version[32];
};

/* PCRE2's memory comes from here, so that tests can make it fail. */
static void *allocate(size_t n, void *data)
{
    (void)data;
    return malloc(n);
}

static void release(void *memory, void *data)
{
    (void)data;
    free(memory);
}

static enum status compile_pattern(struct tokenizer *tokenizer, struct err *err)
{
    if (pcre2_config(PCRE2_CONFIG_UNICODE_VERSION, NULL) >
            (int)sizeof tokenizer->unicode_version ||
        pcre2_config(PCRE2_CONFIG_UNICODE_VERSION, tokenizer->unicode_version) <
            0)
        return err_set(err, STATUS_INTERNAL, "PCRE2 names no Unicode version");
    tokenizer->memory = pcre2_general_context_create(allocate, release, NULL);
    if (!tokenizer->memory)
        return err_set(err, STATUS_MEMORY, "no memory for the pattern");
    pcre2_compile_context *context =
        pcre2_compile_context_create(tokenizer->memory);
    if (!context)
        return err_set(err, STATUS_MEMORY, "no memory for the pattern");
    int number = 0;
    size_t place = 0;
    tokenizer->code =
        pcre2_compile((PCRE2_SPTR)pattern, sizeof pattern - 1,
                      PCRE2_UTF | PCRE2_ANCHORED, &number, &place, context);
    pcre2_compile_context_free(context);
    if (tokenizer->code) {
        /* Where it cannot be had, matching is slower and otherwise equal. */
        (void)pcre2_jit_compile(tokenizer->code, PCRE2_JIT_COMPLETE);
        return STATUS_OK;
    }
    char says[128] = "";
    pcre2_get_error_message(number, (PCRE2_UCHAR *)says, sizeof says);
    bool is_memory =
        number == PCRE2_ERROR_HEAP_FAILED || number == PCRE2_ERROR_NOMEMORY;
    return err_set(err, is_memory ? STATUS_MEMORY : STATUS_INTERNAL,
                   "PCRE2 refuses the pattern at %zu: %s", place, says);
}

struct tokenizer *tokenizer_open(const char *vocab_name, const char *vocab,
                                 size_t vocab_bytes, const char *merges_name,
                                 const char *merges, size_t merges_bytes,
                                 struct err *err)
{
    struct tokenizer *tokenizer =
        mem_calloc(1, sizeof *tokenizer, "a tokenizer", err);
    if (!tokenizer) return NULL;
    if (bpe_load(&tokenizer->bpe, vocab_name, vocab, vocab_bytes, merges_name,
                 merges, merges_bytes, err) ||
        compile_pattern(tokenizer, err)) {
        tokenizer_close(tokenizer);
        return NULL;
    }
    return tokenizer;
}

void tokenizer_close(struct tokenizer *tokenizer)
{
    if (!tokenizer) return;
    bpe_free(&tokenizer->bpe);
    pcre2_code_free(tokenizer->code);
    pcre2_general_context_free(tokenizer->memory);
    free(tokenizer);
}

int tokenizer_n_vocab(const struct tokenizer *tokenizer)
{
    return tokenizer->bpe.n_vocab;
}

int tokenizer_end_of_text(const struct tokenizer *tokenizer)
{
    return tokenizer->bpe.end_of_text;
}

const char *tokenizer_unicode_version(const struct tokenizer *tokenizer)
{
    return tokenizer->unicode_version;
}

/* Bytes of the well-formed UTF-8 sequence that text begins with, or 0 (The
 * Unicode Standard, table 3-7). n is at least 1. */
static size_t utf8_bytes(const char *text, size_t n)
{
    const unsigned char *at = (const unsigned char *)text;
    if (at[0] < 0x80) return 1;
    size_t length = at[0] < 0xc2   ? 0
                    : at[0] < 0xe0 ? 2
                    : at[0] < 0xf0 ? 3
                    : at[0] < 0xf5 ? 4
                                   : 0;
    if (length == 0 || length > n) return 0;
    unsigned char low = at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = at[0] == 0xed ? 0x9f : at[0] == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high) return 0;
    for (size_t i = 2; i < length; i++)
        if (at[i] < 0x80 || at[i] > 0xbf) return 0;
    return length;
}

/* What one call of tokenizer_encode works with. */
struct encoder {
    const struct tokenizer *tokenizer;
    const char *text;
    char *subject; /* text with the stand-in where it is not UTF-8 */
    pcre2_match_data *match;
    struct bpe_scratch scratch;
    int **ids;
    size_t *n_ids, *capacity;
};

static enum status make_subject(struct encoder *encoder, size_t n,
                                struct err *err)
{
    encoder->subject = mem_calloc(n, 1, "a text", err);
    if (!encoder->subject) return err->status;
    for (size_t i = 0; i < n;) {
        size_t length = utf8_bytes(encoder->text + i, n - i);
        if (length)
            memcpy(encoder->subject + i, encoder->text + i, length);
        else
            encoder->subject[i] = stand_in;
        i += length ? length : 1;
    }
    return STATUS_OK;
}

/* Tokens of text[from, to), which the pattern sees as a text of its own. */
static enum status encode_stretch(struct encoder *encoder, size_t from,
                                  size_t to, struct err *err)
{
    PCRE2_SPTR subject = (PCRE2_SPTR)encoder->subject + from;
    const size_t *ends = pcre2_get_ovector_pointer(encoder->match);
    for (size_t at = 0; at < to - from;) {
        int found = pcre2_match(encoder->tokenizer->code, subject, to - from,
                                at, PCRE2_NO_UTF_CHECK, encoder->match, NULL);
        if (found == PCRE2_ERROR_NOMEMORY)
            return err_set(err, STATUS_MEMORY, "no memory to split a text");
        if (found < 0 || ends[1] <= at)
            return err_set(err, STATUS_INTERNAL,
                           "PCRE2 cannot split the text at byte %zu (%d)",
                           from + at, found);
        if (bpe_encode(&encoder->tokenizer->bpe, &encoder->scratch,
                       encoder->ids, encoder->n_ids, encoder->capacity,
                       encoder->text + from + at, ends[1] - at, err))
            return err->status;
        at = ends[1];
    }
    return STATUS_OK;
}

/* Where the next <|endoftext|> begins in text[from, n), or n. */
static size_t find_special(const char *text, size_t from, size_t n)
{
    const size_t length = sizeof end_of_text - 1;
    while (n - from >= length) {
        const char *at = memchr(text + from, end_of_text[0], n - from);
        if (!at) break;
        from = (size_t)(at - text);
        if (n - from >= length && memcmp(at, end_of_text, length) == 0)
            return from;
        from++;
    }
    return n;
}

enum status tokenizer_encode(const struct tokenizer *tokenizer, int **ids,
                             size_t *n_ids, size_t *capacity, const char *text,
                             size_t n, bool allow_special, struct err *err)
{
    struct encoder encoder = {.tokenizer = tokenizer,
                              .text = text,
                              .ids = ids,
                              .n_ids = n_ids,
                              .capacity = capacity};
    int special = allow_special ? tokenizer->bpe.end_of_text : -1;
    *n_ids = 0;
    if (n == 0) return STATUS_OK;
    if (n > INT32_MAX)
        return err_set(err, STATUS_INPUT,
                       "a text of %zu bytes is longer than the %d allowed", n,
                       INT32_MAX);
    encoder.match = pcre2_match_data_create(1, tokenizer->memory);
    if (!encoder.match) {
        (void)err_set(err, STATUS_MEMORY, "no memory to split a text");
        goto out;
    }
    if (make_subject(&encoder, n, err)) goto out;
    for (size_t at = 0; at < n;) {
        size_t end = special >= 0 ? find_special(text, at, n) : n;
        if (encode_stretch(&encoder, at, end, err)) goto out;
        at = end;
        if (at == n) break;
        if (mem_grow(ids, capacity, *n_ids + 1, sizeof **ids, "token ids", err))
            goto out;
        (*ids)[(*n_ids)++] = special;
        at += sizeof end_of_text - 1;
    }
out:
    bpe_scratch_free(&encoder.scratch);
    free(encoder.subject);
    pcre2_match_data_free(encoder.match);
    return err->status;
}

const char *tokenizer_token(const struct tokenizer *tokenizer, int id,
                            size_t *n)
{
    const struct bpe *bpe = &tokenizer->bpe;
    *n = 0;
    if (id < 0 || id >= bpe->n_vocab) return NULL;
    *n = bpe->at[id + 1] - bpe->at[id];
    return bpe->bytes + bpe->at[id];
}

enum status tokenizer_decode(const struct tokenizer *tokenizer, struct buf *out,
                             const int *ids, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        size_t n_bytes;
        const char *bytes = tokenizer_token(tokenizer, ids[i], &n_bytes);
        if (!bytes)
            return err_set(err, STATUS_INPUT,
                           "token %zu: id %d is not one of the vocabulary's 0 "
                           "to %d",
                           i, ids[i], tokenizer->bpe.n_vocab - 1);
        buf_bytes(out, bytes, n_bytes);
    }
    return buf_check(out, "decoded text", err);
}

void tokenizer_print(const struct tokenizer *tokenizer, struct buf *out, int id)
{
    size_t n;
    const char *bytes = tokenizer_token(tokenizer, id, &n);
    for (size_t i = 0; i < n;) {
        size_t length = utf8_bytes(bytes + i, n - i);
        unsigned char first = (unsigned char)bytes[i];
        bool is_control = first < 0x20 || first == 0x7f ||
                          (length == 2 && first == 0xc2 &&
                           (unsigned char)bytes[i + 1] < 0xa0);
        size_t end = i + (length ? length : 1);
        if (length == 0 || is_control) {
            for (; i < end; i++)
                buf_printf(out, "\\x%02x",
                           (unsigned int)(unsigned char)bytes[i]);
        } else if (first == '\\') {
            buf_bytes(out, "\\\\", 2);
        } else {
            buf_bytes(out, bytes + i, length);
        }
        i = end;
    }
}

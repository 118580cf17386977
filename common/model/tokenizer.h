/* tokenizer.h - GPT-2's byte-level BPE, encode and decode.
 *
 * Source: OpenAI's GPT-2 encoder (byte-to-character table, pattern, merges).
 * The pattern is matched by PCRE2 (tokenizer.c is its only user) with \s
 * written as \p{White_Space}: \s of PCRE2 and of the reference differ at
 * U+180E. Which Unicode version letters and numbers follow is PCRE2's
 * (tokenizer_unicode_version).
 *
 * Any bytes can be encoded, and decoding gives the same bytes back. A byte
 * that is not part of well-formed UTF-8 is split as a punctuation mark would
 * be: docs/tokenizer.md.
 *
 * A tokenizer is not changed by any call: threads may share it. */
#ifndef PATCHSWEEP_COMMON_MODEL_TOKENIZER_H
#define PATCHSWEEP_COMMON_MODEL_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/err.h"

struct tokenizer;

/* Build from the texts of vocab.json and merges.txt (borrowed for the call;
 * the names are for messages). Checked: ids are 0 .. n-1 without a gap, all 256
 * bytes are there, every merge's parts and result are in the vocabulary, no
 * merge is given twice, and every token of more than a byte, but for special
 * ones (<...>), comes from a merge. STATUS_INPUT where that is not so. Owned by
 * the caller: tokenizer_close. NULL on failure. */
struct tokenizer *tokenizer_open(const char *vocab_name, const char *vocab,
                                 size_t vocab_bytes, const char *merges_name,
                                 const char *merges, size_t merges_bytes,
                                 struct err *err) WARN_UNUSED;
void tokenizer_close(struct tokenizer *tokenizer);

int tokenizer_n_vocab(const struct tokenizer *tokenizer);

/* The id of <|endoftext|>, or -1 where the vocabulary has none. */
int tokenizer_end_of_text(const struct tokenizer *tokenizer);

/* Token ids of n bytes of text. The text "<|endoftext|>" becomes the special
 * token where allow_special, else it is encoded like any other text (as
 * TransformerLens does with prompts: special). *ids is grown with mem_grow
 * (owned by the caller, NULL to begin); *n_ids is set. n is at most INT32_MAX.
 * The time is O(n log n) for any text. */
enum status tokenizer_encode(const struct tokenizer *tokenizer, int **ids,
                             size_t *n_ids, size_t *capacity, const char *text,
                             size_t n, bool allow_special,
                             struct err *err) WARN_UNUSED;

/* The bytes of token id (not NUL-terminated, may be any bytes), *n of them;
 * NULL where id is out of range. Valid while the tokenizer is open. */
const char *tokenizer_token(const struct tokenizer *tokenizer, int id,
                            size_t *n);

/* Append to out the bytes of n tokens: what was encoded. STATUS_INPUT where an
 * id is out of range. */
enum status tokenizer_decode(const struct tokenizer *tokenizer, struct buf *out,
                             const int *ids, size_t n,
                             struct err *err) WARN_UNUSED;

/* Append to out the token's bytes as printable text for files and messages:
 * valid UTF-8 as it is, bytes that are not UTF-8, control characters and NUL
 * as \xNN (lower case), a backslash as \\ . Nothing where id is out of range.
 */
void tokenizer_print(const struct tokenizer *tokenizer, struct buf *out,
                     int id);

/* The version of Unicode that \p{L} and \p{N} follow, e.g. "14.0.0". Valid
 * while the tokenizer is open. */
const char *tokenizer_unicode_version(const struct tokenizer *tokenizer);

#endif

/* small_vocabulary.h - a vocabulary of 256 bytes and a dozen merges, written
 * as vocab.json and merges.txt are, for tests that try every damage.
 *
 * Its merges are worse than training makes them: some stand before the
 * merges that make their parts, and two make the same token. The last makes
 * a control character, U+0080. */
#ifndef PATCHSWEEP_TESTS_MODEL_SMALL_VOCABULARY_H
#define PATCHSWEEP_TESTS_MODEL_SMALL_VOCABULARY_H

#include "common/base/buf.h"

enum { SMALL_MERGES = 14 };

/* The two parts of each merge, in order of rank. */
extern const char *const small_merges[SMALL_MERGES][2];

/* Ids: byte b is 255 - b (so that ids and bytes differ), then the merged
 * tokens from 256, <|endoftext|> last. Appended to vocab. */
void small_vocabulary_write(struct buf *vocab);
/* The bytes of a token as vocab.json may write them, without the quotes. */
void small_token_write(struct buf *vocab, const char *bytes, size_t n);
void small_merges_write(struct buf *merges);

#endif

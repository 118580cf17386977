/* text_tokens.h - the tokens of a text of the command line. */
#ifndef PATCHSWEEP_CLI_TEXT_TOKENS_H
#define PATCHSWEEP_CLI_TEXT_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/model_files.h"

/* The ids of text, with the model's BOS before them where with_bos. *ids is
 * owned by the caller (free()). An error where the model has no tokenizer, or
 * no BOS where one is asked for. */
enum status text_tokens(int **ids, size_t *n, const struct model *model,
                        const char *text, bool with_bos,
                        struct err *err) WARN_UNUSED;

/* The token as printable text, in quotes, into out (emptied first). */
const char *text_token_quoted(struct buf *out,
                              const struct tokenizer *tokenizer, int id);

#endif

#include "cli/text_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum status text_tokens(int **ids, size_t *n, const struct model *model,
                        const char *text, bool with_bos, struct err *err)
{
    int *tokens = NULL;
    size_t n_tokens = 0, capacity = 0;
    *ids = NULL;
    *n = 0;
    if (!model->tokenizer)
        return err_set(err, STATUS_INPUT,
                       "this model has no vocab.json and merges.txt");
    if (with_bos && model->config.bos < 0)
        return err_set(err, STATUS_INPUT,
                       "this model has no BOS token: say --no-bos");
    if (tokenizer_encode(model->tokenizer, &tokens, &n_tokens, &capacity, text,
                         strlen(text), true, err))
        goto out;
    *ids = mem_calloc(n_tokens + 1, sizeof **ids, "the tokens", err);
    if (!*ids) goto out;
    if (with_bos) (*ids)[(*n)++] = model->config.bos;
    for (size_t i = 0; i < n_tokens; i++)
        (*ids)[(*n)++] = tokens[i];
out:
    free(tokens);
    return err->status;
}

const char *text_token_quoted(struct buf *out,
                              const struct tokenizer *tokenizer, int id)
{
    buf_clear(out);
    buf_u8(out, '\'');
    tokenizer_print(tokenizer, out, id);
    buf_u8(out, '\'');
    buf_u8(out, '\0');
    return out->is_failed ? "?" : (const char *)out->data;
}

#include "cli/model_files.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/mem.h"

static const size_t most_bytes = 64 << 20;

static enum status open_tokenizer(struct model *model, const char *folder,
                                  struct err *err)
{
    struct buf vocab = {0}, merges = {0};
    char *vocab_path = file_join(folder, "vocab.json", err);
    char *merges_path = file_join(folder, "merges.txt", err);
    if (!vocab_path || !merges_path) goto out;
    bool has_vocab = file_exists(vocab_path);
    bool has_merges = file_exists(merges_path);
    if (!has_vocab && !has_merges) goto out;
    if (file_read(&vocab, vocab_path, most_bytes, err) ||
        file_read(&merges, merges_path, most_bytes, err))
        goto out;
    model->tokenizer =
        tokenizer_open(vocab_path, (const char *)vocab.data, vocab.n,
                       merges_path, (const char *)merges.data, merges.n, err);
out:
    buf_free(&vocab);
    buf_free(&merges);
    free(vocab_path);
    free(merges_path);
    return err->status;
}

static enum status load_weights(struct model *model, const char *folder,
                                struct err *err)
{
    size_t bytes;
    if (weights_bytes(&bytes, &model->config, err)) return err->status;
    model->block = mem_calloc_aligned(bytes, 1, "the weights", err);
    if (!model->block ||
        weights_load(model->block, &model->digest, &model->config, folder, err))
        return err->status;
    return weights_bind(&model->weights, &model->config, model->block, err);
}

enum status model_files_open(struct model *out, const char *folder,
                             bool with_weights, struct err *err)
{
    *out = (struct model){0};
    if (model_config_read(&out->config, folder, err) ||
        open_tokenizer(out, folder, err))
        goto out;
    if (with_weights) (void)load_weights(out, folder, err);
out:
    if (err->status) model_files_close(out);
    return err->status;
}

void model_files_close(struct model *model)
{
    weights_free(&model->weights);
    free(model->block);
    tokenizer_close(model->tokenizer);
    *model = (struct model){0};
}

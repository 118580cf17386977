/* tiny_model.h - for tests: write a small random GPT-2 as a Hugging Face
 * folder, and load it. The same description and seed give the same bytes. */
#ifndef PATCHSWEEP_TESTS_MODEL_TINY_MODEL_H
#define PATCHSWEEP_TESTS_MODEL_TINY_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/digest.h"
#include "common/base/err.h"
#include "common/model/safetensors.h"
#include "common/model/weights.h"

struct tiny_model {
    /* as in config.h; d_model is n_head * d_head; bos is written where >= 0 */
    struct model_config config;
    uint64_t seed;
    enum dtype dtype;       /* F32, F16 or BF16 */
    bool has_prefix;        /* names begin with "transformer." */
    bool has_masks;         /* attn.bias buffers stand beside the weights */
    int n_shards;           /* 0, 1: model.safetensors; more: an index */
    bool has_tokenizer;     /* vocab.json, merges.txt: 257 <= n_vocab <= 933;
                             * the 256 bytes, merges of two small letters in
                             * alphabetical order, <|endoftext|> last */
    const char *extra_keys; /* more of config.json: ", \"key\": value" */
};

/* Two layers, 3 heads of 4, n_ctx 16, 29 tokens, d_mlp 40, F32, tied,
 * gelu_new, no tokenizer. */
struct tiny_model tiny_model_default(void);

/* Make folder and write the files into it. */
enum status tiny_model_write(const char *folder, const struct tiny_model *model,
                             struct err *err) WARN_UNUSED;

/* A new empty folder under TEST_BINARY_DIR; NULL where it cannot be made.
 * Owned by the caller: tiny_folder_remove, which deletes the plain files in
 * it and frees the name. */
char *tiny_folder_make(void);
void tiny_folder_remove(char *folder);

/* A loaded model: configuration, weights and their block. */
struct tiny_loaded {
    struct weights weights;
    void *block;
    struct digest digest;
};
enum status tiny_model_load(struct tiny_loaded *out, const char *folder,
                            struct err *err) WARN_UNUSED;
void tiny_loaded_free(struct tiny_loaded *loaded);

/* Write and load in a folder that is gone afterwards. */
enum status tiny_model_make(struct tiny_loaded *out,
                            const struct tiny_model *model,
                            struct err *err) WARN_UNUSED;

#endif

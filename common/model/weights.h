/* weights.h - a model's tensors in float32, in one block of memory.
 *
 * The block is what a node shares between its ranks: weights_bytes says its
 * size, weights_bind lays the pointers over it, weights_load fills it from a
 * Hugging Face folder. Every tensor starts at a multiple of 64 bytes.
 *
 * Easy to get wrong in GPT-2: Conv1D weights are stored (in, out), so y =
 * x W + b without a transpose; c_attn's columns are q | k | v and inside each
 * third head after head; the unembedding is wte, tied, without bias;
 * attn.bias and attn.masked_bias in a file are the causal mask, not weights;
 * names come with and without the "transformer." prefix. */
#ifndef PATCHSWEEP_COMMON_MODEL_WEIGHTS_H
#define PATCHSWEEP_COMMON_MODEL_WEIGHTS_H

#include <stddef.h>

#include "common/base/digest.h"
#include "common/base/err.h"
#include "common/model/config.h"

struct layer_weights {
    const float *ln1_gain, *ln1_bias; /* (C) */
    const float *w_qkv;               /* (C, 3C) attn.c_attn.weight */
    const float *b_qkv;               /* (3C) */
    const float *w_o;                 /* (C, C)  attn.c_proj.weight */
    const float *b_o;                 /* (C) */
    const float *ln2_gain, *ln2_bias; /* (C) */
    const float *w_in;                /* (C, F)  mlp.c_fc.weight */
    const float *b_in;                /* (F) */
    const float *w_out;               /* (F, C)  mlp.c_proj.weight */
    const float *b_out;               /* (C) */
};

struct weights {
    struct model_config config;
    const float *wte;                 /* (V, C) */
    const float *wpe;                 /* (n_ctx, C) */
    struct layer_weights *layer;      /* L of them; owned */
    const float *lnf_gain, *lnf_bias; /* (C) */
    const float *w_u;   /* (V, C): wte where tied and not processed */
    const float *b_u;   /* (V) where processed, else NULL */
    const float *block; /* the whole block; kept, not owned */
};

/* Bytes of the block for a configuration. STATUS_INPUT where it does not fit
 * in a size_t. */
enum status weights_bytes(size_t *bytes, const struct model_config *config,
                          struct err *err) WARN_UNUSED;

/* Point out's tensors into block (64-byte aligned, of weights_bytes; kept:
 * it must outlive out). Release with weights_free, which leaves the block. */
enum status weights_bind(struct weights *out, const struct model_config *config,
                         const void *block, struct err *err) WARN_UNUSED;
void weights_free(struct weights *weights);

/* Fill block from folder's model.safetensors or, where that is absent, the
 * shards of model.safetensors.index.json; F32, F16 and BF16 are widened
 * exactly. Every tensor's shape is compared with the configuration, every
 * offset with the file's size. A missing tensor, a tensor that no GPT-2 has,
 * a wrong shape, NaN or infinity in a weight: an error that names it.
 * digest: SHA-256 over the bytes of the weight files in order of their
 * names. */
enum status weights_load(void *block, struct digest *digest,
                         const struct model_config *config, const char *folder,
                         struct err *err) WARN_UNUSED;

#endif

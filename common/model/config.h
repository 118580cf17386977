/* config.h - the shape and the mathematics of a GPT-2 model.
 *
 * Letters used everywhere: L = n_layer, H = n_head, C = d_model,
 * K = d_head = C / H, F = d_mlp, V = n_vocab. */
#ifndef PATCHSWEEP_COMMON_MODEL_CONFIG_H
#define PATCHSWEEP_COMMON_MODEL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

/* name in config.json, meaning. gelu_new and gelu_pytorch_tanh are the same
 * function; gelu is the erf form. */
#define ACTIVATION_LIST(X)                                                     \
    X(ACTIVATION_GELU_NEW, "gelu_new")                                         \
    X(ACTIVATION_GELU_TANH, "gelu_pytorch_tanh")                               \
    X(ACTIVATION_GELU, "gelu")                                                 \
    X(ACTIVATION_RELU, "relu")                                                 \
    X(ACTIVATION_SILU, "silu")

enum activation {
#define ACTIVATION_ENUM(code, name) code,
    ACTIVATION_LIST(ACTIVATION_ENUM)
#undef ACTIVATION_ENUM
};

struct model_config {
    int n_layer, n_head, d_model, d_head, d_mlp;
    int n_ctx; /* positions the model has (n_positions) */
    int n_vocab;
    int bos; /* bos_token_id; -1 where the model has none */
    float ln_eps;
    enum activation activation;
    bool scale_attn;          /* scores divided by sqrt(K); else not */
    bool scale_attn_by_layer; /* and by layer + 1 */
    bool is_tied;             /* the unembedding is wte; else lm_head.weight */
    bool is_processed;        /* the job's weights: processed; see process.h */
    char banner[256]; /* "patchsweep_banner": shown wherever results are */
};

const char *activation_name(enum activation activation); /* "gelu_new" */

/* Read n bytes of a config.json; name is the file's, for messages. Keys that
 * change the mathematics are honoured or refused by name (list in
 * docs/model.md); keys that do not (dropout, cache, task settings) are
 * ignored. reorder_and_upcast_attn is a matter of precision alone and is
 * accepted. Every size must be at least 1 (at most 2^24), d_model divisible
 * by n_head. */
enum status model_config_parse(struct model_config *out, const char *name,
                               const char *text, size_t n,
                               struct err *err) WARN_UNUSED;

/* The same of folder/config.json (at most 1 MiB). */
enum status model_config_read(struct model_config *out, const char *folder,
                              struct err *err) WARN_UNUSED;

/* What the products q·k of a layer are multiplied with: 1 / sqrt(K) where
 * scale_attn, and 1 / (layer + 1) where scale_attn_by_layer. */
float model_config_score_scale(const struct model_config *config, int layer);

#endif

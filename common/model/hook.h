/* hook.h - every activation that TransformerLens 2.18 caches by default for a
 * GPT-2, in the order in which the model computes them.
 *
 * Sites (of the job language) are the hooks that can be edited; the LayerNorms'
 * and the position embedding are seen only. hook_scale is sqrt(variance +
 * eps), hook_normalized comes after gain and bias. */
#ifndef PATCHSWEEP_COMMON_MODEL_HOOK_H
#define PATCHSWEEP_COMMON_MODEL_HOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/model/config.h"

/* Before the blocks, in each ("blocks.<layer>." before the name), after. */
enum hook_place { HOOK_BEFORE, HOOK_IN_BLOCK, HOOK_AFTER };

enum hook_shape {
    HOOK_RESID,  /* (S, C) */
    HOOK_SCALE,  /* (S, 1) */
    HOOK_HEADS,  /* (S, H, K) */
    HOOK_SCORES, /* (H, S, S): head, dest, src */
    HOOK_MLP     /* (S, F) */
};

/* code, place, name, shape */
#define HOOK_LIST(X)                                                           \
    X(HOOK_EMBED, HOOK_BEFORE, "hook_embed", HOOK_RESID)                       \
    X(HOOK_POS_EMBED, HOOK_BEFORE, "hook_pos_embed", HOOK_RESID)               \
    X(HOOK_RESID_PRE, HOOK_IN_BLOCK, "hook_resid_pre", HOOK_RESID)             \
    X(HOOK_LN1_SCALE, HOOK_IN_BLOCK, "ln1.hook_scale", HOOK_SCALE)             \
    X(HOOK_LN1, HOOK_IN_BLOCK, "ln1.hook_normalized", HOOK_RESID)              \
    X(HOOK_Q, HOOK_IN_BLOCK, "attn.hook_q", HOOK_HEADS)                        \
    X(HOOK_K, HOOK_IN_BLOCK, "attn.hook_k", HOOK_HEADS)                        \
    X(HOOK_V, HOOK_IN_BLOCK, "attn.hook_v", HOOK_HEADS)                        \
    X(HOOK_ATTN_SCORES, HOOK_IN_BLOCK, "attn.hook_attn_scores", HOOK_SCORES)   \
    X(HOOK_PATTERN, HOOK_IN_BLOCK, "attn.hook_pattern", HOOK_SCORES)           \
    X(HOOK_Z, HOOK_IN_BLOCK, "attn.hook_z", HOOK_HEADS)                        \
    X(HOOK_ATTN_OUT, HOOK_IN_BLOCK, "hook_attn_out", HOOK_RESID)               \
    X(HOOK_RESID_MID, HOOK_IN_BLOCK, "hook_resid_mid", HOOK_RESID)             \
    X(HOOK_LN2_SCALE, HOOK_IN_BLOCK, "ln2.hook_scale", HOOK_SCALE)             \
    X(HOOK_LN2, HOOK_IN_BLOCK, "ln2.hook_normalized", HOOK_RESID)              \
    X(HOOK_MLP_PRE, HOOK_IN_BLOCK, "mlp.hook_pre", HOOK_MLP)                   \
    X(HOOK_MLP_POST, HOOK_IN_BLOCK, "mlp.hook_post", HOOK_MLP)                 \
    X(HOOK_MLP_OUT, HOOK_IN_BLOCK, "hook_mlp_out", HOOK_RESID)                 \
    X(HOOK_RESID_POST, HOOK_IN_BLOCK, "hook_resid_post", HOOK_RESID)           \
    X(HOOK_LN_FINAL_SCALE, HOOK_AFTER, "ln_final.hook_scale", HOOK_SCALE)      \
    X(HOOK_LN_FINAL, HOOK_AFTER, "ln_final.hook_normalized", HOOK_RESID)

enum hook {
#define HOOK_ENUM(code, place, name, shape) code,
    HOOK_LIST(HOOK_ENUM)
#undef HOOK_ENUM
        HOOK_COUNT
};

/* One activation of one prompt of S tokens. */
struct hook_view {
    enum hook hook;
    int layer;         /* 0 outside the blocks */
    const float *data; /* borrowed for the call; row-major */
    size_t n_dims;     /* 2 or 3 */
    size_t dims[3];
};

enum hook_place hook_place(enum hook hook);

/* n_dims and dims for a prompt of S tokens; hook and the rest as they are. */
void hook_set_shape(struct hook_view *view, const struct model_config *config,
                    size_t S);

/* Whether its shape is (H, S, S); is (S, F). */
bool hook_is_scores(enum hook hook);
bool hook_is_mlp(enum hook hook);

/* Layers that a hook is in; 1 outside the blocks. */
int hook_layers(enum hook hook, const struct model_config *config);

/* The hook of this name, without "blocks.<layer>."; HOOK_COUNT where there is
 * none. */
enum hook hook_find(const char *name);

/* The full name, "blocks.3.attn.hook_q", into text of size bytes. */
enum { HOOK_NAME_BYTES = 64 };
void hook_print_name(char *text, size_t size, enum hook hook, int layer);

/* "blocks.*.attn.hook_q"; and the end of the name, "hook_q". */
void hook_print_pattern(char *text, size_t size, enum hook hook);
const char *hook_last_word(enum hook hook);

/* Whether the full name matches a pattern, as in file names (`*`, `?`, `[..]`;
 * `*` stands for dots too). */
bool hook_matches(const char *pattern, enum hook hook, int layer);

#endif

/* site.h - the places of the model that can be edited, cached and exported.
 *
 * Names are TransformerLens' (2.18). The order of the list is the order in
 * which a block computes them; a cell enters the model at its first edited
 * site. Letters: config.h; S = positions of the prompt. */
#ifndef PATCHSWEEP_COMMON_JOB_SITE_H
#define PATCHSWEEP_COMMON_JOB_SITE_H

#include <stdbool.h>

enum site_kind {
    SITE_RESID,  /* (S, C)    axes layer, position, dim */
    SITE_HEADS,  /* (S, H, K) axes layer, position, head, dim */
    SITE_SCORES, /* (H, S, S) axes layer, head, dest, src */
    SITE_MLP     /* (S, F)    axes layer, position, neuron */
};

/* code, name in jobs, hook name, kind */
#define SITE_LIST(X)                                                           \
    X(SITE_EMBED, "embed", "hook_embed", SITE_RESID)                           \
    X(SITE_RESID_PRE, "resid_pre", "hook_resid_pre", SITE_RESID)               \
    X(SITE_Q, "q", "attn.hook_q", SITE_HEADS)                                  \
    X(SITE_K, "k", "attn.hook_k", SITE_HEADS)                                  \
    X(SITE_V, "v", "attn.hook_v", SITE_HEADS)                                  \
    X(SITE_ATTN_SCORES, "attn_scores", "attn.hook_attn_scores", SITE_SCORES)   \
    X(SITE_PATTERN, "pattern", "attn.hook_pattern", SITE_SCORES)               \
    X(SITE_Z, "z", "attn.hook_z", SITE_HEADS)                                  \
    X(SITE_ATTN_OUT, "attn_out", "hook_attn_out", SITE_RESID)                  \
    X(SITE_RESID_MID, "resid_mid", "hook_resid_mid", SITE_RESID)               \
    X(SITE_MLP_PRE, "mlp_pre", "mlp.hook_pre", SITE_MLP)                       \
    X(SITE_MLP_POST, "mlp_post", "mlp.hook_post", SITE_MLP)                    \
    X(SITE_MLP_OUT, "mlp_out", "hook_mlp_out", SITE_RESID)                     \
    X(SITE_RESID_POST, "resid_post", "hook_resid_post", SITE_RESID)

enum site {
#define SITE_ENUM(code, name, hook, kind) code,
    SITE_LIST(SITE_ENUM)
#undef SITE_ENUM
        SITE_COUNT
};

const char *site_name(enum site site); /* "resid_pre" */
const char *site_hook(enum site site); /* "hook_resid_pre", inside a block */
enum site_kind site_kind(enum site site);

/* SITE_COUNT where no site has this name. */
enum site site_find(const char *name);

#endif

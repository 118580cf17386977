/* forward.h - the plain forward pass of one prompt in float32.
 *
 * Whole rows, nothing skipped: for `next`, exports and as the first thing the
 * engine is compared with. The order of operations is docs/model.md's. */
#ifndef PATCHSWEEP_COMMON_MODEL_FORWARD_H
#define PATCHSWEEP_COMMON_MODEL_FORWARD_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/model/hook.h"
#include "common/model/weights.h"

/* see is called at every hook in the order of HOOK_LIST, layer after layer. A
 * status other than STATUS_OK (with its sentence in err) ends the pass. edit,
 * unless NULL, is called before it and may change data, of view's shape, with
 * which the pass goes on; not at hook_pos_embed. */
struct forward_observer {
    enum status (*see)(void *user, const struct hook_view *view,
                       struct err *err);
    void (*edit)(void *user, const struct hook_view *view, float *data);
    void *user;
};

/* One pass.
 *
 *   tokens    (S) ids of 0 .. V-1; 1 <= S <= n_ctx, else STATUS_INPUT
 *   observer  NULL: nobody looks
 *   logits    (S, V) written, or NULL: the unembedding is left out
 *
 * Allocates S (8 C + F) + H S^2 floats for the time of the call. */
enum status forward_run(const struct weights *weights, const int *tokens,
                        size_t S, const struct forward_observer *observer,
                        float *logits, struct err *err) WARN_UNUSED;

/* What forward_run checks before it computes. */
enum status forward_check_tokens(const struct model_config *config,
                                 const int *tokens, size_t S,
                                 struct err *err) WARN_UNUSED;

#endif

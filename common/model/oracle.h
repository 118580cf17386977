/* oracle.h - the forward pass in double, as slow and plain as it can be: what
 * everything that computes is compared with.
 *
 * It shares the weights and the list of hooks with the program and nothing
 * else: no kernels, no edits. Its caller may change every activation as it is
 * computed, which is how edited cells get a second opinion. */
#ifndef PATCHSWEEP_COMMON_MODEL_ORACLE_H
#define PATCHSWEEP_COMMON_MODEL_ORACLE_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/model/hook.h"
#include "common/model/weights.h"

/* Called at every hook in the order of HOOK_LIST, right after it is computed
 * and before anything uses it; may change data, which the rest of the pass
 * then uses. A site's hook is hook_find(site_hook(site)).
 *
 *   layer  0 outside the blocks
 *   data   row-major, shape as in hook.h
 *   shape  its three sizes; shape[2] = 1 where there are two
 *
 * attn_scores are scaled and already masked (-inf where src > dest); a row of
 * them whose every entry is -inf gives a pattern of zeros. */
struct oracle_hook {
    void (*visit)(void *user, enum hook hook, int layer, double *data,
                  const size_t shape[3]);
    void *user;
};

/* One pass over tokens (S), ids of 0 .. V-1, 1 <= S <= n_ctx. hook may be
 * NULL. logits (S, V) is written. The caller has checked tokens and S
 * (forward_check_tokens). */
enum status oracle_run(const struct weights *weights, const int *tokens,
                       size_t S, const struct oracle_hook *hook, double *logits,
                       struct err *err) WARN_UNUSED;

#endif

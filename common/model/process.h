/* process.h - the weights as TransformerLens loads them by default: fold_ln,
 * center_writing_weights, center_unembed, fold_value_biases, in this order.
 *
 * Log probabilities and logit differences stay what they were; logits move by
 * a constant a position, resid_*, attn_out, mlp_out, embed lose their mean
 * over d_model, v, z lose the value bias. So zeroing z, v or pattern gives
 * other numbers than on raw weights. LayerNorm's gain is 1 and its bias 0
 * afterwards, which is TransformerLens' LNPre. */
#ifndef PATCHSWEEP_COMMON_MODEL_PROCESS_H
#define PATCHSWEEP_COMMON_MODEL_PROCESS_H

#include "common/base/err.h"
#include "common/model/config.h"

/* Process in place a block that weights_load has filled for a configuration
 * with is_processed. Sums are in double. */
enum status weights_process(float *block, const struct model_config *config,
                            struct err *err) WARN_UNUSED;

#endif

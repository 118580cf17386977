/* top.h - the strongest cells of a sweep, or parts of an analysis, as a table
 * in text. Reads results.h5 alone. */
#ifndef PATCHSWEEP_COMMON_STORE_TOP_H
#define PATCHSWEEP_COMMON_STORE_TOP_H

#include "common/base/buf.h"
#include "common/base/err.h"

/* Append to out, for a sweep of FOLDER/results.h5 (NULL: for each), the n
 * cells whose |mean effect over pairs| is largest: coordinates, mean value,
 * mean effect, and the recovered fraction where there is one. metric NULL:
 * the sweep's first. Cells without a mean are left out; equal ones stand in
 * the grid's order.
 *
 * Then the analyses that are sums (decompose, heads): what adds most, by
 * |logit_diff|, or |logit|; and head_scores: the highest. */
enum status top_print(struct buf *out, const char *folder, const char *name,
                      const char *metric, int n, struct err *err) WARN_UNUSED;

#endif

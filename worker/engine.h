/* engine.h - executes cells: base runs plus lists of edits.
 *
 * A lane is one cell of one pair. All rows (positions) of all lanes stand in
 * one matrix, in the order in which they became dirty, so every layer is a
 * few tall matrix products whatever the lengths of the prompts. A lane enters
 * at its first edited site with the edited rows; keys and values of clean
 * rows come from its base. Rows are only ever added, but for the last block,
 * which keeps those that are read.
 *
 * Per layer, with the rows that are there so far:
 *   resid_pre  edits                      rows: D, dirty at the layer's begin
 *   q k v      of D; edits                + rows of edited q, k, v
 *   attention  scores, pattern, z; edits  + every row from the first changed
 *                                           key on
 *   attn_out, resid_mid; edits            + rows edited there
 *   mlp_pre, mlp_post, mlp_out, resid_post; edits
 *
 * A lane that freezes attention keeps its edited rows alone: z is the base's
 * in every layer, but where it is edited; with FREEZE_MLP mlp_post too.
 *
 * A base run is a lane without a base: all its rows are dirty from the
 * embedding on, and its states are kept as the layers pass. There is no
 * second forward pass. */
#ifndef PATCHSWEEP_WORKER_ENGINE_H
#define PATCHSWEEP_WORKER_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/model/weights.h"
#include "common/plan/edit.h"
#include "worker/base_run.h"

/* What a capture keeps: rows.n rows of the site's width (scores: H x S). */
struct captured {
    const struct capture *capture; /* kept */
    float *values;                 /* kept, filled by the engine */
};

struct lane {
    /* set by the caller; all kept while the engine runs */
    const struct base_run *base; /* NULL: compute `fill` from its tokens */
    struct base_run *fill;
    const struct base_run *const *runs; /* by edit.run */
    const struct edit *edits;           /* by layer, then by site's order */
    int n_edits;
    const float *noise; /* EDIT_FROM_NOISE: (layers, noise_rows, C) */
    size_t noise_rows;
    const struct captured *captured; /* what this lane keeps */
    int n_captured;
    int freeze;          /* bits of enum freeze: what stays the base's */
    const bool *is_read; /* (S) rows whose final state is wanted; NULL: all */
    int last_read;       /* the last of them; rows after it are never run */
    /* the engine's own */
    int n_tokens;
    int next_edit;
    int first_key; /* least row whose key or value differs in this layer */
    int *row_of;   /* (S) row of the matrix, -1: clean */
};

struct engine;

/* Buffers for max_rows rows and prompts of max_tokens. weights and captures
 * (by number, n_captures of them, may be 0) are kept. */
struct engine *engine_open(const struct weights *weights, size_t max_rows,
                           size_t max_tokens, struct err *err) WARN_UNUSED;
void engine_close(struct engine *engine);

/* Bytes that engine_open allocates. */
size_t engine_bytes(const struct model_config *config, size_t max_rows,
                    size_t max_tokens);

/* Run n lanes together. captures[i].capture->number == i: the sources of
 * EDIT_FROM_CAPTURE; a lane may use what an earlier lane of the same call, or
 * of an earlier call, keeps. The sum over lanes of engine_lane_rows must be at
 * most max_rows. */
void engine_run(struct engine *engine, struct lane *lanes, size_t n,
                const struct captured *captures);

/* The most rows that a lane can have at once. */
size_t engine_lane_rows(const struct lane *lane);

/* After engine_run: the final residual state (C) of a row that was run, NULL
 * where the row is clean (then it is the base's). */
const float *engine_final_row(const struct engine *engine,
                              const struct lane *lane, int at);

#endif

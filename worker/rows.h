/* rows.h - the engine's matrix of rows, and edits on them: for the engine's
 * own files. */
#ifndef PATCHSWEEP_WORKER_ROWS_H
#define PATCHSWEEP_WORKER_ROWS_H

#include "worker/engine.h"

struct row {
    int lane, at;
};

/* A row whose neurons are edited and that is not in the matrix: its residual
 * moves by (new - old) x the neurons' rows of W_out, without the product. */
struct cheap_row {
    struct lane *lane;
    const struct edit *edit;
    int i, at; /* row i of the edit, position at */
};

struct engine {
    const struct weights *weights;
    size_t max_rows, max_tokens;
    struct lane *lanes; /* of this call */
    size_t n_lanes;
    const struct captured *captures;
    size_t n_rows;
    struct row *rows; /* owned, as all below; R = max_rows */
    float *x;         /* (R, C)  residual stream */
    float *h;         /* (R, C)  normalized, then products to be gathered */
    float *qkv;       /* (R, 3C) */
    float *z;         /* (R, C) */
    float *out;       /* (R, C)  attn_out, mlp_out */
    float *mlp;       /* (R, F) */
    struct cheap_row *cheap; /* (R) of the layer under way */
    size_t n_cheap;
    float *one_mlp, *one_edited; /* (F) of one cheap row */
    /* one lane's attention; S = max_tokens */
    float *queries; /* (S, C) */
    float *keys;    /* (S, C) */
    float *values;  /* (S, C) */
    float *lane_z;  /* (S, C) */
    float *scores;  /* (H, S, S) */
    int *lane_rows; /* (S) */
    int *row_of;    /* (R lanes at most, S) */
};

/* The row of position at, entering the matrix at a site where it is not there
 * yet: then it takes what the base has at that point. -1 where the row can no
 * longer reach anything that is read. */
int rows_enter(struct engine *engine, struct lane *lane, enum site site,
               int layer, int at);

/* Apply all edits at (site, layer) that are not of attention scores, and keep
 * what is asked for there. */
void rows_edit(struct engine *engine, enum site site, int layer);

/* The base's values of a site in the rows of lanes that freeze it. */
void rows_freeze(struct engine *engine, enum site site, int layer, int freeze);

/* Enter the layer's cheap rows with their final residual. */
void rows_enter_cheap(struct engine *engine, int layer);

/* Whether a row is still wanted in a layer once its key and value are made. */
bool rows_is_wanted(const struct engine *engine, const struct lane *lane,
                    int layer, int at);

/* The lane's next edit if it is at (site, layer), and step over it. */
const struct edit *rows_next_edit(struct lane *lane, enum site site, int layer);

/* The source of row i of an edit, laid out as the site's row, or for scores as
 * one head's; NULL: a rule. Of the lane runs, noise and base alone are read. */
const float *rows_source(const struct weights *weights, const struct edit *edit,
                         const struct lane *lane,
                         const struct captured *captures, int i);
const float *rows_source_scores(const struct edit *edit,
                                const struct lane *lane,
                                const struct captured *captures, int i,
                                int head);

/* Change one head's row of scores (length: src positions 0 .. at). */
void rows_edit_scores(float *row, const struct edit *edit,
                      const struct lane *lane, const struct captured *captures,
                      int i, int head, int at);

/* Change one row of a site that is not of scores, where it stands: row i of
 * the edit. Of the lane runs alone is read. */
void rows_edit_row(float *row, const struct weights *weights,
                   const struct edit *edit, const struct lane *lane,
                   const struct captured *captures, int i);

/* Attention of every lane in one layer: from engine->qkv to engine->z. */
void attention_run(struct engine *engine, int layer);

#endif

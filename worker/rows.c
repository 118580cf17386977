#include "worker/rows.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "common/model/kernels.h"

static size_t width_of(const struct weights *weights, enum site site)
{
    return (size_t)(site_kind(site) == SITE_MLP ? weights->config.d_mlp
                                                : weights->config.d_model);
}

/* Where the values of a site stand for a row of the matrix. */
static float *row_values(const struct engine *engine, enum site site, int row)
{
    size_t C = (size_t)engine->weights->config.d_model;
    size_t F = (size_t)engine->weights->config.d_mlp;
    size_t r = (size_t)row;
    switch (site) {
    case SITE_Q:
        return engine->qkv + r * 3 * C;
    case SITE_K:
        return engine->qkv + r * 3 * C + C;
    case SITE_V:
        return engine->qkv + r * 3 * C + 2 * C;
    case SITE_Z:
        return engine->z + r * C;
    case SITE_ATTN_OUT:
    case SITE_MLP_OUT:
        return engine->out + r * C;
    case SITE_MLP_PRE:
    case SITE_MLP_POST:
        return engine->mlp + r * F;
    default:
        return engine->x + r * C;
    }
}

static void take(const struct engine *engine, const struct lane *lane,
                 enum site to, enum site from, int layer, int row, int at)
{
    memcpy(row_values(engine, to, row),
           base_run_row(lane->base, from, layer, at),
           width_of(engine->weights, from) * sizeof(float));
}

/* The state of a clean row as it stands when a site has just been computed. */
static void take_base(struct engine *engine, const struct lane *lane,
                      enum site site, int layer, int row, int at)
{
    switch (site) {
    case SITE_EMBED:
    case SITE_RESID_PRE:
    case SITE_RESID_MID:
    case SITE_RESID_POST:
        take(engine, lane, site, site, layer, row, at);
        return;
    case SITE_Q:
    case SITE_K:
    case SITE_V:
    case SITE_ATTN_SCORES:
    case SITE_PATTERN:
        take(engine, lane, SITE_RESID_PRE, SITE_RESID_PRE, layer, row, at);
        take(engine, lane, SITE_Q, SITE_Q, layer, row, at);
        take(engine, lane, SITE_K, SITE_K, layer, row, at);
        take(engine, lane, SITE_V, SITE_V, layer, row, at);
        return;
    case SITE_Z:
    case SITE_ATTN_OUT:
        take(engine, lane, SITE_RESID_PRE, SITE_RESID_PRE, layer, row, at);
        take(engine, lane, site, site, layer, row, at);
        return;
    case SITE_MLP_PRE:
    case SITE_MLP_POST:
    case SITE_MLP_OUT:
        take(engine, lane, SITE_RESID_MID, SITE_RESID_MID, layer, row, at);
        take(engine, lane, site, site, layer, row, at);
        return;
    case SITE_COUNT:
        assert(site != SITE_COUNT);
    }
}

bool rows_is_wanted(const struct engine *engine, const struct lane *lane,
                    int layer, int at)
{
    if (!lane->is_read) return true;
    if (at > lane->last_read) return false;
    return layer < engine->weights->config.n_layer - 1 || lane->is_read[at];
}

int rows_enter(struct engine *engine, struct lane *lane, enum site site,
               int layer, int at)
{
    if (lane->row_of[at] >= 0) return lane->row_of[at];
    /* up to the keys and values a row is seen by later ones */
    bool is_seen = site == SITE_EMBED || site == SITE_RESID_PRE ||
                   site == SITE_K || site == SITE_V;
    if (lane->is_read && at > lane->last_read) return -1;
    if (!is_seen && !rows_is_wanted(engine, lane, layer, at)) return -1;
    assert(engine->n_rows < engine->max_rows);
    int row = (int)engine->n_rows++;
    engine->rows[row] = (struct row){(int)(lane - engine->lanes), at};
    lane->row_of[at] = row;
    take_base(engine, lane, site, layer, row, at);
    return row;
}

const struct edit *rows_next_edit(struct lane *lane, enum site site, int layer)
{
    if (lane->next_edit >= lane->n_edits) return NULL;
    const struct edit *edit = &lane->edits[lane->next_edit];
    if (edit->layer != layer || edit->site != site) return NULL;
    lane->next_edit++;
    return edit;
}

/* Which row of a capture is position at's. */
static size_t captured_row(const struct captured *captured, int at)
{
    const struct span *rows = &captured->capture->rows;
    int row = 0;
    while (row < rows->n && rows->at[row] != at)
        row++;
    assert(row < rows->n);
    return (size_t)row;
}

const float *rows_source(const struct weights *weights, const struct edit *edit,
                         const struct lane *lane,
                         const struct captured *captures, int i)
{
    size_t width = width_of(weights, edit->site);
    int at = edit->source_rows ? edit->source_rows[i] : edit->rows.at[i];
    switch (edit->source) {
    case EDIT_FROM_RUN:
        return base_run_row(lane->runs[edit->run], edit->site,
                            edit->source_layer, at);
    case EDIT_FROM_TABLE:
        return edit->table +
               (size_t)(edit->table_rows ? edit->table_rows[i] : 0) * width;
    case EDIT_FROM_CAPTURE:
        return captures[edit->capture].values +
               captured_row(&captures[edit->capture], at) * width;
    case EDIT_FROM_NOISE:
        return lane->noise + ((size_t)edit->layer * lane->noise_rows +
                              (size_t)edit->table_rows[i]) *
                                 width;
    case EDIT_ZERO:
    case EDIT_NEG_INF:
        break;
    }
    return NULL;
}

static void change(float *to, const float *from, const struct edit *edit)
{
    float value = edit->source == EDIT_NEG_INF ? -INFINITY : 0;
    if (from) value = *from;
    *to = edit->is_add ? *to + edit->scale * value : value;
}

/* One row: all its heads (one for sites without heads) and columns. */
static void change_row(float *to, const float *from, const struct edit *edit,
                       size_t n_heads, size_t head_width)
{
    size_t chosen =
        edit->heads.n < 0 || n_heads == 1 ? n_heads : (size_t)edit->heads.n;
    size_t columns = edit->columns.n < 0 ? head_width : (size_t)edit->columns.n;
    for (size_t k = 0; k < chosen; k++) {
        size_t head =
            edit->heads.n < 0 || n_heads == 1 ? k : (size_t)edit->heads.at[k];
        for (size_t c = 0; c < columns; c++) {
            size_t column =
                edit->columns.n < 0 ? c : (size_t)edit->columns.at[c];
            size_t at = head * head_width + column;
            change(to + at, from ? from + at : NULL, edit);
        }
    }
}

/* Edited neurons may be this part of all for the cheap way to pay. */
enum { CHEAP_PART = 8 };

/* Where a change takes away most of what the state was, the difference of two
 * large numbers would be left: below this part of the variance (0.3 of the
 * standard deviation) the product is taken whole. */
static const double least_spread = 0.09;

/* Whether row `at` of an edit of neurons can skip the MLP's last product: a
 * clean row, few neurons, and nothing else of the lane in this layer. */
static bool is_cheap(const struct engine *engine, const struct lane *lane,
                     const struct edit *edit, int at)
{
    bool is_last = lane->next_edit >= lane->n_edits ||
                   lane->edits[lane->next_edit].layer != edit->layer;
    return edit->site == SITE_MLP_POST && is_last && lane->base &&
           lane->n_captured == 0 && lane->row_of[at] < 0 &&
           edit->columns.n > 0 &&
           edit->columns.n <= engine->weights->config.d_mlp / CHEAP_PART;
}

/* sum of (x - mean)^2 */
static double spread(const float *x, size_t n)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i];
    for (size_t i = 0; i < n; i++) {
        double centred = (double)x[i] - sum / (double)n;
        squares += centred * centred;
    }
    return squares;
}

/* The MLP's last product for one edited row: x = resid_mid + post W + b. The
 * edited neurons' values are in `edited`. */
static void enter_whole(struct engine *engine, const struct cheap_row *cheap,
                        int layer, float *x, const float *edited)
{
    size_t C = (size_t)engine->weights->config.d_model;
    size_t F = (size_t)engine->weights->config.d_mlp;
    const struct layer_weights *w = &engine->weights->layer[layer];
    const struct base_run *base = cheap->lane->base;
    float *post = engine->one_mlp;
    memcpy(post, base_run_row(base, SITE_MLP_POST, layer, cheap->at),
           F * sizeof *post);
    for (int c = 0; c < cheap->edit->columns.n; c++)
        post[cheap->edit->columns.at[c]] = edited[c];
    kernels_matmul(x, C, post, F, w->w_out, C, 1, C, F, 1, 0);
    const float *mid = base_run_row(base, SITE_RESID_MID, layer, cheap->at);
    for (size_t i = 0; i < C; i++)
        x[i] = mid[i] + (x[i] + w->b_out[i]);
}

void rows_freeze(struct engine *engine, enum site site, int layer, int freeze)
{
    for (size_t r = 0; r < engine->n_rows; r++) {
        const struct row *row = &engine->rows[r];
        const struct lane *lane = &engine->lanes[row->lane];
        if (lane->freeze & freeze)
            take(engine, lane, site, site, layer, (int)r, row->at);
    }
}

void rows_enter_cheap(struct engine *engine, int layer)
{
    size_t C = (size_t)engine->weights->config.d_model;
    float *edited = engine->one_edited;
    for (size_t k = 0; k < engine->n_cheap; k++) {
        const struct cheap_row *cheap = &engine->cheap[k];
        const struct edit *edit = cheap->edit;
        int row =
            rows_enter(engine, cheap->lane, SITE_RESID_POST, layer, cheap->at);
        const float *old =
            base_run_row(cheap->lane->base, edit->site, layer, cheap->at);
        const float *from = rows_source(engine->weights, edit, cheap->lane,
                                        engine->captures, cheap->i);
        float *x = engine->x + (size_t)row * C;
        double before = spread(x, C);
        for (int c = 0; c < edit->columns.n; c++) {
            size_t neuron = (size_t)edit->columns.at[c];
            edited[c] = old[neuron];
            change(&edited[c], from ? from + neuron : NULL, edit);
            float delta = edited[c] - old[neuron];
            const float *w = engine->weights->layer[layer].w_out + neuron * C;
            for (size_t i = 0; i < C; i++)
                x[i] += delta * w[i];
        }
        if (spread(x, C) < least_spread * before)
            enter_whole(engine, cheap, layer, x, edited);
    }
    engine->n_cheap = 0;
}

static void edit_lane(struct engine *engine, struct lane *lane,
                      const struct edit *edit)
{
    const struct model_config *config = &engine->weights->config;
    bool has_heads = site_kind(edit->site) == SITE_HEADS;
    size_t n_heads = has_heads ? (size_t)config->n_head : 1;
    size_t width = width_of(engine->weights, edit->site) / n_heads;
    for (int i = 0; i < edit->rows.n; i++) {
        int at = edit->rows.at[i];
        if (edit->is_standing && lane->row_of[at] < 0) continue;
        if (is_cheap(engine, lane, edit, at)) {
            if (rows_is_wanted(engine, lane, edit->layer, at))
                engine->cheap[engine->n_cheap++] =
                    (struct cheap_row){lane, edit, i, at};
            continue;
        }
        int row = rows_enter(engine, lane, edit->site, edit->layer, at);
        if (row < 0) continue;
        change_row(
            row_values(engine, edit->site, row),
            rows_source(engine->weights, edit, lane, engine->captures, i), edit,
            n_heads, width);
        if ((edit->site == SITE_K || edit->site == SITE_V) &&
            at < lane->first_key)
            lane->first_key = at;
    }
}

/* Keep a site's rows: of base runs all, of captures those asked for. */
static void keep(struct engine *engine, struct lane *lane, enum site site,
                 int layer)
{
    size_t bytes = width_of(engine->weights, site) * sizeof(float);
    for (int i = 0; i < lane->n_captured; i++) {
        const struct capture *capture = lane->captured[i].capture;
        if (capture->site != site || capture->layer != layer) continue;
        for (int k = 0; k < capture->rows.n; k++) {
            int at = capture->rows.at[k], row = lane->row_of[at];
            const float *from = row >= 0
                                    ? row_values(engine, site, row)
                                    : base_run_row(lane->base, site, layer, at);
            memcpy((char *)lane->captured[i].values + (size_t)k * bytes, from,
                   bytes);
        }
    }
    if (!lane->fill) return;
    for (int at = 0; at < lane->n_tokens; at++) {
        float *to = base_run_fill_row(lane->fill, site, layer, at);
        if (!to) return;
        memcpy(to, row_values(engine, site, lane->row_of[at]), bytes);
    }
}

void rows_edit(struct engine *engine, enum site site, int layer)
{
    for (size_t l = 0; l < engine->n_lanes; l++) {
        struct lane *lane = &engine->lanes[l];
        const struct edit *edit;
        while ((edit = rows_next_edit(lane, site, layer)) != NULL)
            edit_lane(engine, lane, edit);
        if (lane->fill || lane->n_captured) keep(engine, lane, site, layer);
    }
}

const float *rows_source_scores(const struct edit *edit,
                                const struct lane *lane,
                                const struct captured *captures, int i,
                                int head)
{
    size_t S = (size_t)lane->n_tokens;
    size_t H = (size_t)lane->base->weights->config.n_head;
    int at = edit->source_rows ? edit->source_rows[i] : edit->rows.at[i];
    if (edit->source == EDIT_FROM_RUN)
        return base_run_score_row(lane->runs[edit->run], edit->site,
                                  edit->source_layer, head, at);
    if (edit->source == EDIT_FROM_CAPTURE)
        return captures[edit->capture].values +
               (captured_row(&captures[edit->capture], at) * H + (size_t)head) *
                   S;
    if (edit->source == EDIT_FROM_TABLE)
        return edit->table +
               (size_t)(edit->table_rows ? edit->table_rows[i] : 0) *
                   edit->table_width +
               (size_t)head * (edit->table_width / H);
    return NULL;
}

void rows_edit_scores(float *row, const struct edit *edit,
                      const struct lane *lane, const struct captured *captures,
                      int i, int head, int at)
{
    const float *from = rows_source_scores(edit, lane, captures, i, head);
    int n = edit->columns.n < 0 ? at + 1 : edit->columns.n;
    for (int k = 0; k < n; k++) {
        int src = edit->columns.n < 0 ? k : edit->columns.at[k];
        int source = edit->source_columns ? edit->source_columns[k] : src;
        if (src <= at) change(row + src, from ? from + source : NULL, edit);
    }
}

void rows_edit_row(float *row, const struct weights *weights,
                   const struct edit *edit, const struct lane *lane,
                   const struct captured *captures, int i)
{
    size_t n_heads = site_kind(edit->site) == SITE_HEADS
                         ? (size_t)weights->config.n_head
                         : 1;
    change_row(row, rows_source(weights, edit, lane, captures, i), edit,
               n_heads, width_of(weights, edit->site) / n_heads);
}

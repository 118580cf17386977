#include "common/plan/by_hand.h"

#include "common/plan/noised.h"

/* The k-th position that a list of places stands for, -1 beyond them. */
static int place_at(const struct pair *pair, enum run run,
                    const struct places *places, int k)
{
    int n_prompt = pair->run[run].n_prompt;
    for (int i = 0; i < places->n; i++) {
        const struct place *place = &places->items[i];
        const struct label *label =
            place->label ? pair_label(pair, place->label) : NULL;
        int n = place->label ? (label ? label->run[run].n : 0) : 1;
        if (k < n && label) return label->run[run].at[k];
        if (k < n) {
            int at = place->index < 0 ? place->index + n_prompt : place->index;
            return at < n_prompt ? at : -1;
        }
        k -= n;
    }
    return -1;
}

/* Where the value comes from: one place for all rows, or one for each. */
static bool set_source_rows(struct cell *cell)
{
    const struct places *from = &cell->sweep->from.position;
    if (!from->is_given) return true;
    bool is_one = place_at(cell->source_pair, cell->source_run, from, 1) < 0;
    for (int i = 0; i < cell->rows.n; i++) {
        cell->rows.source[i] =
            place_at(cell->source_pair, cell->source_run, from, is_one ? 0 : i);
        if (cell->rows.source[i] < 0) return false;
    }
    return true;
}

/* Edit k of the list, resolved. false: it does not apply to this pair. */
static bool open_edit(struct cell *cell, const struct plan *plan, int sweep,
                      int pair, int sample, int k)
{
    if (!cell_open(cell, plan, sweep, pair, sample, 0) ||
        !cell_use(cell, &plan->job->sweeps[sweep].edits[k]))
        return false;
    cell->is_by_hand = true;
    return cell_place(cell, NULL) && set_source_rows(cell);
}

/* What one edit says of the whole list. */
struct verdict {
    bool is_changing; /* alone, of the base */
    bool is_plain;    /* the same place of the same other run as the first */
    bool is_cut;      /* what is read becomes that run's own */
    int layer;        /* the last it edits */
};

static struct verdict judge_edit(const struct cell *cell)
{
    struct judge judge = cell_judge(cell);
    struct verdict out = {0};
    int n = cell_n_layers(cell);
    for (int i = 0; i < n && !out.is_changing; i++)
        for (int k = 0; k < cell->rows.n && !out.is_changing; k++)
            out.is_changing =
                cell_row_matters(cell, &judge, cell_layer(cell, i), k);
    out.is_plain = judge.is_value_compared && cell->sweep->from.layer < 0;
    for (int k = 0; k < cell->rows.n; k++)
        if (cell->rows.source[k] != cell->rows.base[k]) out.is_plain = false;
    out.layer = cell_layer(cell, n - 1);
    out.is_cut = out.is_plain && cell_is_determined(cell, &judge);
    return out;
}

enum cell_status by_hand_status(const struct plan *plan, int sweep, int pair,
                                int sample)
{
    const struct sweep *s = &plan->job->sweeps[sweep];
    struct cell cell;
    bool is_changing = false, is_determined = true;
    for (int k = 0; k < s->n_edits; k++) {
        if (!open_edit(&cell, plan, sweep, pair, sample, k))
            return CELL_NOT_APPLICABLE;
        struct verdict verdict = judge_edit(&cell);
        is_changing = is_changing || verdict.is_changing;
        /* where all edits put what one other run has at their place, one of
         * them that cuts makes what is read that run's */
        if (!verdict.is_plain || !verdict.is_cut ||
            s->edits[k].value.kind != s->edits[0].value.kind)
            is_determined = false;
    }
    if (plan->job->skip_unchanged && !is_changing) return CELL_UNCHANGED;
    return is_determined ? CELL_DETERMINED : CELL_COMPUTED;
}

/* The vector that is added, as long as the site's row. */
static enum status set_vector(struct edit *edit, const struct cell *cell,
                              struct arena *arena, struct err *err)
{
    const struct value *value = &cell->sweep->value;
    const struct model_config *config = cell->plan->config;
    size_t width =
        (size_t)(site_kind(edit->site) == SITE_MLP ? config->d_mlp
                                                   : config->d_model);
    float *vector = arena_alloc(arena, width, sizeof *vector, err);
    for (size_t i = 0; vector && i < width; i++)
        vector[i] = value->vector[i % (size_t)value->n_vector];
    edit->table = vector;
    edit->scale = value->n_scales ? value->scales[0] : 1;
    return err->status;
}

static enum status add_edits(struct edit_list *out, const struct cell *cell,
                             int sweep, struct arena *arena, struct err *err)
{
    const struct sweep *s = cell->sweep;
    struct judge judge = cell_judge(cell);
    struct edit common;
    if (cell_fill_common(&common, cell, sweep, arena, err)) return err->status;
    if (s->value.kind == VALUE_ADD && set_vector(&common, cell, arena, err))
        return err->status;
    common.is_standing = s->value.kind == VALUE_BASE && s->from.layer < 0 &&
                         !s->from.position.is_given;
    for (int i = 0; i < cell_n_layers(cell); i++) {
        struct edit edit = common;
        if (cell_fill_layer(&edit, cell, &judge, sweep, cell_layer(cell, i),
                            arena, err))
            return err->status;
        if (s->from.layer >= 0) edit.source_layer = s->from.layer;
        out->items[out->n++] = edit;
    }
    return STATUS_OK;
}

enum status by_hand_cell(enum cell_status *status, struct edit_list *out,
                         const struct plan *plan, int sweep, int pair,
                         int sample, struct arena *arena, struct err *err)
{
    const struct sweep *s = &plan->job->sweeps[sweep];
    struct cell cell;
    size_t most = (size_t)s->n_edits * (size_t)plan->config->n_layer;
    *status = by_hand_status(plan, sweep, pair, sample);
    if (!out || *status == CELL_UNCHANGED || *status == CELL_NOT_APPLICABLE)
        return STATUS_OK;
    out->items = arena_alloc(arena, most, sizeof *out->items, err);
    if (!out->items) return err->status;
    for (int k = 0; k < s->n_edits; k++)
        if (open_edit(&cell, plan, sweep, pair, sample, k) &&
            add_edits(out, &cell, sweep, arena, err))
            return err->status;
    noised_sort(out);
    struct judge judge = cell_judge(&cell);
    return noised_join(out, &cell, &judge.reading, arena, err);
}

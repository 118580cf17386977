/* job_edits.c - `edits` of a sweep: one cell by hand. Each edit is read into a
 * sweep of its own, whose only cell it is. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/job/job_keys.h"
#include "common/job/job_parts.h"
#include "common/job/subset.h"

/* Keys of a sweep that an edit says, or that are laid around a grid. */
static const enum sweep_key excluded[] = {
    KEY_SWEEP_SITE,      KEY_SWEEP_BY,     KEY_SWEEP_LAYERS,
    KEY_SWEEP_POSITIONS, KEY_SWEEP_LABELS, KEY_SWEEP_HEADS,
    KEY_SWEEP_DEST,      KEY_SWEEP_SRC,    KEY_SWEEP_DIMS,
    KEY_SWEEP_NEURONS,   KEY_SWEEP_INDEX,  KEY_SWEEP_VALUE,
    KEY_SWEEP_WINDOW,    KEY_SWEEP_HOLD,   KEY_SWEEP_HOLD_NOISE,
    KEY_SWEEP_GROUPS,    KEY_SWEEP_MASK,
};

enum status edits_check_keys(const struct reading *r, const struct keys *keys)
{
    for (size_t i = 0; i < sizeof excluded / sizeof *excluded; i++)
        if (keys->at[excluded[i]])
            return reading_fail(r, keys->at[excluded[i]],
                                key_name(SCOPE_SWEEP, (int)excluded[i]),
                                "`edits` are one cell by hand: each edit says "
                                "this for itself");
    return STATUS_OK;
}

static enum status read_places(const struct reading *r, const struct keys *keys,
                               struct sweep *out)
{
    const struct {
        enum edit_key key;
        enum axis axis;
        struct subset *subset;
        struct places *places;
    } rows[] = {
        {KEY_EDIT_LAYER, AXIS_LAYER, &out->layers, NULL},
        {KEY_EDIT_POSITIONS, AXIS_POSITION, NULL, &out->positions},
        {KEY_EDIT_HEADS, AXIS_HEAD, &out->heads, NULL},
        {KEY_EDIT_NEURONS, AXIS_NEURON, &out->neurons, NULL},
        {KEY_EDIT_DIMS, AXIS_DIM, &out->dims, NULL},
        {KEY_EDIT_DEST, AXIS_DEST, NULL, &out->dest},
        {KEY_EDIT_SRC, AXIS_SRC, NULL, &out->src},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct doc *doc = keys->at[rows[i].key];
        const char *name = key_name(SCOPE_EDIT, (int)rows[i].key);
        if (!doc) continue;
        if (axis_check(r, doc, name, out->site, rows[i].axis)) break;
        if (rows[i].subset)
            (void)subset_read(r, doc, name, rows[i].subset);
        else
            (void)places_read(r, doc, name, false, rows[i].places);
        if (r->err->status) break;
    }
    return r->err->status;
}

static enum status read_value(const struct reading *r, const struct keys *keys,
                              struct inputs *inputs, bool has_corrupted,
                              struct sweep *out)
{
    const struct doc *doc = keys->at[KEY_EDIT_VALUE];
    const struct doc *run = keys->at[KEY_EDIT_FROM_RUN];
    struct value *value = &out->value;
    if (doc && run)
        return reading_fail(r, run, "from_run", "`value` is given too");
    if (run &&
        (run->kind != DOC_STRING || (strcmp(run->text, "clean") != 0 &&
                                     strcmp(run->text, "corrupted") != 0 &&
                                     strcmp(run->text, "base") != 0)))
        return reading_expect(r, run, "from_run", "clean, corrupted or base");
    if (run) doc = run;
    if (doc && doc->kind == DOC_STRING && strcmp(doc->text, "base") == 0) {
        value->kind = VALUE_BASE;
        return STATUS_OK;
    }
    out->is_identity = true; /* from another layer or position it is none */
    if (value_read(r, doc, inputs, has_corrupted, out)) return r->err->status;
    if (value->kind == VALUE_MEAN || value->kind == VALUE_RESAMPLE)
        return reading_fail(r, doc, "value",
                            "mean and resample in an edit by hand: not "
                            "supported yet");
    if (value->n_scales > 1)
        return reading_fail(r, doc, "value",
                            "an edit by hand has one scale, found %d",
                            value->n_scales);
    bool is_run = value->kind == VALUE_CLEAN || value->kind == VALUE_CORRUPTED;
    if (is_run && (enum run)value->kind == out->base && !out->noise.is_given)
        value->kind = VALUE_BASE;
    return STATUS_OK;
}

static enum status read_from(const struct reading *r, const struct keys *keys,
                             struct sweep *out)
{
    const struct doc *layer = keys->at[KEY_EDIT_FROM_LAYER];
    const struct doc *position = keys->at[KEY_EDIT_FROM_POSITION];
    const struct doc *any = layer ? layer : position;
    bool is_run = out->value.kind == VALUE_CLEAN ||
                  out->value.kind == VALUE_CORRUPTED ||
                  out->value.kind == VALUE_BASE;
    const char *key = layer ? "from_layer" : "from_position";
    if (any && !is_run)
        return reading_fail(r, any, key, "the value is not that of a run");
    if (any && site_kind(out->site) == SITE_SCORES)
        return reading_fail(r, any, key, "on %s: not supported yet",
                            site_name(out->site));
    if (layer && out->site == SITE_EMBED)
        return reading_fail(r, layer, key, "embed has no layers");
    (void)reading_whole(r, layer, "from_layer", 0, INT_MAX, &out->from.layer);
    if (!position) return r->err->status;
    return places_read(r, position, "from_position", false,
                       &out->from.position);
}

static enum status read_edit(const struct reading *outer, const struct doc *doc,
                             int i, struct inputs *inputs, bool has_corrupted,
                             const struct sweep *sweep, struct sweep *out)
{
    const char *sites[SITE_COUNT];
    char where[24], name[96];
    int site = 0;
    snprintf(where, sizeof where, "edit %d", i);
    snprintf(name, sizeof name, "%.64s: %s", sweep->name, where);
    const struct reading inside = reading_inside(outer, where), *r = &inside;
    struct keys keys;
    for (int s = 0; s < SITE_COUNT; s++)
        sites[s] = site_name((enum site)s);
    *out = (struct sweep){
        .line = doc->line, .base = sweep->base, .from.layer = -1};
    out->labels_joint = true;
    out->noise.is_given = sweep->noise.is_given;
    out->name = mem_strdup(name, r->err);
    if (!out->name || keys_read(&keys, r, SCOPE_EDIT, doc))
        return r->err->status;
    (void)reading_choice(r, keys.at[KEY_EDIT_SITE], "site", sites, SITE_COUNT,
                         &site);
    out->site = (enum site)site;
    if (!read_places(r, &keys, out) &&
        !read_value(r, &keys, inputs, has_corrupted, out))
        (void)read_from(r, &keys, out);
    keys_free(&keys);
    return r->err->status;
}

enum status edits_read(const struct reading *r, const struct doc *doc,
                       struct inputs *inputs, bool has_corrupted,
                       struct sweep *out)
{
    enum { MOST_EDITS = 10000 };
    if (r->err->status) return r->err->status;
    if (doc->kind != DOC_LIST || doc->n == 0 || doc->n > MOST_EDITS)
        return reading_expect(r, doc, "edits", "a list of at least one edit");
    out->edits = mem_calloc(doc->n, sizeof *out->edits, "edits", r->err);
    for (size_t i = 0; out->edits && i < doc->n; i++) {
        struct sweep *edit = &out->edits[out->n_edits++];
        if (read_edit(r, &doc->items[i], (int)i, inputs, has_corrupted, out,
                      edit))
            break;
    }
    out->value.kind = VALUE_BASE;
    if (!r->err->status) out->site = out->edits[0].site;
    return r->err->status;
}

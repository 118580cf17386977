/* noised.c - noised runs and severed paths, in edits. */
#include "common/plan/noised.h"

#include <string.h>

#include "common/base/digest.h"
#include "common/base/mem.h"

static const struct noise *noise_of(const struct plan *plan, int sweep)
{
    return &plan->job->sweeps[sweep].noise;
}

/* Insert the positions of a label, ascending and once each. */
static int add_label(const struct pair *pair, const char *name,
                     int at[PLAN_MAX_TOKENS], int n)
{
    const struct label *label = pair_label(pair, name);
    for (int i = 0; label && i < label->run[RUN_CLEAN].n; i++) {
        int position = label->run[RUN_CLEAN].at[i], place = n;
        while (place > 0 && at[place - 1] > position)
            place--;
        if (place > 0 && at[place - 1] == position) continue;
        memmove(at + place + 1, at + place, (size_t)(n - place) * sizeof *at);
        at[place] = position;
        n++;
    }
    return n;
}

int plan_noise_rows(const struct plan *plan, int sweep, int pair,
                    int at[PLAN_MAX_TOKENS])
{
    static const char *const subject[] = {"subject_first", "subject_middle",
                                          "subject_last"};
    const struct noise *noise = noise_of(plan, sweep);
    const struct pair *item = &plan->pairs->items[pair];
    int n = 0;
    switch (noise->at) {
    case NOISE_ALL:
        for (; n < item->run[RUN_CLEAN].n_prompt; n++)
            at[n] = n;
        break;
    case NOISE_SUBJECT:
        for (int i = 0; i < 3; i++)
            n = add_label(item, subject[i], at, n);
        break;
    case NOISE_LABELS:
        for (int i = 0; i < noise->labels.n; i++)
            n = add_label(item, noise->labels.items[i].label, at, n);
        break;
    }
    return n;
}

int plan_noise_layers(const struct plan *plan, int sweep)
{
    return noise_of(plan, sweep)->site == SITE_EMBED ? 1
                                                     : plan->config->n_layer;
}

int plan_noise_runs(const struct plan *plan, int sweep)
{
    return plan->job->sweeps[sweep].is_hold_rome ? 2 : 1;
}

uint32_t plan_noise_seed(const struct plan *plan, int sweep, int pair)
{
    const struct noise *noise = noise_of(plan, sweep);
    const struct prompt *clean = &plan->pairs->items[pair].run[RUN_CLEAN];
    uint32_t crc = 0;
    if (!noise->is_per_pair) return noise->seed;
    for (int i = 0; i < clean->n_tokens; i++) {
        uint32_t token = (uint32_t)clean->tokens[i];
        const unsigned char bytes[] = {
            (unsigned char)token, (unsigned char)(token >> 8),
            (unsigned char)(token >> 16), (unsigned char)(token >> 24)};
        crc = crc32_of(crc, bytes, sizeof bytes);
    }
    return crc;
}

/* Noise at one layer. rows and numbers (0 .. n - 1) are kept. */
static struct edit noise_edit(const struct noise *noise, int layer,
                              struct span rows, const int *numbers)
{
    return (struct edit){.site = noise->site,
                         .layer = layer,
                         .rows = rows,
                         .heads = {-1, NULL},
                         .columns = {-1, NULL},
                         .source = EDIT_FROM_NOISE,
                         .source_layer = layer,
                         .table_rows = numbers,
                         .is_add = true,
                         .scale = 1};
}

static struct span copy_rows(const int *at, int n, int **numbers,
                             struct arena *arena, struct err *err)
{
    int *copy = arena_alloc(arena, (size_t)(n ? n : 1), sizeof *copy, err);
    *numbers = arena_alloc(arena, (size_t)(n ? n : 1), sizeof **numbers, err);
    for (int i = 0; copy && *numbers && i < n; i++) {
        copy[i] = at[i];
        (*numbers)[i] = i;
    }
    return (struct span){n, copy};
}

enum status plan_noise_edits(struct edit_list *out, const struct plan *plan,
                             int sweep, int pair, struct arena *arena,
                             struct err *err)
{
    int at[PLAN_MAX_TOKENS], *numbers;
    int n = plan_noise_rows(plan, sweep, pair, at);
    int n_layers = plan_noise_layers(plan, sweep);
    struct span rows = copy_rows(at, n, &numbers, arena, err);
    *out = (struct edit_list){0};
    out->items = arena_alloc(arena, (size_t)n_layers, sizeof *out->items, err);
    if (err->status) return err->status;
    for (int layer = 0; layer < n_layers; layer++)
        out->items[out->n++] =
            noise_edit(noise_of(plan, sweep), layer, rows, numbers);
    return STATUS_OK;
}

static bool is_everywhere(const struct cell *cell)
{
    return cell->noised.n > 0 && cell->noise->site != SITE_EMBED;
}

bool noised_holds(const struct sweep *sweep, enum site site)
{
    return (sweep->hold & 1u << site) && !sweep->is_hold_rome;
}

bool noised_follows(const struct cell *cell, enum site site, int layer)
{
    bool is_last = layer == cell->plan->config->n_layer - 1;
    if (is_everywhere(cell) && !(is_last && site >= cell->noise->site))
        return true;
    return cell->sweep->hold && !(is_last && site > SITE_MLP_OUT);
}

/* Whether row i of a cell that holds other draws' values differs there. */
static bool is_held_apart(const struct cell *cell,
                          const struct reading *reading, enum site site,
                          int layer, int i)
{
    int row = cell->rows.base[i], n_layer = cell->plan->config->n_layer;
    return row >= cell->noised.at[0] &&
           (layer > 0 || cell->noise->site <= site) &&
           reading_reaches(reading, site, layer, n_layer, row);
}

static const enum site held_sites[] = {SITE_ATTN_OUT, SITE_MLP_OUT};
enum { HELD_SITES = sizeof held_sites / sizeof *held_sites };

bool noised_changes(const struct cell *cell, const struct reading *reading)
{
    if (!cell->sweep->is_hold_rome || cell->noised.n == 0) return false;
    for (int k = 0; k < HELD_SITES; k++)
        for (int layer = 0; layer < cell->plan->config->n_layer; layer++)
            for (int i = 0; i < cell->rows.n; i++)
                if ((cell->sweep->hold & 1u << held_sites[k]) &&
                    is_held_apart(cell, reading, held_sites[k], layer, i))
                    return true;
    return false;
}

/* The values that one module holds in a layer; n 0: none. */
static enum status hold(struct edit *edit, const struct cell *cell,
                        const struct reading *reading, enum site site,
                        int layer, struct arena *arena, struct err *err)
{
    bool is_rome = cell->sweep->is_hold_rome;
    bool is_skipped = is_rome && cell->plan->job->skip_unchanged;
    int n = 0, *at = arena_alloc(arena, (size_t)cell->rows.n, sizeof *at, err);
    for (int i = 0; at && i < cell->rows.n; i++)
        if (!is_skipped || is_held_apart(cell, reading, site, layer, i))
            at[n++] = cell->rows.base[i];
    *edit = (struct edit){.site = site,
                          .layer = layer,
                          .rows = {n, at},
                          .heads = {-1, NULL},
                          .columns = {-1, NULL},
                          .source = EDIT_FROM_RUN,
                          .source_layer = layer,
                          .run = cell_base_run(cell) +
                                 (is_rome ? cell->grid->n_samples : 0),
                          .is_standing = !is_rome,
                          .scale = 1};
    return err->status;
}

void noised_sort(struct edit_list *edits)
{
    for (int i = 1; i < edits->n; i++) {
        struct edit edit = edits->items[i];
        int to = i;
        for (; to > 0; to--) {
            const struct edit *before = &edits->items[to - 1];
            if (before->layer < edit.layer ||
                (before->layer == edit.layer && before->site <= edit.site))
                break;
            edits->items[to] = edits->items[to - 1];
        }
        edits->items[to] = edit;
    }
}

enum status noised_join(struct edit_list *edits, const struct cell *cell,
                        const struct reading *reading, struct arena *arena,
                        struct err *err)
{
    int n_layer = cell->plan->config->n_layer, *numbers;
    bool has_noise = is_everywhere(cell);
    if (!has_noise && !cell->sweep->hold) return STATUS_OK;
    size_t most = (size_t)edits->n + (size_t)n_layer * (1 + HELD_SITES);
    struct edit_list all = {
        .items = arena_alloc(arena, most, sizeof *all.items, err)};
    struct span rows =
        copy_rows(cell->noised.at, cell->noised.n, &numbers, arena, err);
    if (err->status) return err->status;
    for (int layer = 0; has_noise && layer < n_layer; layer++) {
        struct edit *edit = &all.items[all.n++];
        *edit = noise_edit(cell->noise, layer, rows, numbers);
        edit->is_standing = true;
    }
    if (edits->n > 0)
        memcpy(all.items + all.n, edits->items,
               (size_t)edits->n * sizeof *edits->items);
    all.n += edits->n;
    for (int k = 0; k < HELD_SITES; k++)
        for (int layer = 0; layer < n_layer; layer++) {
            if (!(cell->sweep->hold & 1u << held_sites[k])) continue;
            if (hold(&all.items[all.n], cell, reading, held_sites[k], layer,
                     arena, err))
                return err->status;
            if (all.items[all.n].rows.n > 0) all.n++;
        }
    noised_sort(&all);
    int first = 0; /* before the first that makes rows anew none stands */
    while (first < all.n && all.items[first].is_standing)
        first++;
    edits->items = all.items + first;
    edits->n = all.n - first;
    return STATUS_OK;
}

/* path_grid.c - the senders and receivers of a sweep with a path, by name. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/plan/path.h"

/* The values of one axis of an end: all are taken where by[axis] is not set,
 * which counts as one value. */
struct values {
    const struct subset *subset; /* NULL: places */
    const struct places *places;
    int n;
    bool is_by;
};

static struct values numbers_of(const struct subset *subset, int all,
                                bool is_by)
{
    int n = subset->is_given ? subset->n : all;
    return (struct values){subset, NULL, is_by ? n : 1, is_by};
}

static int number_at(const struct values *values, int i)
{
    if (!values->is_by) return -1;
    return values->subset->is_given ? values->subset->values[i] : i;
}

/* Append the points of one site; points has room. */
static void add_points(struct path_point *points, int *n, enum site site,
                       const struct sweep *end, const bool *by,
                       const struct model_config *config)
{
    const struct values layers =
        numbers_of(&end->layers, config->n_layer, by[AXIS_LAYER]);
    const struct values heads =
        numbers_of(&end->heads, config->n_head, by[AXIS_HEAD]);
    const struct values neurons =
        numbers_of(&end->neurons, config->d_mlp, by[AXIS_NEURON]);
    int n_positions = by[AXIS_POSITION] ? end->positions.n : 1;
    for (int i = 0; i < end->n_tuples; i++)
        points[(*n)++] = (struct path_point){site, end->tuples[i]};
    if (end->tuples) return;
    for (int l = 0; l < layers.n; l++)
        for (int p = 0; p < n_positions; p++)
            for (int h = 0; h < heads.n; h++)
                for (int k = 0; k < neurons.n; k++) {
                    struct cell_tuple at = {.layer = number_at(&layers, l),
                                            .position = -1,
                                            .head = number_at(&heads, h),
                                            .dest = -1,
                                            .src = -1,
                                            .neuron = number_at(&neurons, k),
                                            .dim = -1};
                    if (by[AXIS_POSITION]) {
                        const struct place *place = &end->positions.items[p];
                        at.position = place->label ? -1 : place->index;
                        at.label = place->label;
                    }
                    points[(*n)++] = (struct path_point){site, at};
                }
}

/* How many points one site of an end has; 0: too many to number. */
static size_t count_points(const struct sweep *end, const bool *by,
                           const struct model_config *config)
{
    enum { MOST_POINTS = 1 << 24 };
    if (end->tuples) return (size_t)end->n_tuples;
    const int n[] = {
        numbers_of(&end->layers, config->n_layer, by[AXIS_LAYER]).n,
        by[AXIS_POSITION] ? end->positions.n : 1,
        numbers_of(&end->heads, config->n_head, by[AXIS_HEAD]).n,
        numbers_of(&end->neurons, config->d_mlp, by[AXIS_NEURON]).n};
    size_t all = 1;
    for (size_t i = 0; i < sizeof n / sizeof *n; i++) {
        all *= (size_t)n[i];
        if (all > MOST_POINTS) return 0;
    }
    return all;
}

static enum status open_end(struct path_point **points, int *n,
                            const struct sweep *end, const bool *by,
                            const bool *sites, const struct sweep *sweep,
                            const struct model_config *config, struct err *err)
{
    size_t one = count_points(end, by, config);
    if (one == 0)
        return err_set(err, STATUS_INPUT,
                       "sweep %s: more than 2^24 senders or receivers",
                       sweep->name);
    *points = mem_calloc(one * PATH_SITE_COUNT, sizeof **points,
                         "senders and receivers", err);
    if (!*points) return err->status;
    if (!sites) add_points(*points, n, end->site, end, by, config);
    for (int site = 0; sites && site < PATH_LOGITS; site++)
        if (sites[site])
            add_points(*points, n, path_site_of((enum path_site)site), end, by,
                       config);
    if (sites && sites[PATH_LOGITS])
        (*points)[(*n)++] =
            (struct path_point){SITE_COUNT, {-1, -1, -1, -1, -1, -1, -1, NULL}};
    return STATUS_OK;
}

enum status path_grid_open(struct grid *grid, const struct model_config *config,
                           struct err *err)
{
    const struct sweep *sweep = grid->sweep;
    const struct path *path = sweep->path;
    grid->path = mem_calloc(1, sizeof *grid->path, "a path", err);
    if (!grid->path) return err->status;
    struct path_grid *out = grid->path;
    if (open_end(&out->senders, &out->n_senders, sweep, path->send_by, NULL,
                 sweep, config, err))
        return err->status;
    return open_end(&out->receivers, &out->n_receivers, path->receive,
                    path->receive->by, path->receive_sites, sweep, config, err);
}

void path_grid_free(struct grid *grid)
{
    if (!grid->path) return;
    free(grid->path->senders);
    free(grid->path->receivers);
    free(grid->path);
    grid->path = NULL;
}

/* "z.L9H8@S2", "q.L3", "mlp_post.L0N7", "logits" */
static char *name_of(const struct path_point *point, struct err *err)
{
    const struct cell_tuple *at = &point->at;
    struct buf text = {0};
    buf_printf(&text, "%s",
               point->site == SITE_COUNT ? "logits" : site_name(point->site));
    if (at->layer >= 0 || at->head >= 0 || at->neuron >= 0)
        buf_printf(&text, ".");
    if (at->layer >= 0) buf_printf(&text, "L%d", at->layer);
    if (at->head >= 0) buf_printf(&text, "H%d", at->head);
    if (at->neuron >= 0) buf_printf(&text, "N%d", at->neuron);
    if (at->label)
        buf_printf(&text, "@%s", at->label);
    else if (at->position >= 0)
        buf_printf(&text, "@%d", at->position);
    char *out = buf_take_text(&text);
    if (!out) (void)err_set(err, STATUS_MEMORY, "no memory for a name");
    buf_free(&text);
    return out;
}

enum status path_fill_axis(struct grid_axis *axis, const struct grid *grid,
                           struct err *err)
{
    const struct path_grid *path = grid->path;
    bool is_sender = axis->axis == AXIS_SENDER;
    const struct path_point *points =
        is_sender ? path->senders : path->receivers;
    int n = is_sender ? path->n_senders : path->n_receivers;
    axis->labels = mem_calloc((size_t)n, sizeof *axis->labels, "an axis", err);
    for (int i = 0; axis->labels && i < n; i++) {
        axis->labels[i] = name_of(&points[i], err);
        axis->n = i + 1;
    }
    return err->status;
}

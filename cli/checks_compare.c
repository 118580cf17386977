#include "cli/checks.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* The sizes that model.config may name. */
static const struct {
    const char *name;
    size_t offset;
} sizes[] = {{"n_layer", offsetof(struct model_config, n_layer)},
             {"n_head", offsetof(struct model_config, n_head)},
             {"d_model", offsetof(struct model_config, d_model)},
             {"d_mlp", offsetof(struct model_config, d_mlp)},
             {"n_ctx", offsetof(struct model_config, n_ctx)},
             {"n_vocab", offsetof(struct model_config, n_vocab)}};
enum { N_SIZES = sizeof sizes / sizeof *sizes };

static const int *find_size(const struct model_config *config, const char *name)
{
    for (int i = 0; i < N_SIZES; i++)
        if (strcmp(sizes[i].name, name) == 0)
            return (const int *)(const void *)((const char *)config +
                                               sizes[i].offset);
    return NULL;
}

enum status checks_fit(const struct checks *checks,
                       const struct model_config *config, struct err *err)
{
    const struct doc *sizes_wanted = checks->config;
    for (size_t i = 0; sizes_wanted && i < sizes_wanted->n; i++) {
        const char *name = sizes_wanted->keys[i].text;
        const struct doc *wanted = &sizes_wanted->items[i];
        const int *has = find_size(config, name);
        if (!has || wanted->kind != DOC_INT)
            return err_set(err, STATUS_INPUT,
                           "model.config: %s: expected a size of a model and a "
                           "whole number",
                           name);
        if (wanted->integer != *has)
            return err_set(err, STATUS_INPUT,
                           "the model is not %s: its %s is %d, expected %lld",
                           checks->model, name, *has,
                           (long long)wanted->integer);
    }
    return STATUS_OK;
}

struct ranked {
    double value;
    size_t at;
};

/* Falling values, NaN last, equal ones in their order. */
static int falling(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (isnan(x->value) != isnan(y->value)) return isnan(x->value) ? 1 : -1;
    if (x->value > y->value || x->value < y->value)
        return x->value > y->value ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

/* What is compared with check->expected. */
struct found {
    double *values; /* [n]; owned */
    size_t n;
    size_t *at; /* [n / per_place]: which picked number; owned */
    size_t per_place;
};

/* The first of the picked numbers by the check's order into at. */
static enum status rank(struct found *f, const struct check *check,
                        const struct picked *picked, struct err *err)
{
    size_t n = check->order == CHECK_ALL ? picked->n : check->n_first;
    if (n > picked->n)
        return err_set(err, STATUS_INPUT, "the first %zu of %zu numbers", n,
                       picked->n);
    struct ranked *ranked =
        mem_calloc(picked->n, sizeof *ranked, "numbers to sort", err);
    f->at = mem_calloc(n, sizeof *f->at, "numbers to sort", err);
    if (!ranked || !f->at) goto out;
    for (size_t i = 0; i < picked->n; i++) {
        double value = picked->values[i];
        ranked[i] =
            (struct ranked){check->order == CHECK_SMALLEST ? -value : value, i};
    }
    if (check->order != CHECK_ALL && picked->n > 0)
        qsort(ranked, picked->n, sizeof *ranked, falling);
    for (size_t i = 0; i < n; i++)
        f->at[i] = ranked[i].at;
    f->per_place = check->is_places ? (size_t)picked->n_axes : 1;
    f->n = n * f->per_place;
out:
    free(ranked);
    return err->status;
}

static enum status collect(struct found *f, const struct check *check,
                           const struct picked *picked, struct err *err)
{
    if (rank(f, check, picked, err)) return err->status;
    f->values = mem_calloc(f->n, sizeof *f->values, "numbers found", err);
    if (!f->values) return err->status;
    for (size_t i = 0; i < f->n; i++) {
        size_t at = f->at[i / f->per_place];
        if (!check->is_places) {
            f->values[i] = picked->values[at];
            continue;
        }
        char *end;
        const char *label = picked_label(picked, (int)(i % f->per_place), at);
        f->values[i] = strtod(label, &end);
        if (end == label || *end)
            return err_set(err, STATUS_INPUT,
                           "places: the coordinate '%s' is no number", label);
    }
    return STATUS_OK;
}

/* Into out: where found and expected differ most; NaN differs more than any
 * number. */
static void compare(struct check_outcome *out, const struct check *check,
                    const struct found *f, const struct picked *picked)
{
    size_t worst = 0;
    out->n = f->n;
    for (size_t i = 0; i < f->n; i++) {
        double difference = fabs(f->values[i] - check->expected[i]);
        if (i > 0 && !isnan(difference) && !(difference > out->difference))
            continue;
        worst = i;
        out->difference = difference;
        if (isnan(difference)) break;
    }
    if (f->n == 0) return;
    out->expected = check->expected[worst];
    out->found = f->values[worst];
    out->is_passed = out->difference <= check->tolerance;
    picked_place(&out->place, picked, f->at[worst / f->per_place]);
}

enum status check_compare(struct check_outcome *out, const struct check *check,
                          struct h5 *h5, struct err *err)
{
    struct picked picked = {0};
    struct found found = {0};
    *out = (struct check_outcome){0};
    if (pick_read(&picked, h5, &check->pick, err) || h5_is_failed(h5)) goto out;
    if (collect(&found, check, &picked, err)) goto out;
    if (found.n != check->n)
        (void)err_set(err, STATUS_INPUT,
                      "%zu numbers are expected, but %zu were picked", check->n,
                      found.n);
    else
        compare(out, check, &found, &picked);
out:
    if (err->status) (void)err_context(err, "check %s", check->name);
    free(found.values);
    free(found.at);
    picked_free(&picked);
    return err->status;
}

void check_outcome_free(struct check_outcome *outcome)
{
    buf_free(&outcome->place);
}

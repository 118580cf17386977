#include "cli/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/job/job.h"

static const char list_name[] = "models";
enum { MOST_LIST = 1 << 20 };

void models_free(struct models *models)
{
    for (int i = 0; i < models->n; i++) {
        free(models->names[i]);
        free(models->overrides[i]);
    }
    free(models->names);
    free(models->overrides);
    *models = (struct models){0};
}

/* The last part of a path. */
static char *name_of(const char *path, struct err *err)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    char *name = mem_calloc(end - begin + 1, 1, "a model's name", err);
    if (name) memcpy(name, path + begin, end - begin);
    return name;
}

static enum status add(struct models *out, const char *path, struct err *err)
{
    struct buf override = {0};
    char *name = name_of(path, err);
    if (!name) return err->status;
    buf_printf(&override, "model=%s", path);
    char *text = buf_take_text(&override);
    if (!text)
        (void)err_set(err, STATUS_MEMORY, "no memory for the models");
    else if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        (void)err_set(err, STATUS_INPUT,
                      "models: %s has no name of its own for the results",
                      path);
    for (int i = 0; i < out->n && !err->status; i++)
        if (strcmp(out->names[i], name) == 0)
            (void)err_set(err, STATUS_INPUT,
                          "models: two have the name %s, under which the "
                          "results of each are kept",
                          name);
    if (err->status) {
        free(name);
        free(text);
        return err->status;
    }
    out->names[out->n] = name;
    out->overrides[out->n++] = text;
    return STATUS_OK;
}

static bool chooses_model(const struct option_list *overrides)
{
    for (int i = 0; i < overrides->n; i++)
        if (strncmp(overrides->items[i], "model=", 6) == 0) return true;
    return false;
}

enum status models_open(struct models *out, const char *path, const char *model,
                        const struct option_list *overrides, struct err *err)
{
    struct inputs inputs = {0};
    struct job job = {0};
    *out = (struct models){0};
    if (model || chooses_model(overrides)) return STATUS_OK;
    if (inputs_open(&inputs, path, err) ||
        job_parse(&job, &inputs, overrides->items, overrides->n, err) ||
        job.n_models == 0)
        goto out;
    size_t n = (size_t)job.n_models;
    out->names = mem_calloc(n, sizeof *out->names, "models", err);
    out->overrides = mem_calloc(n, sizeof *out->overrides, "models", err);
    for (int i = 0; i < job.n_models && !err->status; i++)
        (void)(add(out, job.models[i], err) == 0);
out:
    job_free(&job);
    inputs_free(&inputs);
    if (err->status) models_free(out);
    return err->status;
}

enum status models_choose(struct option_list *out, const struct models *models,
                          int i, const struct option_list *overrides,
                          struct err *err)
{
    *out = *overrides;
    if (out->n == OPTION_LIST_MOST)
        return err_set(err, STATUS_USAGE, "more than %d --set beside `models`",
                       OPTION_LIST_MOST - 1);
    out->items[out->n++] = models->overrides[i];
    return STATUS_OK;
}

static enum status write_list(const struct models *models, const char *folder,
                              struct err *err)
{
    struct buf text = {0};
    char *path = file_join(folder, list_name, err);
    for (int i = 0; i < models->n; i++)
        buf_printf(&text, "%s\n", models->names[i]);
    if (path && !buf_check(&text, "the list of models", err) &&
        !file_make_folder(folder, err))
        (void)(file_write(path, text.data, text.n, err) == 0);
    free(path);
    buf_free(&text);
    return err->status;
}

/* Rank 0: what the run of model i is. */
static enum status begin(struct run_arguments *one, char **folder,
                         const struct run_arguments *arguments,
                         const struct models *models, int i, struct err *err)
{
    free(*folder);
    *folder = file_join(arguments->folder, models->names[i], err);
    if (!*folder ||
        models_choose(&one->overrides, models, i, &arguments->overrides, err))
        return err->status;
    one->folder = *folder;
    fprintf(stderr, "model %s (%d of %d)\n", models->names[i], i + 1,
            models->n);
    return STATUS_OK;
}

enum status models_run(const struct run_arguments *arguments,
                       struct group *group, double start_s, bool *must_abort,
                       int *exit_status, struct err *err)
{
    struct models models = {0};
    struct buf count = {0};
    struct err failed = {0}; /* units of an earlier model */
    char *folder = NULL;
    bool is_first = group_rank(group) == 0;
    *must_abort = false;
    if (is_first && models_open(&models, arguments->job, arguments->model,
                                &arguments->overrides, err) == STATUS_OK) {
        buf_u32(&count, (uint32_t)models.n);
        if (models.n > 0)
            (void)(write_list(&models, arguments->folder, err) == 0);
    }
    if (group_agree(group, err) || group_broadcast(group, &count, err))
        goto out;
    struct cursor cursor = cursor_of(count.data, count.n);
    int n = (int)cursor_u32(&cursor);
    struct run_arguments one = *arguments;
    bool has_failed = false;
    for (int i = 0; i < n || (i == 0 && n == 0); i++) {
        if (is_first && n > 0)
            (void)(begin(&one, &folder, arguments, &models, i, err) == 0);
        if (group_agree(group, err)) break;
        (void)(cmd_run_execute(&one, group, start_s, must_abort, exit_status,
                               err) == 0);
        bool has_failed_units =
            *exit_status == status_exit(STATUS_UNITS_FAILED);
        if (*must_abort || (*exit_status != 0 && !has_failed_units)) break;
        has_failed |= has_failed_units;
        if (!err->status || i + 1 >= n) continue;
        fprintf(stderr, "patchsweep: %s\n", err->message);
        failed = *err;
        err_clear(err);
    }
    if (has_failed && *exit_status == 0)
        *exit_status = status_exit(STATUS_UNITS_FAILED);
    if (!err->status && failed.status) *err = failed;
out:
    if (err->status && !*must_abort) *exit_status = status_exit(err->status);
    free(folder);
    buf_free(&count);
    if (!*must_abort) models_free(&models);
    return err->status;
}

static enum status visit_one(const char *folder, const char *name,
                             models_visitor *visit, void *user, struct err *err)
{
    char *one = file_join(folder, name, err);
    char *journal = one ? file_join(one, "journal", err) : NULL;
    if (journal) (void)(visit(user, one, name, file_exists(journal), err) == 0);
    free(one);
    free(journal);
    return err->status;
}

enum status models_visit(const char *folder, models_visitor *visit, void *user,
                         struct err *err)
{
    struct buf list = {0};
    char *path = file_join(folder, list_name, err);
    if (!path) return err->status;
    if (!file_exists(path)) {
        free(path);
        return visit(user, folder, NULL, true, err);
    }
    if (file_read(&list, path, MOST_LIST, err)) goto out;
    buf_u8(&list, 0);
    if (buf_check(&list, path, err)) goto out;
    char *at = (char *)list.data;
    while (*at) {
        size_t n = strcspn(at, "\n");
        char *next = at + n + (at[n] == '\n');
        at[n] = '\0';
        if (*at && visit_one(folder, at, visit, user, err)) break;
        at = next;
    }
out:
    free(path);
    buf_free(&list);
    return err->status;
}

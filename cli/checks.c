#include "cli/checks.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"
#include "common/base/mem.h"

static const size_t most_bytes = 64 << 20;

/* While the file is read. */
struct reader {
    const char *folder;
    struct checks *checks;
    struct err *err;
};

static enum status fault(struct reader *r, const struct doc *at,
                         const char *what, const char *expected)
{
    return err_set(r->err, STATUS_INPUT, "line %d: %s: %s, expected %s",
                   at->line, what, doc_kind_name(at->kind), expected);
}

/* Every key of a map must be one of the names (NULL ends them). */
static enum status check_keys(struct reader *r, const struct doc *map,
                              const char *what, const char *const *names)
{
    if (map->kind != DOC_MAP) return fault(r, map, what, "a map");
    for (size_t i = 0; i < map->n; i++) {
        const char *const *name = names;
        while (*name && strcmp(*name, map->keys[i].text) != 0)
            name++;
        if (!*name)
            return err_set(r->err, STATUS_INPUT, "line %d: %s: unknown key %s",
                           map->keys[i].line, what, map->keys[i].text);
    }
    return STATUS_OK;
}

/* A text that must be there, or may be absent (then *out is NULL). */
static enum status take_text(struct reader *r, const struct doc *map,
                             const char *key, bool is_optional,
                             const char **out)
{
    const struct doc *value = doc_get(map, key);
    *out = value ? value->text : NULL;
    if (!value && is_optional) return STATUS_OK;
    if (!value)
        return err_set(r->err, STATUS_INPUT, "line %d: %s is missing",
                       map->line, key);
    if (value->kind != DOC_STRING) return fault(r, value, key, "a text");
    return STATUS_OK;
}

/* A list whose items are texts, or absent. */
static enum status take_names(struct reader *r, const struct doc *map,
                              const char *key, const struct doc **out)
{
    *out = doc_get(map, key);
    if (!*out) return STATUS_OK;
    if ((*out)->kind != DOC_LIST) return fault(r, *out, key, "a list of names");
    for (size_t i = 0; i < (*out)->n; i++)
        if ((*out)->items[i].kind != DOC_STRING)
            return fault(r, &(*out)->items[i], key, "a name");
    return STATUS_OK;
}

static enum status take_map(struct reader *r, const struct doc *map,
                            const char *key, const struct doc **out)
{
    *out = doc_get(map, key);
    if (*out && (*out)->kind != DOC_MAP) return fault(r, *out, key, "a map");
    return STATUS_OK;
}

/* Append the numbers of nested lists, the last index fastest. */
static enum status flatten(struct check *check, size_t *capacity,
                           const struct doc *numbers, struct err *err)
{
    if (numbers->kind == DOC_LIST) {
        for (size_t i = 0; i < numbers->n; i++)
            if (flatten(check, capacity, &numbers->items[i], err))
                return err->status;
        return STATUS_OK;
    }
    if (numbers->kind != DOC_INT && numbers->kind != DOC_FLOAT)
        return err_set(err, STATUS_INPUT, "found %s, expected numbers in lists",
                       doc_kind_name(numbers->kind));
    if (mem_grow(&check->expected, capacity, check->n + 1,
                 sizeof *check->expected, "expected numbers", err))
        return err->status;
    check->expected[check->n++] = numbers->number;
    return STATUS_OK;
}

/* The item at a path like "traces.0.z"; NULL where there is none. */
static const struct doc *walk(const struct doc *at, const char *path)
{
    char step[64];
    while (at && *path) {
        size_t n = strcspn(path, ".");
        if (n >= sizeof step) return NULL;
        memcpy(step, path, n);
        step[n] = '\0';
        path += n + (path[n] == '.');
        if (at->kind == DOC_LIST) {
            size_t i = strtoul(step, NULL, 10);
            at = i < at->n ? &at->items[i] : NULL;
        } else {
            at = doc_get(at, step);
        }
    }
    return at;
}

/* expected: {file: F.json, at: PATH}. */
static enum status take_file(struct reader *r, struct check *check,
                             const struct doc *map)
{
    static const char *const keys[] = {"file", "at", NULL};
    const char *name, *at;
    size_t capacity = 0;
    struct buf bytes = {0};
    struct doc doc = {0};
    char *path = NULL;
    if (check_keys(r, map, "expected", keys) ||
        take_text(r, map, "file", false, &name) ||
        take_text(r, map, "at", true, &at))
        return r->err->status;
    path = file_join(r->folder, name, r->err);
    if (!path || file_read(&bytes, path, most_bytes, r->err) ||
        doc_parse_json(&doc, path, (const char *)bytes.data, bytes.n, r->err))
        goto out;
    const struct doc *numbers = walk(&doc, at ? at : "");
    if (!numbers)
        (void)err_set(r->err, STATUS_INPUT, "%s has no %s", path, at);
    else if (flatten(check, &capacity, numbers, r->err))
        (void)err_context(r->err, "%s", path);
out:
    doc_free(&doc);
    buf_free(&bytes);
    free(path);
    return r->err->status;
}

static enum status take_expected(struct reader *r, struct check *check,
                                 const struct doc *map)
{
    const struct doc *expected = doc_get(map, "expected");
    size_t capacity = 0;
    if (!expected) return err_set(r->err, STATUS_INPUT, "expected is missing");
    if (expected->kind == DOC_MAP) return take_file(r, check, expected);
    return flatten(check, &capacity, expected, r->err);
}

static enum status take_order(struct reader *r, struct check *check,
                              const struct doc *map)
{
    const struct doc *largest = doc_get(map, "largest");
    const struct doc *smallest = doc_get(map, "smallest");
    const struct doc *n = largest ? largest : smallest;
    const struct doc *places = doc_get(map, "places");
    if (largest && smallest)
        return err_set(r->err, STATUS_INPUT, "both largest and smallest");
    if (places && (!n || places->kind != DOC_BOOL))
        return fault(r, places, "places",
                     "true or false, with largest or smallest");
    if (n && (n->kind != DOC_INT || n->integer < 1))
        return fault(r, n, "largest or smallest", "a whole number from 1");
    check->order = largest    ? CHECK_LARGEST
                   : smallest ? CHECK_SMALLEST
                              : CHECK_ALL;
    check->n_first = n ? (size_t)n->integer : 0;
    check->is_places = places && places->boolean;
    return STATUS_OK;
}

static enum status take_tolerance(struct reader *r, struct check *check,
                                  const struct doc *map)
{
    const struct doc *tolerance = doc_get(map, "tolerance");
    const struct doc *decides = doc_get(map, "decides");
    if (!tolerance ||
        (tolerance->kind != DOC_INT && tolerance->kind != DOC_FLOAT) ||
        !(tolerance->number >= 0))
        return err_set(r->err, STATUS_INPUT,
                       "tolerance: expected a number from 0 on");
    if (decides && decides->kind != DOC_BOOL)
        return fault(r, decides, "decides", "true or false");
    check->tolerance = tolerance->number;
    check->is_deciding = !decides || decides->boolean;
    return STATUS_OK;
}

static enum status find_job(struct reader *r, const char *name, int *out)
{
    for (size_t i = 0; i < r->checks->n_jobs; i++)
        if (strcmp(r->checks->jobs[i].name, name) == 0) {
            *out = (int)i;
            return STATUS_OK;
        }
    return err_set(r->err, STATUS_INPUT, "there is no job %s", name);
}

/* source: a name in the file's `sources`. */
static enum status take_source(struct reader *r, const struct doc *map,
                               const char **out)
{
    const char *name;
    if (take_text(r, map, "source", false, &name)) return r->err->status;
    const struct doc *sources = doc_get(&r->checks->doc, "sources");
    const struct doc *text = sources ? doc_get(sources, name) : NULL;
    if (!text || text->kind != DOC_STRING)
        return err_set(r->err, STATUS_INPUT, "sources has no text %s", name);
    *out = text->text;
    return STATUS_OK;
}

static enum status read_check(struct reader *r, struct check *check,
                              const struct doc *map)
{
    static const char *const keys[] = {
        "name",   "source",    "job",     "file",     "array",
        "axes",   "mean",      "select",  "largest",  "smallest",
        "places", "tolerance", "decides", "expected", NULL};
    const char *job;
    if (check_keys(r, map, "a check", keys) ||
        take_text(r, map, "name", false, &check->name))
        return r->err->status;
    if (take_source(r, map, &check->source) ||
        take_text(r, map, "job", false, &job) ||
        find_job(r, job, &check->job) ||
        take_text(r, map, "file", true, &check->file) ||
        take_text(r, map, "array", false, &check->pick.path) ||
        take_names(r, map, "axes", &check->pick.axes) ||
        take_names(r, map, "mean", &check->pick.mean) ||
        take_map(r, map, "select", &check->pick.select) ||
        take_order(r, check, map) || take_tolerance(r, check, map) ||
        take_expected(r, check, map))
        return err_context(r->err, "check %s", check->name);
    if (!check->file) check->file = "results.h5";
    return STATUS_OK;
}

static enum status read_job(struct reader *r, struct check_job *job,
                            const char *name, const struct doc *map)
{
    static const char *const keys[] = {"file", "set", NULL};
    const char *file;
    const struct doc *set;
    job->name = name;
    if (check_keys(r, map, name, keys) ||
        take_text(r, map, "file", false, &file) ||
        take_names(r, map, "set", &set))
        return r->err->status;
    if (!*name || *name == '.' || strchr(name, '/'))
        return err_set(r->err, STATUS_INPUT,
                       "job '%s': its name must do for a folder", name);
    for (size_t i = 0; set && i < set->n; i++) {
        if (job->overrides.n == OPTION_LIST_MOST)
            return err_set(r->err, STATUS_INPUT, "job %s: more than %d in set",
                           name, OPTION_LIST_MOST);
        job->overrides.items[job->overrides.n++] = set->items[i].text;
    }
    job->path = file_join(r->folder, file, r->err);
    return r->err->status;
}

static enum status read_jobs(struct reader *r, const struct doc *jobs)
{
    struct checks *checks = r->checks;
    if (!jobs || jobs->kind != DOC_MAP)
        return err_set(r->err, STATUS_INPUT, "jobs: expected a map");
    checks->jobs = mem_calloc(jobs->n, sizeof *checks->jobs, "jobs", r->err);
    if (!checks->jobs) return r->err->status;
    checks->n_jobs = jobs->n;
    for (size_t i = 0; i < jobs->n; i++)
        if (read_job(r, &checks->jobs[i], jobs->keys[i].text, &jobs->items[i]))
            return r->err->status;
    return STATUS_OK;
}

static enum status read_all(struct reader *r)
{
    static const char *const keys[] = {"title", "model",  "sources",
                                       "jobs",  "checks", NULL};
    static const char *const model_keys[] = {"name", "config", "sha256", NULL};
    struct checks *checks = r->checks;
    const struct doc *doc = &checks->doc, *model = doc_get(doc, "model");
    const struct doc *list = doc_get(doc, "checks");
    if (check_keys(r, doc, "the file", keys) ||
        take_text(r, doc, "title", false, &checks->title))
        return r->err->status;
    if (!model) return err_set(r->err, STATUS_INPUT, "model is missing");
    if (check_keys(r, model, "model", model_keys) ||
        take_text(r, model, "name", false, &checks->model) ||
        take_text(r, model, "sha256", true, &checks->sha256) ||
        take_map(r, model, "config", &checks->config) ||
        read_jobs(r, doc_get(doc, "jobs")))
        return r->err->status;
    if (!list || list->kind != DOC_LIST)
        return err_set(r->err, STATUS_INPUT, "checks: expected a list");
    checks->items =
        mem_calloc(list->n, sizeof *checks->items, "checks", r->err);
    if (!checks->items) return r->err->status;
    checks->n = list->n;
    for (size_t i = 0; i < list->n; i++)
        if (read_check(r, &checks->items[i], &list->items[i]))
            return r->err->status;
    return STATUS_OK;
}

enum status checks_open(struct checks *out, const char *folder, struct err *err)
{
    struct reader r = {.folder = folder, .checks = out, .err = err};
    struct buf bytes = {0};
    *out = (struct checks){0};
    char *path = file_join(folder, "checks.yaml", err);
    if (!path || file_read(&bytes, path, most_bytes, err) ||
        doc_parse_yaml(&out->doc, path, (const char *)bytes.data, bytes.n, err))
        goto out;
    if (read_all(&r)) (void)err_context(err, "%s", path);
out:
    buf_free(&bytes);
    free(path);
    return err->status;
}

void checks_close(struct checks *checks)
{
    for (size_t i = 0; checks->jobs && i < checks->n_jobs; i++)
        free(checks->jobs[i].path);
    for (size_t i = 0; checks->items && i < checks->n; i++)
        free(checks->items[i].expected);
    free(checks->jobs);
    free(checks->items);
    doc_free(&checks->doc);
    *checks = (struct checks){0};
}

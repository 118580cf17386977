#include "common/model/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/doc.h"
#include "common/base/file.h"
#include "common/base/mem.h"

static const struct {
    const char *name;
    unsigned bytes;
    bool is_weight;
} dtypes[] = {
#define DTYPE_ROW(code, name, bytes, is_weight)                                \
    [code] = {name, bytes, is_weight},
    DTYPE_LIST(DTYPE_ROW)
#undef DTYPE_ROW
};

const char *safetensors_dtype_name(enum dtype dtype)
{
    return dtypes[dtype].name;
}

bool safetensors_dtype_is_weight(enum dtype dtype)
{
    return dtypes[dtype].is_weight;
}

void safetensors_print_shape(char *text, size_t size, const uint64_t *dims,
                             size_t n_dims)
{
    struct buf buf = {.ceiling = 256};
    for (size_t i = 0; i < n_dims; i++)
        buf_printf(&buf, "%s%" PRIu64, i ? "," : "", dims[i]);
    (void)snprintf(text, size, "[%.*s]", (int)buf.n,
                   buf.n ? (const char *)buf.data : "");
    buf_free(&buf);
}

void safetensors_close(struct safetensors *safetensors)
{
    for (size_t i = 0; i < safetensors->n_tensors; i++)
        free(safetensors->tensors[i].name);
    for (size_t i = 0; i < safetensors->n_files; i++) {
        if (safetensors->files[i].fd >= 0) close(safetensors->files[i].fd);
        free(safetensors->files[i].name);
    }
    free(safetensors->tensors);
    free(safetensors->files);
    *safetensors = (struct safetensors){0};
}

/* One line of an index's weight_map; borrowed from the document. */
struct index_entry {
    const char *tensor, *shard;
};

/* The member of a map that must be a list. */
static const struct doc *need_list(const struct doc *doc, const char *key,
                                   struct err *err)
{
    const struct doc *list = doc_get(doc, key);
    if (list && list->kind == DOC_LIST) return list;
    (void)err_set(err, STATUS_INPUT, "%s is %s, expected a list", key,
                  list ? doc_kind_name(list->kind) : "missing");
    return NULL;
}

static enum status parse_shape(struct safetensors_tensor *tensor,
                               const struct doc *entry, struct err *err)
{
    const struct doc *shape = need_list(entry, "shape", err);
    if (!shape) return err->status;
    if (shape->n > SAFETENSORS_MOST_DIMS)
        return err_set(err, STATUS_INPUT,
                       "shape has %zu dimensions, at most %d are allowed",
                       shape->n, SAFETENSORS_MOST_DIMS);
    tensor->n_dims = shape->n;
    tensor->n_values = 1;
    for (size_t i = 0; i < shape->n; i++) {
        const struct doc *dim = &shape->items[i];
        if (dim->kind != DOC_INT || dim->integer < 0)
            return err_set(err, STATUS_INPUT,
                           "shape: dimension %zu is not a whole number of 0 "
                           "or more",
                           i);
        tensor->dims[i] = (uint64_t)dim->integer;
        if (__builtin_mul_overflow(tensor->n_values, tensor->dims[i],
                                   &tensor->n_values))
            return err_set(err, STATUS_INPUT,
                           "shape: the number of values does not fit");
    }
    return STATUS_OK;
}

static enum status parse_dtype(struct safetensors_tensor *tensor,
                               const struct doc *entry, struct err *err)
{
    const struct doc *dtype = doc_get(entry, "dtype");
    if (!dtype || dtype->kind != DOC_STRING)
        return err_set(err, STATUS_INPUT, "dtype is %s, expected a string",
                       dtype ? doc_kind_name(dtype->kind) : "missing");
    for (int i = 0; i < DTYPE_COUNT; i++) {
        tensor->dtype = (enum dtype)i;
        if (strcmp(dtype->text, dtypes[i].name) == 0) return STATUS_OK;
    }
    return err_set(err, STATUS_INPUT, "dtype %.20s is not known", dtype->text);
}

static enum status parse_offsets(struct safetensors_tensor *tensor,
                                 const struct doc *entry, uint64_t data_at,
                                 uint64_t data_bytes, struct err *err)
{
    const struct doc *offsets = need_list(entry, "data_offsets", err);
    if (!offsets) return err->status;
    if (offsets->n != 2 || offsets->items[0].kind != DOC_INT ||
        offsets->items[1].kind != DOC_INT)
        return err_set(err, STATUS_INPUT,
                       "data_offsets: expected two whole numbers");
    int64_t begin = offsets->items[0].integer, end = offsets->items[1].integer;
    if (begin < 0 || end < begin || (uint64_t)end > data_bytes)
        return err_set(err, STATUS_INPUT,
                       "data_offsets [%" PRId64 ",%" PRId64
                       "] do not lie in the %" PRIu64 " bytes of data",
                       begin, end, data_bytes);
    uint64_t need;
    if (__builtin_mul_overflow(tensor->n_values,
                               (uint64_t)dtypes[tensor->dtype].bytes, &need) ||
        need != (uint64_t)(end - begin)) {
        char shape[200];
        safetensors_print_shape(shape, sizeof shape, tensor->dims,
                                tensor->n_dims);
        return err_set(err, STATUS_INPUT,
                       "data_offsets [%" PRId64 ",%" PRId64
                       "] are not the size of shape %s in %s",
                       begin, end, shape, dtypes[tensor->dtype].name);
    }
    tensor->begin = data_at + (uint64_t)begin;
    tensor->end = data_at + (uint64_t)end;
    return STATUS_OK;
}

static int compare_places(const void *left, const void *right)
{
    const struct safetensors_tensor *a = left, *b = right;
    if (a->file != b->file) return a->file < b->file ? -1 : 1;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    return (a->end > b->end) - (a->end < b->end);
}

/* Tensors first .. n-1, all of one file, follow one another from data_at to
 * the end of the data. */
static enum status check_cover(struct safetensors *safetensors, size_t first,
                               uint64_t data_at, uint64_t data_bytes,
                               struct err *err)
{
    uint64_t at = data_at;
    size_t n = safetensors->n_tensors;
    if (n == first)
        return err_set(err, STATUS_INPUT, "the file has no tensors");
    qsort(safetensors->tensors + first, n - first, sizeof *safetensors->tensors,
          compare_places);
    for (size_t i = first; i < n; i++) {
        const struct safetensors_tensor *tensor = &safetensors->tensors[i];
        if (tensor->begin != at)
            return err_set(err, STATUS_INPUT,
                           "tensor %.80s begins at byte %" PRIu64
                           " of the file, but the data before it end at "
                           "%" PRIu64,
                           tensor->name, tensor->begin, at);
        at = tensor->end;
    }
    if (at != data_at + data_bytes)
        return err_set(err, STATUS_INPUT,
                       "the tensors end at byte %" PRIu64
                       ", the data at byte %" PRIu64,
                       at, data_at + data_bytes);
    return STATUS_OK;
}

enum status safetensors_parse_header(struct safetensors *out, size_t file,
                                     const char *text, size_t n,
                                     uint64_t data_at, uint64_t data_bytes,
                                     struct err *err)
{
    struct doc doc;
    size_t first = out->n_tensors;
    if (doc_parse_json(&doc, "header", text, n, err)) return err->status;
    if (doc.kind != DOC_MAP)
        (void)err_set(err, STATUS_INPUT, "header: found %s, expected a map",
                      doc_kind_name(doc.kind));
    for (size_t i = 0; i < doc.n && !err->status; i++) {
        const char *name = doc.keys[i].text;
        if (strcmp(name, "__metadata__") == 0) continue;
        if (mem_grow(&out->tensors, &out->capacity, out->n_tensors + 1,
                     sizeof *out->tensors, "the table of tensors", err))
            break;
        struct safetensors_tensor *tensor = &out->tensors[out->n_tensors];
        *tensor = (struct safetensors_tensor){.file = file};
        tensor->name = mem_strdup(name, err);
        if (!tensor->name) break;
        out->n_tensors++;
        if (parse_shape(tensor, &doc.items[i], err) ||
            parse_dtype(tensor, &doc.items[i], err) ||
            parse_offsets(tensor, &doc.items[i], data_at, data_bytes, err))
            (void)err_context(err, "tensor %.80s", name);
    }
    doc_free(&doc);
    if (err->status) return err->status;
    return check_cover(out, first, data_at, data_bytes, err);
}

static enum status read_exact(const struct safetensors_file *file, void *out,
                              size_t n, uint64_t at, struct err *err)
{
    unsigned char *to = out;
    while (n > 0) {
        ssize_t got = pread(file->fd, to, n, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return err_set_errno(err, STATUS_IO, errno, "cannot read %s",
                                 file->name);
        if (got == 0)
            return err_set(err, STATUS_INPUT, "%s ended at byte %" PRIu64,
                           file->name, at);
        to += got;
        n -= (size_t)got;
        at += (uint64_t)got;
    }
    return STATUS_OK;
}

static enum status open_file(struct safetensors_file *file, const char *folder,
                             struct err *err)
{
    struct stat info;
    char *path = file_join(folder, file->name, err);
    if (!path) return err->status;
    /* Non-blocking, so that a pipe in the folder does not hang the run. */
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->fd < 0 || fstat(file->fd, &info) != 0)
        (void)err_set_errno(err, STATUS_INPUT, errno, "cannot open %s", path);
    else if (!S_ISREG(info.st_mode))
        (void)err_set(err, STATUS_INPUT, "%s is not a regular file", path);
    else
        file->bytes = (uint64_t)info.st_size;
    free(path);
    return err->status;
}

static enum status read_header(struct safetensors *out, size_t index,
                               struct err *err)
{
    const struct safetensors_file *file = &out->files[index];
    unsigned char prefix[8];
    if (file->bytes < sizeof prefix)
        return err_set(err, STATUS_INPUT,
                       "%" PRIu64 " bytes are too few for a safetensors file",
                       file->bytes);
    if (read_exact(file, prefix, sizeof prefix, 0, err)) return err->status;
    struct cursor cursor = cursor_of(prefix, sizeof prefix);
    uint64_t n = cursor_u64(&cursor);
    if (n > file->bytes - sizeof prefix || n > SAFETENSORS_MOST_HEADER)
        return err_set(err, STATUS_INPUT,
                       "header of %" PRIu64 " bytes: the file has %" PRIu64
                       " bytes, and at most %d are allowed",
                       n, file->bytes, SAFETENSORS_MOST_HEADER);
    char *text = mem_calloc((size_t)n, 1, "a safetensors header", err);
    if (!text) return err->status;
    uint64_t data_at = sizeof prefix + n;
    if (read_exact(file, text, (size_t)n, sizeof prefix, err) ||
        safetensors_parse_header(out, index, text, (size_t)n, data_at,
                                 file->bytes - data_at, err))
        goto out;
out:
    free(text);
    return err->status;
}

static enum status open_shard(struct safetensors *out, size_t index,
                              const char *folder, struct err *err)
{
    struct safetensors_file *file = &out->files[index];
    if (open_file(file, folder, err)) return err->status;
    if (read_header(out, index, err)) (void)err_context(err, "%s", file->name);
    return err->status;
}

static enum status add_file(struct safetensors *out, const char *name,
                            struct err *err)
{
    struct safetensors_file *file = &out->files[out->n_files];
    *file = (struct safetensors_file){.fd = -1};
    file->name = mem_strdup(name, err);
    if (file->name) out->n_files++;
    return err->status;
}

static int compare_entries(const void *left, const void *right)
{
    const struct index_entry *a = left, *b = right;
    return strcmp(a->tensor, b->tensor);
}

static int compare_files(const void *left, const void *right)
{
    const struct safetensors_file *a = left, *b = right;
    return strcmp(a->name, b->name);
}

/* A shard lies in the folder itself: whoever writes an index must not choose
 * which files of the machine are read. */
static enum status check_shard_name(const struct doc *shard, struct err *err)
{
    if (shard->kind != DOC_STRING)
        return err_set(err, STATUS_INPUT, "found %s, expected a file name",
                       doc_kind_name(shard->kind));
    if (shard->text_bytes == 0 || strlen(shard->text) != shard->text_bytes ||
        strchr(shard->text, '/') || strcmp(shard->text, ".") == 0 ||
        strcmp(shard->text, "..") == 0)
        return err_set(err, STATUS_INPUT,
                       "found \"%.80s\", expected the plain name of a file in "
                       "the folder",
                       shard->text);
    return STATUS_OK;
}

/* Fill entries (one a tensor, sorted by name) and out->files from the index. */
static enum status read_map(struct safetensors *out,
                            struct index_entry *entries, const struct doc *map,
                            struct err *err)
{
    for (size_t i = 0; i < map->n; i++) {
        const char *tensor = map->keys[i].text;
        if (check_shard_name(&map->items[i], err))
            return err_context(err, "weight_map: %.80s", tensor);
        const char *shard = map->items[i].text;
        entries[i] = (struct index_entry){tensor, shard};
        size_t f = 0;
        while (f < out->n_files && strcmp(out->files[f].name, shard) != 0)
            f++;
        if (f < out->n_files) continue;
        if (f == SAFETENSORS_MOST_FILES)
            return err_set(err, STATUS_INPUT,
                           "weight_map names more than %d files",
                           SAFETENSORS_MOST_FILES);
        if (add_file(out, shard, err)) return err->status;
    }
    qsort(entries, map->n, sizeof *entries, compare_entries);
    qsort(out->files, out->n_files, sizeof *out->files, compare_files);
    return STATUS_OK;
}

/* Every tensor of the shards is in the index, under its shard, and every
 * tensor of the index in a shard. A tensor that two shards have cannot agree
 * with the index twice. */
static enum status compare_map(const struct safetensors *safetensors,
                               const struct index_entry *entries, size_t n,
                               struct err *err)
{
    size_t n_missing = n;
    for (size_t i = 0; i < safetensors->n_tensors; i++) {
        const struct safetensors_tensor *tensor = &safetensors->tensors[i];
        const char *file = safetensors->files[tensor->file].name;
        struct index_entry key = {tensor->name, NULL};
        const struct index_entry *entry =
            bsearch(&key, entries, n, sizeof key, compare_entries);
        if (!entry || strcmp(entry->shard, file) != 0)
            return err_set(
                err, STATUS_INPUT,
                "tensor %.80s is in %.80s, but weight_map says %.80s",
                tensor->name, file, entry ? entry->shard : "nothing");
        n_missing--;
    }
    for (size_t i = 0; i < n && n_missing > 0; i++) {
        size_t t = 0;
        while (t < safetensors->n_tensors &&
               strcmp(safetensors->tensors[t].name, entries[i].tensor) != 0)
            t++;
        if (t == safetensors->n_tensors)
            return err_set(err, STATUS_INPUT,
                           "tensor %.80s is not in %.80s as weight_map says",
                           entries[i].tensor, entries[i].shard);
    }
    return STATUS_OK;
}

static enum status open_sharded(struct safetensors *out, const char *folder,
                                const char *path, struct err *err)
{
    struct buf text = {0};
    struct doc doc = {0};
    struct index_entry *entries = NULL;
    if (file_read(&text, path, SAFETENSORS_MOST_HEADER, err) ||
        doc_parse_json(&doc, "index", (const char *)text.data, text.n, err))
        goto out;
    const struct doc *map = doc_get(&doc, "weight_map");
    if (!map || map->kind != DOC_MAP || map->n == 0) {
        (void)err_set(err, STATUS_INPUT,
                      "weight_map is %s, expected a map of tensors",
                      !map                   ? "missing"
                      : map->kind == DOC_MAP ? "empty"
                                             : doc_kind_name(map->kind));
        goto out;
    }
    entries = mem_calloc(map->n, sizeof *entries, "the index", err);
    out->files = mem_calloc(SAFETENSORS_MOST_FILES, sizeof *out->files,
                            "the table of files", err);
    if (!entries || !out->files || read_map(out, entries, map, err)) goto out;
    for (size_t i = 0; i < out->n_files; i++)
        if (open_shard(out, i, folder, err)) goto out;
    if (compare_map(out, entries, map->n, err)) goto out;
out:
    if (err->status) (void)err_context(err, "%s", path);
    free(entries);
    doc_free(&doc);
    buf_free(&text);
    return err->status;
}

enum status safetensors_open(struct safetensors *out, const char *folder,
                             struct err *err)
{
    *out = (struct safetensors){0};
    char *single = file_join(folder, "model.safetensors", err);
    char *index = file_join(folder, "model.safetensors.index.json", err);
    if (!single || !index) goto out;
    if (!file_exists(single) && file_exists(index)) {
        (void)open_sharded(out, folder, index, err);
        goto out;
    }
    out->files = mem_calloc(1, sizeof *out->files, "the table of files", err);
    if (!out->files || add_file(out, "model.safetensors", err)) goto out;
    (void)open_shard(out, 0, folder, err);
out:
    free(single);
    free(index);
    return err->status;
}

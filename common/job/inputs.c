#include "common/job/inputs.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/file.h"
#include "common/base/mem.h"

enum { MAX_PATH_BYTES = 4096 };

static void input_free(struct input *input)
{
    if (!input) return;
    free(input->path);
    free(input->data);
    free(input);
}

void inputs_free(struct inputs *inputs)
{
    for (size_t i = 0; i < inputs->n; i++)
        input_free(inputs->items[i]);
    free(inputs->items);
    free(inputs->folder);
    free(inputs->job);
    *inputs = (struct inputs){0};
}

enum status inputs_open(struct inputs *out, const char *path, struct err *err)
{
    *out = (struct inputs){.is_collecting = true};
    const char *slash = strrchr(path, '/');
    out->folder = file_folder(path, err);
    out->job = mem_strdup(slash ? slash + 1 : path, err);
    if (err->status) inputs_free(out);
    return err->status;
}

/* Take over input, which is freed where it cannot be kept. */
static struct input *keep(struct inputs *inputs, struct input *input,
                          struct err *err)
{
    if (mem_grow(&inputs->items, &inputs->capacity, inputs->n + 1,
                 sizeof(struct input *), "the list of input files", err)) {
        input_free(input);
        return NULL;
    }
    inputs->items[inputs->n++] = input;
    return input;
}

static struct input *find(const struct inputs *inputs, const char *path)
{
    for (size_t i = 0; i < inputs->n; i++)
        if (strcmp(inputs->items[i]->path, path) == 0) return inputs->items[i];
    return NULL;
}

/* Read path from the disk; a file that is not there is kept as absent. */
static struct input *collect(struct inputs *inputs, const char *path,
                             size_t most, struct err *err)
{
    struct buf content = {.ceiling = SIZE_MAX / 2};
    struct input *input = mem_calloc(1, sizeof *input, "an input file", err);
    char *full = file_join(inputs->folder, path, err);
    if (!err->status) input->path = mem_strdup(path, err);
    if (err->status) goto out;
    struct stat info;
    if (stat(full, &info) != 0 && errno == ENOENT) {
        input->is_absent = true;
    } else {
        if (file_read(&content, full, most, err)) goto out;
        if (digest_of(&input->digest, content.data, content.n, err)) goto out;
        input->n = content.n;
        input->data = (unsigned char *)buf_take_text(&content);
        if (!input->data)
            (void)err_set(err, STATUS_MEMORY, "no memory for %s", full);
    }
out:
    buf_free(&content);
    free(full);
    if (err->status) {
        input_free(input);
        return NULL;
    }
    return keep(inputs, input, err);
}

const struct input *inputs_find(struct inputs *inputs, const char *path,
                                size_t most, struct err *err)
{
    struct input *input = find(inputs, path);
    if (!input && !inputs->is_collecting) {
        (void)err_set(err, STATUS_INTERNAL,
                      "input file %s was not collected before the job was sent",
                      path);
        return NULL;
    }
    if (!input) input = collect(inputs, path, most, err);
    if (!input || input->is_absent) return NULL;
    if (input->n > most) {
        (void)err_set(err, STATUS_INPUT,
                      "%s is longer than the %zu bytes allowed", path, most);
        return NULL;
    }
    return input;
}

const struct input *inputs_get(struct inputs *inputs, const char *path,
                               size_t most, struct err *err)
{
    const struct input *input = inputs_find(inputs, path, most, err);
    if (!input && !err->status && strcmp(path, inputs->job) == 0)
        (void)err_set(err, STATUS_INPUT, "no job file %s in %s", path,
                      inputs->folder);
    else if (!input && !err->status)
        (void)err_set(err, STATUS_INPUT,
                      "no file %s (a path is relative to the folder of the "
                      "job, %s)",
                      path, inputs->folder);
    return input;
}

void inputs_encode(struct buf *out, const struct inputs *inputs)
{
    buf_text(out, inputs->folder);
    buf_text(out, inputs->job);
    buf_u64(out, inputs->n);
    for (size_t i = 0; i < inputs->n; i++) {
        const struct input *input = inputs->items[i];
        buf_text(out, input->path);
        buf_u8(out, input->is_absent);
        buf_u64(out, input->n);
        buf_bytes(out, input->data, input->n);
        buf_bytes(out, input->digest.bytes, DIGEST_BYTES);
    }
}

static struct input *decode_one(struct cursor *cursor, struct err *err)
{
    struct input *input = mem_calloc(1, sizeof *input, "an input file", err);
    if (!input) return NULL;
    input->path = cursor_text(cursor, MAX_PATH_BYTES);
    uint8_t absent = cursor_u8(cursor);
    uint64_t n = cursor_u64(cursor);
    if (absent > 1 || n > cursor_left(cursor)) cursor->is_bad = true;
    const unsigned char *data = cursor_bytes(cursor, (size_t)n);
    const unsigned char *digest = cursor_bytes(cursor, DIGEST_BYTES);
    if (!input->path || !data || !digest) goto damaged;
    input->is_absent = absent;
    input->n = (size_t)n;
    memcpy(input->digest.bytes, digest, DIGEST_BYTES);
    if (absent) return input;
    input->data = mem_calloc(input->n + 1, 1, "an input file", err);
    if (!input->data) goto failed;
    memcpy(input->data, data, input->n);
    struct digest found;
    if (digest_of(&found, data, input->n, err)) goto failed;
    if (memcmp(&found, &input->digest, sizeof found) == 0) return input;
damaged:
    (void)err_set(err, STATUS_DAMAGED, "the input files arrived damaged");
failed:
    input_free(input);
    return NULL;
}

enum status inputs_decode(struct inputs *out, const void *data, size_t n,
                          struct err *err)
{
    *out = (struct inputs){0};
    struct cursor cursor = cursor_of(data, n);
    out->folder = cursor_text(&cursor, MAX_PATH_BYTES);
    out->job = cursor_text(&cursor, MAX_PATH_BYTES);
    uint64_t count = cursor_u64(&cursor);
    for (uint64_t i = 0; i < count && !cursor.is_bad && !err->status; i++) {
        struct input *input = decode_one(&cursor, err);
        if (input) (void)keep(out, input, err);
    }
    if (!err->status && !cursor_is_done(&cursor))
        (void)err_set(err, STATUS_DAMAGED, "the input files arrived damaged");
    if (err->status) inputs_free(out);
    return err->status;
}

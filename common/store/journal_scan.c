#include "common/store/journal_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/mem.h"

_Static_assert(sizeof(off_t) == 8, "journals may be longer than 2 GiB");

enum {
    MARK_BYTES = JOURNAL_RECORD_HEAD + 12, /* a whole mark: u64 offset, CRC */
    WINDOW_BYTES = 256 * 1024
};

const unsigned char *journal_scan_look(const struct journal_file *file,
                                       struct journal_window *window,
                                       uint64_t size, uint64_t offset, size_t n,
                                       struct err *err)
{
    if (offset >= window->at && offset - window->at <= window->n &&
        n <= window->n - (size_t)(offset - window->at))
        return window->data + (offset - window->at);
    uint64_t left = size - offset;
    size_t wanted = window->ahead ? window->ahead : WINDOW_BYTES;
    if (wanted < n) wanted = n;
    if (wanted > left) wanted = (size_t)left;
    window->n = 0;
    if (mem_grow(&window->data, &window->capacity, wanted, 1,
                 "a piece of the journal", err))
        return NULL;
    window->at = offset;
    while (window->n < wanted) {
        ssize_t got = pread(file->fd, window->data + window->n,
                            wanted - window->n, (off_t)(offset + window->n));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            (void)err_set_errno(err, STATUS_IO, errno, "cannot read %s",
                                file->path);
            return NULL;
        }
        if (got == 0) break;
        window->n += (size_t)got;
    }
    return window->n >= n ? window->data : NULL;
}

bool journal_scan_record(const struct journal_file *file,
                         struct journal_window *window, uint64_t size,
                         uint64_t offset, struct journal_parsed *out,
                         struct err *err)
{
    if (offset > size || size - offset < JOURNAL_RECORD_BYTES) return false;
    const unsigned char *data =
        journal_scan_look(file, window, size, offset, JOURNAL_RECORD_HEAD, err);
    if (!data) return false;
    struct cursor head = cursor_of(data, JOURNAL_RECORD_HEAD);
    out->kind = cursor_u32(&head);
    out->n = cursor_u32(&head);
    out->number = cursor_u64(&head);
    if (out->n > JOURNAL_MOST_BYTES ||
        out->n > size - offset - JOURNAL_RECORD_BYTES)
        return false;
    data = journal_scan_look(file, window, size, offset,
                             out->n + JOURNAL_RECORD_BYTES, err);
    if (!data) return false;
    struct cursor tail = cursor_of(data + JOURNAL_RECORD_HEAD + out->n, 4);
    out->payload = data + JOURNAL_RECORD_HEAD;
    return cursor_u32(&tail) == crc32_of(0, data, JOURNAL_RECORD_HEAD + out->n);
}

/* Is there a whole mark at or after offset? Marks hold their own offset, so
 * they are found without knowing where records begin. */
static bool find_mark(const struct journal_file *file,
                      struct journal_window *window, uint64_t size,
                      uint64_t offset, uint64_t *mark, struct err *err)
{
    for (uint64_t at = offset; size - at >= MARK_BYTES; at++) {
        const unsigned char *data =
            journal_scan_look(file, window, size, at, MARK_BYTES, err);
        if (!data) return false;
        if (data[0] != JOURNAL_MARK || data[4] != 8) continue;
        struct cursor cursor = cursor_of(data, MARK_BYTES);
        bool is_mark = cursor_u32(&cursor) == JOURNAL_MARK;
        is_mark = cursor_u32(&cursor) == 8 && is_mark;
        (void)cursor_u64(&cursor);
        is_mark = cursor_u64(&cursor) == at && is_mark;
        if (is_mark &&
            cursor_u32(&cursor) == crc32_of(0, data, JOURNAL_RECORD_HEAD + 8)) {
            *mark = at;
            return true;
        }
    }
    return false;
}

enum status journal_scan_size(const struct journal_file *file, uint64_t *size,
                              struct err *err)
{
    struct stat info;
    if (fstat(file->fd, &info) != 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot read %s",
                             file->path);
    *size = (uint64_t)info.st_size;
    return STATUS_OK;
}

enum status journal_scan_walk(const struct journal_file *file,
                              journal_visitor *visit, void *user, uint64_t *end,
                              uint64_t *next_number, bool *is_unsynced,
                              struct err *err)
{
    struct journal_window window = {0};
    uint64_t size = 0, mark = 0, at = JOURNAL_HEADER_BYTES, number = 0;
    bool was_retried = false;
    *is_unsynced = false;
    if (journal_scan_size(file, &size, err)) return err->status;
    if (size < at) at = size;
    while (at < size) {
        struct journal_parsed record = {0};
        if (journal_scan_record(file, &window, size, at, &record, err) &&
            record.number == number) {
            enum journal_record kind = (enum journal_record)record.kind;
            if (!journal_record_meaning(record.kind))
                (void)err_set(err, STATUS_INPUT,
                              "%s: offset %llu: record of unknown kind %u, "
                              "made by a newer program?",
                              file->path, (unsigned long long)at, record.kind);
            else if (visit)
                (void)visit(user, kind, at, record.payload, record.n, err);
            if (err->status) break;
            *is_unsynced = kind != JOURNAL_MARK;
            at += record.n + JOURNAL_RECORD_BYTES;
            number++;
            was_retried = false;
            continue;
        }
        if (err->status || !find_mark(file, &window, size, at, &mark, err))
            break;
        /* The writer may have been in the middle of this record and have
         * gone on to its mark since: look at it once more. */
        window.n = 0;
        if (was_retried || !file->is_live) {
            (void)err_set(err, STATUS_DAMAGED,
                          "%s: offset %llu: damaged record before the mark at "
                          "offset %llu, which says that it was on disk",
                          file->path, (unsigned long long)at,
                          (unsigned long long)mark);
            break;
        }
        was_retried = true;
    }
    free(window.data);
    *end = at;
    *next_number = number;
    return err->status;
}

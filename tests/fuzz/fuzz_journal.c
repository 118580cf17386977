/* journal: an even first byte: the rest is a journal file as it is. An odd
 * one: the rest says what to append, where to sync, and how to damage it; what
 * is read back must be a beginning of what was written. */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/digest.h"
#include "common/store/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_RECORDS = 64 };

struct seen {
    size_t n;
    uint32_t crc[MOST_RECORDS]; /* of kind and payload */
    uint64_t at[MOST_RECORDS], end;
};

static void check(bool is_good)
{
    if (!is_good) abort();
}

static enum status note(void *user, enum journal_record kind, uint64_t at,
                        const void *payload, size_t n, struct err *err)
{
    struct seen *seen = user;
    (void)err;
    if (seen->n < MOST_RECORDS) {
        uint32_t number = (uint32_t)kind;
        uint32_t crc = crc32_of(0, &number, sizeof number);
        seen->at[seen->n] = at;
        seen->crc[seen->n++] = crc32_of(crc, payload, n);
    }
    seen->end = at + n + JOURNAL_RECORD_BYTES;
    return STATUS_OK;
}

static const char *path_of(void)
{
    static char path[64];
    snprintf(path, sizeof path, "%s/patchsweep-fuzz-%ld",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
             (long)getpid());
    return path;
}

static void write_file(const char *path, const uint8_t *data, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    check(fd >= 0 && write(fd, data, n) == (ssize_t)n && close(fd) == 0);
}

/* Read by both; then write on where that is possible. */
static enum status open_and_check(const char *path, struct seen *read)
{
    struct journal *journal;
    struct err err = {0}, second = {0};
    struct seen written = {0}, again = {0};
    uint64_t cut;
    *read = (struct seen){0};
    if (journal_open_reader(&journal, path, &err) == STATUS_OK) {
        (void)(journal_walk(journal, note, read, &err) == STATUS_OK);
        journal_close(journal);
    }
    enum status status = journal_open(&journal, path, &cut, &second);
    check(status == err.status);
    if (status) {
        check(err.message[0] && strcmp(err.message, second.message) == 0);
        return status;
    }
    check(journal_walk(journal, note, &written, &err) == STATUS_OK);
    check(memcmp(&written, read, sizeof written) == 0);
    check(journal_append(journal, JOURNAL_RESULT, "more", 4, &err) == 0);
    check(journal_sync(journal, &err) == STATUS_OK);
    journal_close(journal);
    check(journal_open(&journal, path, &cut, &err) == STATUS_OK && cut == 0);
    check(journal_walk(journal, note, &again, &err) == STATUS_OK);
    check(again.n == (read->n + 2 < MOST_RECORDS ? read->n + 2 : MOST_RECORDS));
    journal_close(journal);
    return status;
}

/* Each byte: append that many bytes, or (255) sync; the last four damage. */
static void write_and_damage(const char *path, const uint8_t *data, size_t size)
{
    static const uint8_t payload[256] = {1, 2, 3};
    struct journal *journal;
    struct err err = {0};
    struct seen all = {0}, read;
    uint64_t cut, marked = 0;
    if (size < 4) return;
    unlink(path);
    check(journal_open(&journal, path, &cut, &err) == STATUS_OK);
    for (size_t i = 0; i + 4 < size && i < MOST_RECORDS / 4; i++)
        if (data[i] == 255)
            check(journal_sync(journal, &err) == STATUS_OK);
        else
            check(journal_append(journal, JOURNAL_RESULT, payload, data[i],
                                 &err) == STATUS_OK);
    check(journal_walk(journal, note, &all, &err) == STATUS_OK);
    /* the last mark is the last place where syncing again does nothing */
    for (size_t i = 0; i < all.n; i++) {
        const void *bytes;
        size_t n;
        uint64_t self;
        check(journal_read(journal, all.at[i], &bytes, &n, &err) == STATUS_OK);
        memcpy(&self, bytes, n == 8 ? 8 : 0);
        if (n == 8 && memcmp(bytes, payload, 8) != 0 && self == all.at[i])
            marked = all.at[i];
    }
    journal_close(journal);
    const uint8_t *how = data + size - 4;
    uint64_t end = all.end ? all.end : JOURNAL_HEADER_BYTES;
    uint64_t at = (how[0] | (uint64_t)how[1] << 8) % end;
    if (how[2] % 2) {
        check(truncate(path, (off_t)at) == 0);
    } else {
        uint8_t byte = 0;
        int fd = open(path, O_RDWR);
        check(fd >= 0 && pread(fd, &byte, 1, (off_t)at) == 1);
        byte ^= how[3] ? how[3] : 1;
        check(pwrite(fd, &byte, 1, (off_t)at) == 1 && close(fd) == 0);
    }
    enum status status = open_and_check(path, &read);
    check(read.n <= all.n);
    check(memcmp(read.crc, all.crc, read.n * sizeof *read.crc) == 0);
    if (how[2] % 2)
        check(status == STATUS_OK); /* a cut file is never damaged */
    else if (at < JOURNAL_HEADER_BYTES || at < marked)
        check(status == STATUS_DAMAGED);
    else
        check(status == STATUS_OK && read.n < all.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = path_of();
    struct seen read;
    if (size == 0) return 0;
    if (data[0] % 2) {
        write_and_damage(path, data + 1, size - 1);
    } else {
        write_file(path, data + 1, size - 1);
        (void)open_and_check(path, &read);
    }
    unlink(path);
    return 0;
}

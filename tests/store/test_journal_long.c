/* A journal of more than 2 GiB: the file is sparse (payloads of zeros), its
 * checksums are combined, so that making it costs nothing. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>
#include <zlib.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/store/journal.h"
#include "tests/store/temporary.h"

enum { PAYLOAD = 64 << 20, RECORDS = 33 };

static char folder[TEMPORARY_PATH];

static void write_at(int fd, const struct buf *bytes, uint64_t at)
{
    assert_int_equal(pwrite(fd, bytes->data, bytes->n, (off_t)at), bytes->n);
}

struct seen {
    uint64_t n, last;
    size_t last_bytes;
};

static enum status note(void *user, enum journal_record kind, uint64_t at,
                        const void *payload, size_t n, struct err *err)
{
    struct seen *seen = user;
    (void)kind, (void)payload, (void)err;
    seen->n++;
    seen->last = at;
    seen->last_bytes = n;
    return STATUS_OK;
}

static void records_beyond_2_GiB_are_written_and_read(void **state)
{
    (void)state;
    struct err err = {0};
    struct journal *journal;
    uint64_t cut;
    const char *path = temporary_file(folder, "journal");
    assert_int_equal(journal_open(&journal, path, &cut, &err), 0);
    journal_close(journal);

    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    unsigned char zeros[4096] = {0};
    uint32_t zeros_crc = 0;
    for (size_t i = 0; i < PAYLOAD / sizeof zeros; i++)
        zeros_crc = crc32_of(zeros_crc, zeros, sizeof zeros);
    uint64_t at = JOURNAL_HEADER_BYTES;
    for (uint64_t i = 0; i < RECORDS; i++) {
        struct buf bytes = {0};
        buf_u32(&bytes, JOURNAL_RESULT);
        buf_u32(&bytes, PAYLOAD);
        buf_u64(&bytes, i);
        write_at(fd, &bytes, at);
        uint32_t crc = crc32_of(0, bytes.data, bytes.n);
        buf_clear(&bytes);
        buf_u32(&bytes, (uint32_t)crc32_combine(crc, zeros_crc, PAYLOAD));
        at += JOURNAL_RECORD_BYTES + PAYLOAD;
        write_at(fd, &bytes, at - 4);
        buf_free(&bytes);
    }
    close(fd);
    assert_true(at > (uint64_t)INT32_MAX);

    assert_int_equal(journal_open(&journal, path, &cut, &err), 0);
    assert_int_equal(cut, 0);
    assert_int_equal(journal_append(journal, JOURNAL_RESULT, "far", 3, &err),
                     0);
    journal_close(journal);

    struct seen seen = {0};
    const void *payload;
    size_t n;
    assert_int_equal(journal_open_reader(&journal, path, &err), 0);
    assert_int_equal(journal_walk(journal, note, &seen, &err), 0);
    assert_int_equal(seen.n, RECORDS + 1);
    assert_int_equal(seen.last, at);
    assert_int_equal(seen.last_bytes, 3);
    assert_int_equal(journal_read(journal, at, &payload, &n, &err), 0);
    assert_int_equal(n, 3);
    assert_memory_equal(payload, "far", 3);
    journal_close(journal);
}

static int set_up(void **state)
{
    (void)state;
    return temporary_make(folder);
}

static int tear_down(void **state)
{
    (void)state;
    temporary_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_beyond_2_GiB_are_written_and_read),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

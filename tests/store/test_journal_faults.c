/* The journal under failing system calls: write, fdatasync and ftruncate are
 * replaced at link time. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cmocka.h>

#include "common/store/journal.h"
#include "tests/store/temporary.h"

ssize_t __real_write(int fd, const void *data, size_t n);
ssize_t __wrap_write(int fd, const void *data, size_t n);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_ftruncate(int fd, off_t n);
int __wrap_ftruncate(int fd, off_t n);

static struct {
    long room;      /* bytes that write still takes; -1: any number */
    size_t at_most; /* bytes that one write takes; 0: all */
    int write_error;
    int interrupts; /* calls that are interrupted first */
    int sync_error, sync_calls;
    int cut_error;
} fault;

ssize_t __wrap_write(int fd, const void *data, size_t n)
{
    if (fault.interrupts > 0) {
        fault.interrupts--;
        errno = EINTR;
        return -1;
    }
    if (fault.at_most && n > fault.at_most) n = fault.at_most;
    if (fault.room >= 0 && (long)n > fault.room) n = (size_t)fault.room;
    if (n == 0) {
        errno = fault.write_error;
        return fault.write_error ? -1 : 0;
    }
    if (fault.room >= 0) fault.room -= (long)n;
    return __real_write(fd, data, n);
}

int __wrap_fdatasync(int fd)
{
    fault.sync_calls++;
    if (!fault.sync_error) return __real_fdatasync(fd);
    errno = fault.sync_error;
    return -1;
}

int __wrap_ftruncate(int fd, off_t n)
{
    if (!fault.cut_error) return __real_ftruncate(fd, n);
    errno = fault.cut_error;
    return -1;
}

static char folder[TEMPORARY_PATH];
static char path[2 * TEMPORARY_PATH];

static enum status count(void *user, enum journal_record kind, uint64_t at,
                         const void *payload, size_t n, struct err *err)
{
    int *results = user;
    (void)at, (void)payload, (void)n, (void)err;
    *results += kind == JOURNAL_RESULT;
    return STATUS_OK;
}

static int results_of(struct journal *journal)
{
    struct err err = {0};
    int results = 0;
    assert_int_equal(journal_walk(journal, count, &results, &err), 0);
    return results;
}

static struct journal *open_new(void)
{
    struct journal *journal;
    struct err err = {0};
    uint64_t cut;
    memset(&fault, 0, sizeof fault);
    fault.room = -1;
    unlink(path);
    assert_int_equal(journal_open(&journal, path, &cut, &err), 0);
    assert_int_equal(journal_append(journal, JOURNAL_RESULT, "one", 3, &err),
                     0);
    return journal;
}

static off_t size_of(void)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_size;
}

static void a_disk_that_fills_after_any_byte_loses_that_record_alone(void **s)
{
    (void)s;
    for (long room = 0; room < 23; room++) { /* the record has 23 bytes */
        struct journal *journal = open_new();
        struct err err = {0};
        off_t before = size_of();
        fault.room = room;
        fault.write_error = room % 2 ? ENOSPC : EDQUOT;
        assert_int_equal(
            journal_append(journal, JOURNAL_RESULT, "two", 3, &err), STATUS_IO);
        assert_non_null(strstr(err.message, path));
        assert_int_equal(size_of(), before);
        assert_int_equal(results_of(journal), 1);
        fault.room = -1; /* room was made */
        err_clear(&err);
        assert_int_equal(
            journal_append(journal, JOURNAL_RESULT, "two", 3, &err), 0);
        assert_int_equal(journal_sync(journal, &err), 0);
        assert_int_equal(results_of(journal), 2);
        journal_close(journal);
    }
}

static void a_write_that_takes_nothing_is_an_error_not_a_loop(void **state)
{
    (void)state;
    struct journal *journal = open_new();
    struct err err = {0};
    fault.room = 5;
    fault.write_error = 0;
    assert_int_equal(journal_append(journal, JOURNAL_RESULT, "two", 3, &err),
                     STATUS_IO);
    assert_int_equal(results_of(journal), 1);
    journal_close(journal);
}

static void short_and_interrupted_writes_are_continued(void **state)
{
    (void)state;
    struct journal *journal = open_new();
    struct err err = {0};
    fault.at_most = 1;
    fault.interrupts = 3;
    assert_int_equal(journal_append(journal, JOURNAL_RESULT, "two", 3, &err),
                     0);
    assert_int_equal(results_of(journal), 2);
    journal_close(journal);
}

static void a_write_that_cannot_be_undone_ends_the_journal(void **state)
{
    (void)state;
    struct journal *journal = open_new();
    struct err err = {0};
    uint64_t cut;
    fault.room = 9;
    fault.write_error = EIO;
    fault.cut_error = EIO;
    assert_int_equal(journal_append(journal, JOURNAL_RESULT, "two", 3, &err),
                     STATUS_IO);
    fault.room = -1;
    err_clear(&err);
    assert_int_equal(journal_append(journal, JOURNAL_RESULT, "two", 3, &err),
                     STATUS_IO);
    assert_non_null(strstr(err.message, "earlier"));
    err_clear(&err);
    assert_int_equal(journal_sync(journal, &err), STATUS_IO);
    assert_int_equal(fault.sync_calls, 1); /* that of the new file alone */
    journal_close(journal);
    err_clear(&err);
    fault.cut_error = 0;
    assert_int_equal(journal_open(&journal, path, &cut, &err), 0);
    assert_int_equal(cut, 9);
    assert_int_equal(results_of(journal), 1);
    journal_close(journal);
}

static void a_failed_sync_ends_the_journal_and_is_not_retried(void **state)
{
    (void)state;
    struct journal *journal = open_new();
    struct err err = {0};
    off_t before = size_of();
    fault.sync_error = EIO;
    fault.sync_calls = 0;
    assert_int_equal(journal_sync(journal, &err), STATUS_IO);
    assert_int_equal(size_of(), before); /* no mark */
    fault.sync_error = 0;
    err_clear(&err);
    assert_int_equal(journal_sync(journal, &err), STATUS_IO);
    err_clear(&err);
    assert_int_equal(journal_append(journal, JOURNAL_RESULT, "two", 3, &err),
                     STATUS_IO);
    assert_int_equal(fault.sync_calls, 1);
    journal_close(journal);
}

static void a_mark_that_cannot_be_written_is_an_error(void **state)
{
    (void)state;
    struct journal *journal = open_new();
    struct err err = {0};
    fault.room = 10;
    fault.write_error = ENOSPC;
    assert_int_equal(journal_sync(journal, &err), STATUS_IO);
    fault.room = -1;
    err_clear(&err);
    assert_int_equal(journal_sync(journal, &err), 0);
    journal_close(journal);
}

static void a_tail_that_cannot_be_cut_is_an_error_at_opening(void **state)
{
    (void)state;
    struct journal *journal = open_new();
    struct err err = {0};
    uint64_t cut;
    journal_close(journal);
    assert_int_equal(truncate(path, size_of() - 1), 0);
    fault.cut_error = EROFS;
    assert_int_equal(journal_open(&journal, path, &cut, &err), STATUS_IO);
    assert_null(journal);
    fault.cut_error = 0;
    fault.sync_error = EIO;
    err_clear(&err);
    assert_int_equal(journal_open(&journal, path, &cut, &err), STATUS_IO);
    assert_null(journal);
}

static int set_up(void **state)
{
    (void)state;
    if (temporary_make(folder)) return -1;
    snprintf(path, sizeof path, "%s", temporary_file(folder, "journal"));
    return 0;
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
        cmocka_unit_test(
            a_disk_that_fills_after_any_byte_loses_that_record_alone),
        cmocka_unit_test(a_write_that_takes_nothing_is_an_error_not_a_loop),
        cmocka_unit_test(short_and_interrupted_writes_are_continued),
        cmocka_unit_test(a_write_that_cannot_be_undone_ends_the_journal),
        cmocka_unit_test(a_failed_sync_ends_the_journal_and_is_not_retried),
        cmocka_unit_test(a_mark_that_cannot_be_written_is_an_error),
        cmocka_unit_test(a_tail_that_cannot_be_cut_is_an_error_at_opening),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

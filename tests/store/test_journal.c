/* The journal: what is written comes back, and every kind of damage is
 * either cut, ignored or refused, as its place demands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/file.h"
#include "common/store/journal.h"
#include "tests/store/temporary.h"

static char folder[TEMPORARY_PATH];
static char path[2 * TEMPORARY_PATH];

enum { MOST_RECORDS = 64 };

struct seen {
    int n;
    enum journal_record kinds[MOST_RECORDS];
    uint64_t at[MOST_RECORDS];
    uint64_t end[MOST_RECORDS]; /* offset behind the record */
    uint32_t crc[MOST_RECORDS]; /* of the payload */
};

static enum status note(void *user, enum journal_record kind, uint64_t at,
                        const void *payload, size_t n, struct err *err)
{
    struct seen *seen = user;
    (void)err;
    assert_true(seen->n < MOST_RECORDS);
    seen->kinds[seen->n] = kind;
    seen->at[seen->n] = at;
    seen->end[seen->n] = at + n + JOURNAL_RECORD_BYTES;
    seen->crc[seen->n++] = crc32_of(0, payload, n);
    return STATUS_OK;
}

static void check_seen(const struct seen *seen, const struct seen *all, int n)
{
    assert_int_equal(seen->n, n);
    assert_memory_equal(seen->kinds, all->kinds, (size_t)n * sizeof(int));
    assert_memory_equal(seen->at, all->at, (size_t)n * sizeof(uint64_t));
    assert_memory_equal(seen->crc, all->crc, (size_t)n * sizeof(uint32_t));
}

/* Two synced records and a mark, then three records not synced: the file's
 * bytes in out, its records in seen. */
static void make(struct buf *out, struct seen *seen)
{
    struct err err = {0};
    struct journal *journal;
    uint64_t cut;
    unsigned char payload[300];
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (unsigned char)(i * 7 + 1);
    unlink(path);
    assert_int_equal(journal_open(&journal, path, &cut, &err), 0);
    assert_int_equal(cut, 0);
    assert_int_equal(
        journal_append(journal, JOURNAL_START, "start = now\n", 12, &err), 0);
    assert_int_equal(
        journal_append(journal, JOURNAL_RESULT, payload, 300, &err), 0);
    assert_int_equal(journal_sync(journal, &err), 0);
    assert_int_equal(journal_append(journal, JOURNAL_RESULT, payload, 0, &err),
                     0);
    assert_int_equal(journal_append(journal, JOURNAL_RESULT, payload, 7, &err),
                     0);
    assert_int_equal(
        journal_append(journal, JOURNAL_FAILURE, payload, 60, &err), 0);
    *seen = (struct seen){0};
    assert_int_equal(journal_walk(journal, note, seen, &err), 0);
    journal_close(journal);
    assert_int_equal(file_read(out, path, 0, &err), 0);
}

static void put(const void *data, size_t n)
{
    struct err err = {0};
    assert_int_equal(file_write(path, data, n, &err), 0);
}

static void what_is_appended_comes_back_in_order(void **state)
{
    (void)state;
    struct buf bytes = {0};
    struct seen all, again = {0};
    struct err err = {0};
    make(&bytes, &all);
    static const enum journal_record kinds[] = {
        JOURNAL_START,  JOURNAL_RESULT, JOURNAL_MARK,
        JOURNAL_RESULT, JOURNAL_RESULT, JOURNAL_FAILURE};
    assert_int_equal(all.n, 6);
    assert_memory_equal(all.kinds, kinds, sizeof kinds);
    assert_int_equal(all.at[0], JOURNAL_HEADER_BYTES);
    assert_int_equal(all.end[5], bytes.n);
    struct journal *journal;
    assert_int_equal(journal_open_reader(&journal, path, &err), 0);
    assert_int_equal(journal_walk(journal, note, &again, &err), 0);
    check_seen(&again, &all, 6);
    for (int i = 5; i >= 0; i--) {
        const void *payload;
        size_t n;
        assert_int_equal(journal_read(journal, all.at[i], &payload, &n, &err),
                         0);
        assert_int_equal(crc32_of(0, payload, n), all.crc[i]);
    }
    const void *payload;
    size_t n;
    assert_int_equal(journal_read(journal, all.at[1] + 1, &payload, &n, &err),
                     STATUS_DAMAGED);
    journal_close(journal);
    buf_free(&bytes);
}

static void a_reader_cannot_append(void **state)
{
    (void)state;
    struct buf bytes = {0};
    struct seen all;
    struct journal *journal;
    struct err err = {0};
    make(&bytes, &all);
    assert_int_equal(journal_open_reader(&journal, path, &err), 0);
    assert_int_equal(journal_append(journal, JOURNAL_RESULT, "x", 1, &err),
                     STATUS_INTERNAL);
    err_clear(&err);
    assert_int_equal(journal_sync(journal, &err), STATUS_INTERNAL);
    journal_close(journal);
    buf_free(&bytes);
}

static void a_file_cut_at_any_byte_keeps_its_whole_records(void **state)
{
    (void)state;
    struct buf bytes = {0};
    struct seen all;
    make(&bytes, &all);
    for (size_t n = 0; n <= bytes.n; n++) {
        struct err err = {0};
        struct journal *journal;
        struct seen seen = {0};
        uint64_t cut = 99;
        int whole = 0;
        size_t good = n < JOURNAL_HEADER_BYTES ? 0 : JOURNAL_HEADER_BYTES;
        while (whole < all.n && all.end[whole] <= n)
            good = all.end[whole++];
        put(bytes.data, n);
        assert_int_equal(journal_open_reader(&journal, path, &err), 0);
        assert_int_equal(journal_walk(journal, note, &seen, &err), 0);
        check_seen(&seen, &all, whole);
        journal_close(journal);
        struct stat info;
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_size, n); /* a reader changes nothing */

        assert_int_equal(journal_open(&journal, path, &cut, &err), 0);
        assert_int_equal(cut, n - good);
        assert_int_equal(journal_append(journal, JOURNAL_END, "end", 3, &err),
                         0);
        assert_int_equal(journal_sync(journal, &err), 0);
        seen = (struct seen){0};
        assert_int_equal(journal_walk(journal, note, &seen, &err), 0);
        assert_int_equal(seen.n, whole + 2);
        assert_int_equal(seen.kinds[whole], JOURNAL_END);
        assert_int_equal(seen.kinds[whole + 1], JOURNAL_MARK);
        journal_close(journal);
    }
    buf_free(&bytes);
}

/* Expect what damage at byte `at` of the made journal must give. */
static void check_damage(const struct buf *bytes, const struct seen *all,
                         size_t at)
{
    struct err err = {0};
    struct journal *journal = NULL;
    struct seen seen = {0};
    uint64_t cut = 0;
    put(bytes->data, bytes->n);
    if (at < JOURNAL_HEADER_BYTES) {
        assert_int_not_equal(journal_open_reader(&journal, path, &err), 0);
        err_clear(&err);
        assert_int_not_equal(journal_open(&journal, path, &cut, &err), 0);
        return;
    }
    int hit = 0;
    while (all->end[hit] <= at)
        hit++;
    /* Record 2 is the mark: when it is itself hit, it is no mark any more. */
    if (hit < 2) {
        char offset[64];
        snprintf(offset, sizeof offset,
                 "offset %llu:", (unsigned long long)all->at[hit]);
        assert_int_equal(journal_open_reader(&journal, path, &err), 0);
        assert_int_equal(journal_walk(journal, note, &seen, &err),
                         STATUS_DAMAGED);
        assert_non_null(strstr(err.message, offset));
        check_seen(&seen, all, hit);
        journal_close(journal);
        err_clear(&err);
        assert_int_equal(journal_open(&journal, path, &cut, &err),
                         STATUS_DAMAGED);
        assert_non_null(strstr(err.message, offset));
        return;
    }
    assert_int_equal(journal_open_reader(&journal, path, &err), 0);
    assert_int_equal(journal_walk(journal, note, &seen, &err), 0);
    check_seen(&seen, all, hit);
    journal_close(journal);
    assert_int_equal(journal_open(&journal, path, &cut, &err), 0);
    assert_int_equal(cut, bytes->n - all->at[hit]);
    journal_close(journal);
}

static void a_flipped_bit_is_an_error_before_the_mark_and_cut_after(void **s)
{
    (void)s;
    struct buf bytes = {0};
    struct seen all;
    make(&bytes, &all);
    for (size_t i = 0; i < bytes.n; i++) {
        unsigned char bit = (unsigned char)(1u << (i % 8));
        bytes.data[i] ^= bit;
        check_damage(&bytes, &all, i);
        bytes.data[i] ^= bit;
    }
    buf_free(&bytes);
}

static void a_hole_of_zeros_in_the_tail_is_cut_with_what_follows(void **state)
{
    (void)state;
    struct buf bytes = {0};
    struct seen all;
    make(&bytes, &all);
    /* a page of record 4 did not reach the disk, record 5 did */
    memset(bytes.data + all.at[4], 0, 25);
    check_damage(&bytes, &all, all.at[4]);
    buf_free(&bytes);
}

static void records_of_another_place_do_not_pass(void **state)
{
    (void)state;
    struct buf bytes = {0};
    struct seen all;
    make(&bytes, &all);
    /* two whole records after the mark in the wrong order */
    unsigned char third[128];
    size_t n3 = all.end[3] - all.at[3], n4 = all.end[4] - all.at[4];
    memcpy(third, bytes.data + all.at[3], n3);
    memmove(bytes.data + all.at[3], bytes.data + all.at[4], n4);
    memcpy(bytes.data + all.at[3] + n4, third, n3);
    check_damage(&bytes, &all, all.at[3]);
    buf_free(&bytes);
}

static void a_newer_version_and_an_unknown_kind_are_named(void **state)
{
    (void)state;
    struct buf bytes = {0};
    struct seen all;
    struct journal *journal;
    struct err err = {0};
    make(&bytes, &all);
    bytes.n = 8;
    buf_u32(&bytes, 2);
    buf_u32(&bytes, crc32_of(0, bytes.data, 12));
    put(bytes.data, bytes.n);
    assert_int_equal(journal_open_reader(&journal, path, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "version 2"));

    buf_clear(&bytes);
    make(&bytes, &all);
    bytes.n = all.at[5];
    buf_u32(&bytes, 77);
    buf_u32(&bytes, 0);
    buf_u64(&bytes, 5);
    buf_u32(&bytes, crc32_of(0, bytes.data + all.at[5], 16));
    put(bytes.data, bytes.n);
    uint64_t cut;
    err_clear(&err);
    assert_int_equal(journal_open(&journal, path, &cut, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "unknown kind 77"));
    buf_free(&bytes);
}

static void a_short_file_of_something_else_is_not_taken_for_a_new_one(void **s)
{
    (void)s;
    static const char text[] = "PSJOURNAL of mine";
    for (size_t n = 8; n < sizeof text; n++) {
        struct journal *journal;
        struct err err = {0};
        uint64_t cut;
        char *exact = malloc(n); /* for the sanitizer to see its end */
        assert_non_null(exact);
        memcpy(exact, text, n);
        put(exact, n);
        free(exact);
        assert_int_equal(journal_open(&journal, path, &cut, &err),
                         STATUS_DAMAGED);
        assert_null(journal);
        err_clear(&err);
        assert_int_equal(journal_open_reader(&journal, path, &err),
                         STATUS_DAMAGED);
    }
}

static void records_that_nothing_marked_are_marked_by_the_next_sync(void **s)
{
    (void)s;
    struct buf bytes = {0};
    struct seen all, seen = {0};
    struct journal *journal;
    struct err err = {0};
    uint64_t cut;
    make(&bytes, &all);
    assert_int_equal(journal_open(&journal, path, &cut, &err), 0);
    assert_int_equal(journal_sync(journal, &err), 0);
    assert_int_equal(journal_sync(journal, &err), 0); /* nothing to do */
    assert_int_equal(journal_walk(journal, note, &seen, &err), 0);
    assert_int_equal(seen.n, 7);
    assert_int_equal(seen.kinds[6], JOURNAL_MARK);
    journal_close(journal);
    buf_free(&bytes);
}

static enum status fail_third(void *user, enum journal_record kind, uint64_t at,
                              const void *payload, size_t n, struct err *err)
{
    int *calls = user;
    (void)kind, (void)at, (void)payload, (void)n;
    return ++*calls == 3 ? err_set(err, STATUS_INPUT, "no more") : STATUS_OK;
}

static void a_visitor_that_fails_ends_the_walk(void **state)
{
    (void)state;
    struct buf bytes = {0};
    struct seen all;
    struct journal *journal;
    struct err err = {0};
    int calls = 0;
    make(&bytes, &all);
    assert_int_equal(journal_open_reader(&journal, path, &err), 0);
    assert_int_equal(journal_walk(journal, fail_third, &calls, &err),
                     STATUS_INPUT);
    assert_int_equal(calls, 3);
    assert_string_equal(err.message, "no more");
    journal_close(journal);
    buf_free(&bytes);
}

/* As with --break-lock of a run that was only held. */
static void a_writer_that_is_not_alone_writes_no_more(void **state)
{
    (void)state;
    struct err err = {0};
    struct journal *held, *other;
    uint64_t cut;
    struct buf before = {0}, after = {0};
    unlink(path);
    assert_int_equal(journal_open(&held, path, &cut, &err), 0);
    assert_int_equal(journal_append(held, JOURNAL_START, "a\n", 2, &err), 0);
    assert_int_equal(journal_open(&other, path, &cut, &err), 0);
    assert_int_equal(journal_append(other, JOURNAL_START, "b\n", 2, &err), 0);
    assert_int_equal(file_read(&before, path, 0, &err), 0);
    assert_int_equal(journal_append(held, JOURNAL_END, "c\n", 2, &err),
                     STATUS_LOCKED);
    assert_non_null(strstr(err.message, "another run writes there"));
    err_clear(&err);
    assert_int_equal(journal_sync(held, &err), STATUS_IO);
    err_clear(&err);
    assert_int_equal(journal_append(other, JOURNAL_END, "d\n", 2, &err), 0);
    assert_int_equal(file_read(&after, path, 0, &err), 0);
    assert_true(after.n > before.n);
    assert_memory_equal(after.data, before.data, before.n);
    journal_close(held);
    journal_close(other);
    buf_free(&before);
    buf_free(&after);
}

static void a_reader_follows_a_live_writer(void **state)
{
    (void)state;
    struct journal *writer, *reader;
    struct err err = {0};
    uint64_t cut;
    unlink(path);
    assert_int_equal(journal_open_reader(&reader, path, &err), STATUS_IO);
    err_clear(&err);
    assert_int_equal(journal_open(&writer, path, &cut, &err), 0);
    assert_int_equal(journal_open_reader(&reader, path, &err), 0);
    for (int i = 0; i < 20; i++) {
        struct seen seen = {0};
        const void *payload;
        size_t n;
        assert_int_equal(
            journal_append(writer, JOURNAL_RESULT, &i, sizeof i, &err), 0);
        assert_int_equal(journal_walk(reader, note, &seen, &err), 0);
        assert_int_equal(seen.n, i + 1);
        assert_int_equal(journal_read(reader, seen.at[i], &payload, &n, &err),
                         0);
        assert_memory_equal(payload, &i, sizeof i);
    }
    journal_close(reader);
    journal_close(writer);
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
        cmocka_unit_test(what_is_appended_comes_back_in_order),
        cmocka_unit_test(a_reader_cannot_append),
        cmocka_unit_test(a_file_cut_at_any_byte_keeps_its_whole_records),
        cmocka_unit_test(
            a_flipped_bit_is_an_error_before_the_mark_and_cut_after),
        cmocka_unit_test(a_hole_of_zeros_in_the_tail_is_cut_with_what_follows),
        cmocka_unit_test(records_of_another_place_do_not_pass),
        cmocka_unit_test(a_newer_version_and_an_unknown_kind_are_named),
        cmocka_unit_test(
            a_short_file_of_something_else_is_not_taken_for_a_new_one),
        cmocka_unit_test(
            records_that_nothing_marked_are_marked_by_the_next_sync),
        cmocka_unit_test(a_visitor_that_fails_ends_the_walk),
        cmocka_unit_test(a_writer_that_is_not_alone_writes_no_more),
        cmocka_unit_test(a_reader_follows_a_live_writer),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

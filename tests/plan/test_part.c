/* The file of one unit's activations: written, read, cut, damaged, and on a
 * disk that is full. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/file.h"
#include "common/plan/part.h"
#include "tests/job/job_text.h"
#include "tests/plan/planned.h"
#include "tests/store/temporary.h"

enum { PIECES = 3, VALUES = 1000 };

struct state {
    struct planned p;
    struct unit unit;
    char out[TEMPORARY_PATH];
    float values[VALUES];
};

static void open_state(struct state *s)
{
    planned_open(&s->p, &small_config,
                 "model: m\nprepend_bos: false\nmetrics: [loss]\nprompts:\n"
                 "- {clean_tokens: [1, 2, 3, 4]}\n"
                 "activations:\n- {hooks: 'blocks.*.hook_resid_pre'}\n",
                 NULL);
    planned_extend(&s->p);
    plan_unit(&s->p.plan, s->p.plan.n_units - 1, &s->unit);
    assert_int_equal(s->unit.kind, UNIT_EXPORT);
    for (int i = 0; i < VALUES; i++)
        s->values[i] = (float)i;
    assert_int_equal(temporary_make(s->out), 0);
}

static void close_state(struct state *s)
{
    char parts[TEMPORARY_PATH];
    snprintf(parts, sizeof parts, "%.400s/parts", s->out);
    temporary_remove(parts);
    temporary_remove(s->out);
    planned_close(&s->p);
}

static enum status write_part(struct state *s, uint64_t *bytes, uint32_t *crc,
                              struct err *err)
{
    struct part *part = part_create(s->out, &s->p.plan, &s->unit, err);
    if (!part) return err->status;
    for (int i = 0; i < PIECES; i++) {
        part_put(part, s->values, sizeof s->values / 2);
        part_put(part, s->values + VALUES / 2, sizeof s->values / 2);
        part_end_piece(part);
    }
    return part_finish(part, bytes, crc, err);
}

static void what_is_written_is_read(void **unused)
{
    (void)unused;
    struct state s;
    struct err err = {0};
    struct part_reader reader;
    uint64_t bytes, again;
    uint32_t crc, crc_again;
    bool is_absent;
    float values[VALUES];
    open_state(&s);
    const struct plan *plan = &s.p.plan;
    assert_false(part_is_there(s.out, plan, &s.unit, &bytes, &crc));
    assert_int_equal(
        part_open(&reader, s.out, plan, &s.unit, 1, &is_absent, &err), 0);
    assert_true(is_absent);
    assert_int_equal(write_part(&s, &bytes, &crc, &err), 0);
    assert_int_equal(bytes, PART_HEADER_BYTES +
                                PIECES * (sizeof values + PART_CRC_BYTES) +
                                PART_END_BYTES);
    assert_true(part_is_there(s.out, plan, &s.unit, &again, &crc_again));
    assert_int_equal(again, bytes);
    assert_int_equal(crc_again, crc);
    assert_int_equal(
        part_open(&reader, s.out, plan, &s.unit, bytes, &is_absent, &err), 0);
    assert_false(is_absent);
    for (int i = 0; i < PIECES; i++) {
        uint64_t offset =
            PART_HEADER_BYTES + (uint64_t)i * (sizeof values + PART_CRC_BYTES);
        memset(values, 0, sizeof values);
        assert_int_equal(
            part_read(&reader, offset, values, sizeof values, &err), 0);
        assert_memory_equal(values, s.values, sizeof values);
    }
    part_close(&reader);
    close_state(&s);
}

/* One that another worker has written stays, byte for byte. */
static void a_whole_part_is_not_replaced_and_a_damaged_one_is(void **unused)
{
    (void)unused;
    struct state s;
    struct err err = {0};
    uint64_t bytes;
    uint32_t crc, first;
    open_state(&s);
    assert_int_equal(write_part(&s, &bytes, &first, &err), 0);
    s.values[3] = 7;
    assert_int_equal(write_part(&s, &bytes, &crc, &err), 0);
    assert_int_equal(crc, first);
    char *path = part_path(s.out, s.unit.number, &err);
    assert_int_equal(truncate(path, 500), 0);
    assert_false(part_is_there(s.out, &s.p.plan, &s.unit, &bytes, &crc));
    assert_int_equal(write_part(&s, &bytes, &crc, &err), 0);
    assert_int_not_equal(crc, first);
    free(path);
    close_state(&s);
}

static void a_changed_byte_is_found(void **unused)
{
    (void)unused;
    struct state s;
    struct err err = {0};
    struct part_reader reader;
    uint64_t bytes, seen;
    uint32_t crc;
    bool is_absent;
    float values[VALUES];
    open_state(&s);
    const struct plan *plan = &s.p.plan;
    assert_int_equal(write_part(&s, &bytes, &crc, &err), 0);
    char *path = part_path(s.out, s.unit.number, &err);
    static const long places[] = {3, 20, 200};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        FILE *file = fopen(path, "r+b");
        assert_non_null(file);
        assert_int_equal(fseek(file, places[i], SEEK_SET), 0);
        int old = fgetc(file);
        assert_int_equal(fseek(file, places[i], SEEK_SET), 0);
        assert_int_equal(fputc(old ^ 1, file), old ^ 1);
        assert_int_equal(fclose(file), 0);
        assert_false(part_is_there(s.out, plan, &s.unit, &seen, &crc));
        err = (struct err){0};
        enum status status =
            part_open(&reader, s.out, plan, &s.unit, bytes, &is_absent, &err);
        if (!status)
            status = part_read(&reader, PART_HEADER_BYTES, values,
                               sizeof values, &err);
        assert_int_equal(status, STATUS_DAMAGED);
        part_close(&reader);
        unlink(path);
        err = (struct err){0};
        assert_int_equal(write_part(&s, &bytes, &crc, &err), 0);
    }
    free(path);
    close_state(&s);
}

static void a_full_disk_is_told_and_leaves_nothing(void **unused)
{
    (void)unused;
    struct state s;
    struct err err = {0};
    uint64_t bytes;
    uint32_t crc;
    struct rlimit old, limit;
    open_state(&s);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = 6000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    enum status status = write_part(&s, &bytes, &crc, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, STATUS_IO);
    assert_non_null(strstr(err.message, "cannot write "));
    assert_non_null(strstr(err.message, ".part: File too large"));
    char *folder = part_folder(s.out, &err);
    assert_int_equal(rmdir(folder), 0); /* it is empty */
    free(folder);
    close_state(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_whole_part_is_not_replaced_and_a_damaged_one_is),
        cmocka_unit_test(a_changed_byte_is_found),
        cmocka_unit_test(a_full_disk_is_told_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

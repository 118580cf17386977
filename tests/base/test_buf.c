/* Buffers and cursors: bytes, ceilings, and every truncation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "tests/base/fail_alloc.h"

/* One of each kind of field. */
static void write_record(struct buf *buf)
{
    const float floats[] = {0.5f, -0.0f};
    buf_u8(buf, 0xfe);
    buf_u32(buf, 0x01020304);
    buf_u64(buf, 0x1122334455667788u);
    buf_i32(buf, -2);
    buf_f32(buf, 1.5f);
    buf_f64(buf, -0.1);
    buf_text(buf, "text");
    buf_f32_array(buf, floats, 2);
    buf_bytes(buf, "xyz", 3);
}

static const size_t record_bytes = 1 + 4 + 8 + 4 + 4 + 8 + (4 + 4) + 8 + 3;

/* true: everything was there and is what was written. */
static bool read_record(struct cursor *cursor)
{
    bool is_equal = cursor_u8(cursor) == 0xfe;
    is_equal &= cursor_u32(cursor) == 0x01020304;
    is_equal &= cursor_u64(cursor) == 0x1122334455667788u;
    is_equal &= cursor_i32(cursor) == -2;
    is_equal &= cursor_f32(cursor) == 1.5f;
    is_equal &= cursor_f64(cursor) == -0.1;
    char *text = cursor_text(cursor, 4);
    is_equal &= text && strcmp(text, "text") == 0;
    free(text);
    is_equal &= cursor_f32(cursor) == 0.5f;
    is_equal &= cursor_u32(cursor) == 0x80000000u; /* the bits of -0 */
    const unsigned char *bytes = cursor_bytes(cursor, 3);
    is_equal &= bytes && memcmp(bytes, "xyz", 3) == 0;
    return is_equal;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct buf buf = {0};
    write_record(&buf);
    struct err err = {0};
    assert_int_equal(buf_check(&buf, "a record", &err), STATUS_OK);
    assert_int_equal(buf.n, record_bytes);
    const unsigned char begins[] = {0xfe, 4, 3, 2, 1, 0x88, 0x77, 0x66};
    assert_memory_equal(buf.data, begins, sizeof begins);
    struct cursor cursor = cursor_of(buf.data, buf.n);
    assert_int_equal(cursor_left(&cursor), record_bytes);
    assert_true(read_record(&cursor));
    assert_true(cursor_is_done(&cursor));
    buf_free(&buf);
    buf_free(&buf);
}

static void every_truncation_is_bad_and_stays_bad(void **state)
{
    (void)state;
    struct buf buf = {0};
    write_record(&buf);
    for (size_t n = 0; n < buf.n; n++) {
        /* a copy of that size, so that a sanitizer sees a read past it */
        unsigned char *copy = malloc(n + !n);
        assert_non_null(copy);
        memcpy(copy, buf.data, n);
        struct cursor cursor = cursor_of(copy, n);
        assert_false(read_record(&cursor));
        assert_true(cursor.is_bad);
        assert_false(cursor_is_done(&cursor));
        assert_int_equal(cursor_left(&cursor), 0);
        assert_int_equal(cursor_u8(&cursor), 0);
        assert_null(cursor_bytes(&cursor, 0));
        free(copy);
    }
    buf_free(&buf);
}

static void bytes_left_over_are_not_done(void **state)
{
    (void)state;
    struct cursor cursor = cursor_of("ab", 2);
    assert_int_equal(cursor_u8(&cursor), 'a');
    assert_int_equal(cursor_left(&cursor), 1);
    assert_false(cursor_is_done(&cursor));
    struct cursor empty = cursor_of(NULL, 0);
    assert_true(cursor_is_done(&empty));
}

static void lengths_beyond_the_end_are_refused(void **state)
{
    (void)state;
    const unsigned char huge[] = {0xff, 0xff, 0xff, 0xff, 'a'};
    struct cursor cursor = cursor_of(huge, sizeof huge);
    assert_null(cursor_text(&cursor, SIZE_MAX));
    assert_true(cursor.is_bad);
    cursor = cursor_of(huge, sizeof huge);
    assert_int_equal(cursor_u8(&cursor), 0xff);
    assert_null(cursor_bytes(&cursor, SIZE_MAX));
    const unsigned char three[] = {3, 0, 0, 0, 'a', 'b', 'c'};
    cursor = cursor_of(three, sizeof three);
    assert_null(cursor_text(&cursor, 2));
    assert_true(cursor.is_bad);
}

static void the_ceiling_holds_and_failure_is_sticky(void **state)
{
    (void)state;
    struct buf buf = {.ceiling = 8};
    struct err err = {0};
    buf_bytes(&buf, "12345678", 8);
    assert_int_equal(buf_check(&buf, "it", &err), STATUS_OK);
    buf_u8(&buf, 9);
    assert_int_equal(buf.n, 8);
    assert_int_equal(buf_check(&buf, "it", &err), STATUS_MEMORY);
    assert_non_null(strstr(err.message, "8 bytes"));
    buf_bytes(&buf, "", 0);
    assert_true(buf.is_failed);
    assert_null(buf_take_text(&buf));
    buf_clear(&buf);
    buf_bytes(&buf, "x", SIZE_MAX); /* refused before it is read */
    assert_true(buf.is_failed);
    buf_clear(&buf);
    buf_printf(&buf, "%d", 1234567); /* its NUL needs the eighth byte */
    assert_false(buf.is_failed);
    assert_int_equal(buf.n, 7);
    assert_memory_equal(buf.data, "1234567", 7);
    buf_free(&buf);
    assert_int_equal(buf.ceiling, 8);
}

static void text_is_taken_with_its_nul(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_printf(&buf, "%s-%d", "a", 5);
    buf_bytes(&buf, "\0z", 2);
    char *text = buf_take_text(&buf);
    assert_non_null(text);
    assert_memory_equal(text, "a-5\0z", 6);
    assert_null(buf.data);
    assert_int_equal(buf.n, 0);
    free(text);
    text = buf_take_text(&buf);
    assert_string_equal(text, "");
    free(text);
}

static void growth_keeps_what_was_there(void **state)
{
    (void)state;
    struct buf buf = {0};
    for (uint32_t i = 0; i < 100000; i++)
        buf_u32(&buf, i);
    struct cursor cursor = cursor_of(buf.data, buf.n);
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(cursor_u32(&cursor), i);
    assert_true(cursor_is_done(&cursor));
    buf_free(&buf);
}

static void no_memory_is_a_failure_that_loses_nothing(void **state)
{
    (void)state;
    struct buf buf = {0};
    struct err err = {0};
    fail_alloc_start(2);
    for (int i = 0; i < 300; i++)
        buf_u8(&buf, 7); /* the second block is asked for at 257 */
    assert_true(fail_alloc_stop());
    assert_int_equal(buf.n, 256);
    assert_int_equal(buf_check(&buf, "it", &err), STATUS_MEMORY);
    buf_free(&buf);
    assert_int_equal(fail_alloc_live(), 0);
    const unsigned char text[] = {1, 0, 0, 0, 'a'};
    struct cursor cursor = cursor_of(text, sizeof text);
    fail_alloc_start(1);
    assert_null(cursor_text(&cursor, 9));
    assert_true(fail_alloc_stop());
    assert_true(cursor.is_bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(every_truncation_is_bad_and_stays_bad),
        cmocka_unit_test(bytes_left_over_are_not_done),
        cmocka_unit_test(lengths_beyond_the_end_are_refused),
        cmocka_unit_test(the_ceiling_holds_and_failure_is_sticky),
        cmocka_unit_test(text_is_taken_with_its_nul),
        cmocka_unit_test(growth_keeps_what_was_there),
        cmocka_unit_test(no_memory_is_a_failure_that_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

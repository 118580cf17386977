/* Sentences: the first stays, contexts stand outside, long ones are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <errno.h>

#include <cmocka.h>

#include "common/base/err.h"

static void the_first_failure_wins(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(err_set(&err, STATUS_INPUT, "line %d", 7), STATUS_INPUT);
    assert_int_equal(err_set(&err, STATUS_IO, "later"), STATUS_INPUT);
    assert_int_equal(err_set_errno(&err, STATUS_IO, ENOENT, "later"),
                     STATUS_INPUT);
    assert_string_equal(err.message, "line 7");
}

static void an_error_number_is_told_in_words(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(err_set_errno(&err, STATUS_IO, ENOENT, "cannot %s", "go"),
                     STATUS_IO);
    assert_string_equal(err.message, "cannot go: No such file or directory");
}

static void context_stands_before_the_sentence(void **state)
{
    (void)state;
    struct err err = {0};
    (void)err_set(&err, STATUS_INPUT, "no id");
    assert_int_equal(err_context(&err, "line %d", 3), STATUS_INPUT);
    assert_int_equal(err_context(&err, "job %s", "a.yaml"), STATUS_INPUT);
    assert_string_equal(err.message, "job a.yaml: line 3: no id");
    err_clear(&err);
    assert_int_equal(err.status, STATUS_OK);
    assert_string_equal(err.message, "");
    assert_int_equal(err_set(&err, STATUS_IO, "again"), STATUS_IO);
    assert_string_equal(err.message, "again");
}

static void a_long_sentence_is_cut_at_its_end(void **state)
{
    (void)state;
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct err err = {0};
    (void)err_set(&err, STATUS_IO, "begins %s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    assert_memory_equal(err.message, "begins x", 8);
    (void)err_context(&err, "outside");
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    assert_memory_equal(err.message, "outside: begins x", 17);
    (void)err_context(&err, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    err_clear(&err);
    (void)err_set_errno(&err, STATUS_IO, ENOENT, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

static void exit_statuses_are_the_documented_ones(void **state)
{
    (void)state;
    assert_int_equal(status_exit(STATUS_OK), 0);
    assert_int_equal(status_exit(STATUS_IO), 1);
    assert_int_equal(status_exit(STATUS_MEMORY), 1);
    assert_int_equal(status_exit(STATUS_USAGE), 2);
    assert_int_equal(status_exit(STATUS_INPUT), 2);
    assert_int_equal(status_exit(STATUS_UNITS_FAILED), 3);
    assert_int_equal(status_exit(STATUS_INCOMPLETE), 75);
    assert_string_equal(status_meaning(STATUS_MEMORY), "out of memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_failure_wins),
        cmocka_unit_test(an_error_number_is_told_in_words),
        cmocka_unit_test(context_stands_before_the_sentence),
        cmocka_unit_test(a_long_sentence_is_cut_at_its_end),
        cmocka_unit_test(exit_statuses_are_the_documented_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

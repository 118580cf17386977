/* The document tree: what YAML and JSON become, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/doc.h"

static enum status yaml(struct doc *doc, const char *text, struct err *err)
{
    *err = (struct err){0};
    return doc_parse_yaml(doc, "job.yaml", text, strlen(text), err);
}

static void scalars_follow_the_core_schema(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum doc_kind kind;
        double number;
    } rows[] = {
        {"12", DOC_INT, 12},           {"-3", DOC_INT, -3},
        {"1e-3", DOC_FLOAT, 1e-3},     {"1.5", DOC_FLOAT, 1.5},
        {"true", DOC_BOOL, 0},         {"~", DOC_NULL, 0},
        {"yes", DOC_STRING, 0},        {"0-3", DOC_STRING, 0},
        {"'12'", DOC_STRING, 0},       {"nan", DOC_STRING, 0},
        {"0x10", DOC_STRING, 0},       {"L9H9", DOC_STRING, 0},
        {"-inf", DOC_STRING, 0},       {"e5", DOC_STRING, 0},
        {"\" Jones\"", DOC_STRING, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct doc doc;
        struct err err;
        assert_int_equal(yaml(&doc, rows[i].text, &err), STATUS_OK);
        assert_int_equal(doc.kind, rows[i].kind);
        if (rows[i].kind == DOC_INT || rows[i].kind == DOC_FLOAT)
            assert_true(doc.number == rows[i].number);
        doc_free(&doc);
    }
}

static void nodes_know_their_lines(void **state)
{
    (void)state;
    struct doc doc;
    struct err err;
    assert_int_equal(yaml(&doc, "a: 1\nb:\n  - x\n  - {c: d}\n", &err), 0);
    assert_int_equal(doc.kind, DOC_MAP);
    assert_int_equal(doc.n, 2);
    const struct doc *b = doc_get(&doc, "b");
    assert_non_null(b);
    assert_int_equal(b->items[1].line, 4);
    assert_string_equal(doc_get(&b->items[1], "c")->text, "d");
    assert_null(doc_get(&doc, "z"));
    doc_free(&doc);
}

static void what_is_not_a_job_is_refused_by_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "job.yaml: the file is empty"},
        {"a: 1\na: 2\n", "job.yaml: line 2: key 'a' is given twice"},
        {"a: &x 1\nb: *x\n", "job.yaml: line 1: anchors and aliases"},
        {"a: [1, 2\n", "job.yaml: line "},
        {"--- 1\n--- 2\n", "job.yaml: line 2: a second document"},
        {"[1]: 2\n", "job.yaml: line 1: a key must be a word"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct doc doc;
        struct err err;
        assert_int_equal(yaml(&doc, rows[i].text, &err), STATUS_INPUT);
        assert_ptr_equal(strstr(err.message, rows[i].says), err.message);
    }
}

static void json_keeps_nul_and_order(void **state)
{
    (void)state;
    const char text[] = "{\"b\": \"x\\u0000y\", \"a\": [1, 2.5, null]}";
    struct doc doc;
    struct err err = {0};
    assert_int_equal(doc_parse_json(&doc, "f", text, sizeof text - 1, &err), 0);
    assert_string_equal(doc.keys[0].text, "b");
    assert_int_equal(doc.items[0].text_bytes, 3);
    assert_int_equal(doc.items[1].items[2].kind, DOC_NULL);
    doc_free(&doc);
    assert_int_equal(doc_parse_json(&doc, "f", "{\"a\":1,\"a\":2}", 13, &err),
                     STATUS_INPUT);
}

static void every_truncation_is_refused_or_read(void **state)
{
    (void)state;
    const char text[] = "a: {b: [1, 'two', \"t\\u0041\"]}\nc: |\n  text\n";
    for (size_t n = 0; n < sizeof text; n++) {
        struct doc doc;
        struct err err = {0};
        if (doc_parse_yaml(&doc, "t", text, n, &err) == STATUS_OK)
            doc_free(&doc);
        else
            assert_true(err.message[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_follow_the_core_schema),
        cmocka_unit_test(nodes_know_their_lines),
        cmocka_unit_test(what_is_not_a_job_is_refused_by_line),
        cmocka_unit_test(json_keeps_nul_and_order),
        cmocka_unit_test(every_truncation_is_refused_or_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* .npy vectors of the value `add`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/file.h"
#include "common/job/npy.h"
#include "tests/job/job_text.h"

/* A .npy file as NumPy writes it: version, header padded to 64 bytes. */
static size_t make_npy(unsigned char *out, int major, const char *header,
                       const void *values, size_t bytes)
{
    size_t at = major == 1 ? 10 : 12;
    size_t text = (at + strlen(header) + 1 + 63) / 64 * 64 - at;
    memset(out, ' ', at + text);
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (unsigned char)major;
    out[7] = 0;
    out[8] = (unsigned char)text;
    out[9] = (unsigned char)(text >> 8);
    if (major > 1) out[10] = out[11] = 0;
    memcpy(out + at, header, strlen(header));
    out[at + text - 1] = '\n';
    memcpy(out + at + text, values, bytes);
    return at + text + bytes;
}

static const char f4_header[] =
    "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }";

static void npy_vectors_are_read(void **state)
{
    (void)state;
    static const float singles[] = {1.5f, -2, 1e-20f};
    static const double doubles[] = {1.5, -2, 1e-20};
    unsigned char file[512];
    struct err err = {0};
    for (int major = 1; major <= 3; major++) {
        float *values = NULL;
        int n = 0;
        size_t bytes =
            make_npy(file, major, f4_header, singles, sizeof singles);
        assert_int_equal(npy_read_vector(&values, &n, "v", file, bytes, &err),
                         STATUS_OK);
        assert_int_equal(n, 3);
        assert_memory_equal(values, singles, sizeof singles);
        free(values);
        bytes = make_npy(file, major,
                         "{'descr': '<f8', 'fortran_order': True, 'shape': "
                         "(3,), }",
                         doubles, sizeof doubles);
        assert_int_equal(npy_read_vector(&values, &n, "v", file, bytes, &err),
                         STATUS_OK);
        assert_memory_equal(values, singles, sizeof singles);
        free(values);
    }
}

static void a_wrong_npy_is_named(void **state)
{
    (void)state;
    static const float singles[] = {1.5f, -2, 3};
    static const struct {
        const char *header;
        size_t bytes;
        const char *says;
    } rows[] = {
        {f4_header, 8, "v: found 8 bytes of values, expected 12 for 3 of them"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", 12,
         "v: found 12 bytes of values, expected 24 for 3 of them"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (3,), }", 12,
         "v: found values of type '>f4', expected '<f4' or '<f8' (float32 or "
         "float64, little-endian)"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1), }", 12,
         "v: found shape (3, 1), expected one dimension of 1 to 16777216 "
         "values, such as (768,)"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 12,
         "v: found shape (), expected one dimension of 1 to 16777216 "
         "values, such as (768,)"},
        {"{'descr': '<f4', 'shape': (3,), }", 12,
         "v: the .npy header lacks descr, fortran_order or shape"},
    };
    unsigned char file[512];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        float *values = NULL;
        int n = 0;
        struct err err = {0};
        size_t bytes =
            make_npy(file, 1, rows[i].header, singles, rows[i].bytes);
        assert_int_equal(npy_read_vector(&values, &n, "v", file, bytes, &err),
                         STATUS_INPUT);
        assert_string_equal(err.message, rows[i].says);
    }
}

static void a_npy_that_is_not_finite_or_cut_is_refused(void **state)
{
    (void)state;
    static const double huge[] = {1, 1e300, 2};
    unsigned char file[512];
    float *values = NULL;
    int n = 0;
    struct err err = {0};
    size_t bytes = make_npy(
        file, 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }",
        huge, sizeof huge);
    assert_int_equal(npy_read_vector(&values, &n, "v", file, bytes, &err),
                     STATUS_INPUT);
    assert_string_equal(err.message, "v: value 1 is not a finite float32");
    static const float singles[] = {1.5f, -2, 3};
    bytes = make_npy(file, 2, f4_header, singles, sizeof singles);
    for (size_t cut = 0; cut < bytes; cut++) {
        err_clear(&err);
        unsigned char *copy = malloc(cut ? cut : 1);
        assert_non_null(copy);
        memcpy(copy, file, cut);
        assert_int_equal(npy_read_vector(&values, &n, "v", copy, cut, &err),
                         STATUS_INPUT);
        free(copy);
    }
}

/* A vector must be as long as the site's last axis. */
static void an_added_vector_fits_its_site(void **state)
{
    (void)state;
    static const float vector[12] = {1, 2, 3};
    static const struct {
        const char *site;
        int n;
    } rows[] = {{"resid_pre", 12}, {"z", 4}, {"mlp_post", 20}};
    unsigned char file[512];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct inputs inputs;
        struct job job;
        struct err err = {0};
        char text[256], says[256];
        size_t bytes = make_npy(
            file, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (12,)}",
            vector, sizeof vector);
        snprintf(text, sizeof text,
                 "model: m\npairs: [{clean_tokens: [1]}]\n"
                 "sweeps: [{site: %s, by: [layer], value: {add: v.npy}}]\n",
                 rows[i].site);
        job_text_open(&inputs, text);
        job_text_add(&inputs, "v.npy", file, bytes);
        if (job_parse(&job, &inputs, NULL, 0, &err))
            fail_msg("%s", err.message);
        assert_false(job.sweeps[0].by[AXIS_SCALE]);
        enum status status = job_check_shape(&job, &small_config, &err);
        assert_int_equal(status, rows[i].n == 12 ? STATUS_OK : STATUS_INPUT);
        snprintf(says, sizeof says,
                 "job.yaml: line 3: sweep '%s': add: v.npy holds 12 values, "
                 "expected %d, as %s has in this model",
                 rows[i].site, rows[i].n, rows[i].site);
        if (status) assert_string_equal(err.message, says);
        job_free(&job);
        inputs_free(&inputs);
    }
}

/* Files that NumPy 1.24 wrote:
 *   numpy.save("vector_f8.npy", numpy.arange(5, dtype="f8") / 2) */
static void what_numpy_wrote_is_read(void **state)
{
    (void)state;
    static const char *const names[] = {"vector_f4", "vector_f8"};
    for (int i = 0; i < 2; i++) {
        char path[512];
        struct buf file = {0};
        struct err err = {0};
        float *values = NULL;
        int n = 0;
        snprintf(path, sizeof path, "%s/tests/job/%s.npy", TEST_SOURCE_DIR,
                 names[i]);
        if (file_read(&file, path, 0, &err) ||
            npy_read_vector(&values, &n, path, file.data, file.n, &err))
            fail_msg("%s", err.message);
        assert_int_equal(n, 5);
        for (int k = 0; k < 5; k++)
            assert_true(values[k] == (float)k / 2);
        free(values);
        buf_free(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy_vectors_are_read),
        cmocka_unit_test(what_numpy_wrote_is_read),
        cmocka_unit_test(a_wrong_npy_is_named),
        cmocka_unit_test(a_npy_that_is_not_finite_or_cut_is_refused),
        cmocka_unit_test(an_added_vector_fits_its_site),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

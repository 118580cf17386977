/* Numbers by the names of their axes, from a file of known ones. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/store/pick.h"
#include "tests/base/fail_alloc.h"
#include "tests/store/temporary.h"

static char folder[TEMPORARY_PATH], path[TEMPORARY_PATH + 16];

/* g/M[pair, layer, place] = 100 pair + 10 layer + place, but NaN at the last;
 * g/R[pair, rank] = 10 pair + rank, rank without values. */
static int make_file(void **state)
{
    struct err err = {0};
    static const int32_t pair[3] = {0, 1, 2}, layer[2] = {4, 6};
    static const char *const place[2] = {"1", "end"};
    static const char *const group[3] = {"one", "two", "one"};
    float m[12], r[6];
    (void)state;
    for (int i = 0; i < 12; i++)
        m[i] = (float)(100 * (i / 4) + 10 * (i / 2 % 2) + i % 2);
    m[11] = NAN;
    for (int i = 0; i < 6; i++)
        r[i] = (float)(10 * (i / 2) + i % 2);
    temporary_make(folder);
    snprintf(path, sizeof path, "%s/r.h5", folder);
    struct h5 *h5 = h5_create(path, &err);
    h5_make_group(h5, "g");
    h5_make_dimension(h5, "g", "pair", 3, H5_TYPE_I32, pair, "pair", NULL);
    h5_make_dimension(h5, "g", "layer", 2, H5_TYPE_I32, layer, "layer", NULL);
    h5_make_dimension(h5, "g", "place", 2, H5_TYPE_TEXT, place, "place", NULL);
    h5_make_dimension(h5, "g", "rank", 2, H5_TYPE_I32, NULL, "rank", NULL);
    const struct h5_spec specs[] = {
        {.name = "group", .type = H5_TYPE_TEXT, .dims = "pair"},
        {.name = "M", .type = H5_TYPE_F32, .dims = "pair layer place"},
        {.name = "R", .type = H5_TYPE_F32, .dims = "pair rank"}};
    h5_make_variable(h5, "g", &specs[0], group);
    h5_make_variable(h5, "g", &specs[1], m);
    h5_make_variable(h5, "g", &specs[2], r);
    assert_int_equal(h5_close(h5, &err), STATUS_OK);
    return 0;
}

static int remove_file(void **state)
{
    (void)state;
    temporary_remove(folder);
    return 0;
}

/* pick_read with axes, mean and select from a text of YAML. */
static enum status pick(struct picked *out, const char *array, const char *text,
                        struct err *err)
{
    struct doc doc;
    *err = (struct err){0};
    *out = (struct picked){0};
    if (doc_parse_yaml(&doc, "pick", text, strlen(text), err))
        return err->status;
    struct h5 *h5 = h5_open(path, err);
    const struct pick pick = {.path = array,
                              .axes = doc_get(&doc, "axes"),
                              .mean = doc_get(&doc, "mean"),
                              .select = doc_get(&doc, "select")};
    if (h5) {
        (void)(pick_read(out, h5, &pick, err) == 0);
        (void)(h5_close(h5, err) == 0);
    }
    for (int a = 0; a < out->n_axes; a++) /* borrowed from doc */
        out->axes[a].name = "axis";
    doc_free(&doc);
    return err->status;
}

static void assert_picks(const char *array, const char *text,
                         const double *expected, size_t n)
{
    struct err err;
    struct picked picked;
    if (pick(&picked, array, text, &err)) fail_msg("%s", err.message);
    assert_int_equal(picked.n, n);
    for (size_t i = 0; i < n; i++)
        if (isnan(expected[i]))
            assert_true(isnan(picked.values[i]));
        else
            assert_true(fabs(picked.values[i] - expected[i]) <= 0);
    picked_free(&picked);
}

static void the_order_is_that_of_the_axes_asked_for(void **state)
{
    static const double by_pair[4] = {200, 201, 210, (double)NAN};
    static const double by_place[4] = {200, 210, 201, (double)NAN};
    (void)state;
    assert_picks("g/M", "{select: {pair: 2}, axes: [layer, place]}", by_pair,
                 4);
    assert_picks("g/M", "{select: {pair: 2}, axes: [place, layer]}", by_place,
                 4);
}

static void values_are_selected_by_number_text_and_variable(void **state)
{
    static const double one[1] = {111}, two[2] = {110, 111};
    static const double pairs[2] = {10, 210}, both[2] = {1, 201};
    (void)state;
    assert_picks("g/M", "{select: {pair: 1, layer: 6, place: end}}", one, 1);
    assert_picks("g/M", "{select: {group: two, layer: 6}, axes: [place]}", two,
                 2);
    assert_picks("g/M",
                 "{select: {pair: [2, 0], layer: 6, place: 1}, axes: [pair]}",
                 pairs, 2);
    assert_picks("g/M",
                 "{select: {group: one, layer: 4, place: end}, axes: [pair]}",
                 both, 2);
    assert_picks("g/R", "{select: {pair: 1, rank: 1}}", (const double[]){11},
                 1);
}

static void means_are_over_what_is_selected(void **state)
{
    static const double layers[2] = {100, 110};
    (void)state;
    assert_picks("g/M",
                 "{select: {group: one, place: 1}, mean: [pair], "
                 "axes: [layer]}",
                 layers, 2);
    assert_picks("g/M",
                 "{select: {pair: [0, 1], layer: 4}, mean: [pair], "
                 "axes: [place]}",
                 (const double[]){50, 51}, 2);
    assert_picks("g/M", "{mean: [pair, layer, place]}",
                 (const double[]){(double)NAN}, 1);
}

static void a_place_is_told_by_its_coordinates(void **state)
{
    static const char text[] = "{axes: [pair, layer, place]}";
    struct err err;
    struct picked picked;
    struct buf place = {0};
    (void)state;
    assert_int_equal(pick(&picked, "g/M", text, &err), STATUS_OK);
    picked_place(&place, &picked, 11);
    char *told = buf_take_text(&place);
    assert_string_equal(told, "axis 2, axis 6, axis end");
    assert_string_equal(picked_label(&picked, 1, 4), "4");
    free(told);
    picked_free(&picked);
}

static void what_does_not_fit_is_named(void **state)
{
    static const struct {
        const char *array, *text, *sentence;
    } faults[] = {
        {"g/N", "{}", "there is no g/N"},
        {"g/group", "{axes: [pair]}", "g/group holds texts, not numbers"},
        {"g/M", "{select: {pair: 1, layer: 4}}",
         "g/M: 2 values of axis place: select one, or name it in axes or mean"},
        {"g/M", "{axes: [head]}",
         "g/M has no axis head; it has: pair, layer, place"},
        {"g/M", "{axes: [pair, pair]}", "g/M: axis pair twice"},
        {"g/M", "{mean: [pair], axes: [pair]}", "g/M: axis pair twice"},
        {"g/M", "{select: {layer: 5}}", "g/M: no layer is 5"},
        {"g/M", "{select: {group: three}}", "g/M: no group is three"},
        {"g/M", "{select: {layer: [[4]]}}",
         "select: layer: found a list, expected a text or a number"},
        {"g/M", "{select: {rank: 0}}",
         "g/M has no axis rank; it has: pair, layer, place"},
        {"g/M", "{select: {group: one, pair: 1}, axes: [layer, place]}",
         "g/M: 0 values of axis pair: select one, or name it in axes or mean"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct err err;
        struct picked picked;
        assert_int_equal(pick(&picked, faults[i].array, faults[i].text, &err),
                         STATUS_INPUT);
        assert_string_equal(err.message, faults[i].sentence);
        picked_free(&picked);
    }
}

static void whichever_allocation_fails_nothing_is_lost(void **state)
{
    static const char text[] = "{select: {group: one, place: end}, "
                               "mean: [pair], axes: [layer]}";
    size_t n = 1;
    (void)state;
    for (;; n++) {
        struct err err;
        struct picked picked;
        fail_alloc_start(n);
        enum status status = pick(&picked, "g/M", text, &err);
        picked_free(&picked);
        bool is_reached = fail_alloc_stop();
        assert_int_equal(fail_alloc_live(), 0);
        if (!is_reached) {
            assert_int_equal(status, STATUS_OK);
            break;
        }
        assert_int_not_equal(status, STATUS_OK);
    }
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_is_that_of_the_axes_asked_for),
        cmocka_unit_test(values_are_selected_by_number_text_and_variable),
        cmocka_unit_test(means_are_over_what_is_selected),
        cmocka_unit_test(a_place_is_told_by_its_coordinates),
        cmocka_unit_test(what_does_not_fit_is_named),
        cmocka_unit_test(whichever_allocation_fails_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}

/* A million draws of each of three seeds against NumPy's. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/digest.h"
#include "common/base/randn.h"

enum { DRAWS = 1000000, PARTS = 100, FIRST = 8 };

/* first: the first draws; parts: the sum over a hundredth of the draws, and
 * that of each draw times its place in it. */
static const struct {
    uint32_t seed;
    const char *words;
    double first[FIRST];
    double parts[PARTS][2];
} streams[] = {
#include "tests/base/randn_fixture.inc"
};
enum { STREAMS = sizeof streams / sizeof *streams };

static void the_words_are_those_of_numpy(void **unused)
{
    (void)unused;
    struct err err = {0};
    unsigned char *bytes = malloc((size_t)4 * DRAWS);
    assert_non_null(bytes);
    for (int s = 0; s < STREAMS; s++) {
        struct randn stream = randn_of(streams[s].seed);
        struct digest digest;
        char hex[DIGEST_HEX];
        for (size_t i = 0; i < DRAWS; i++) {
            uint32_t word = randn_word(&stream);
            for (size_t k = 0; k < 4; k++)
                bytes[4 * i + k] = (unsigned char)(word >> (8 * k));
        }
        assert_int_equal(digest_of(&digest, bytes, (size_t)4 * DRAWS, &err), 0);
        digest_hex(hex, &digest);
        assert_string_equal(hex, streams[s].words);
    }
    free(bytes);
}

static void a_million_draws_are_those_of_numpy(void **unused)
{
    (void)unused;
    double worst = 0;
    for (int s = 0; s < STREAMS; s++) {
        struct randn stream = randn_of(streams[s].seed);
        for (int part = 0; part < PARTS; part++) {
            double sum = 0, placed = 0;
            int n = DRAWS / PARTS;
            for (int i = 0; i < n; i++) {
                double draw = randn_next(&stream);
                if (part == 0 && i < FIRST)
                    assert_true(fabs(draw - streams[s].first[i]) <= 1e-15);
                sum += draw;
                placed += draw * i;
            }
            const double *expected = streams[s].parts[part];
            worst = fmax(worst, fabs(sum - expected[0]));
            worst = fmax(worst, fabs(placed - expected[1]) / n);
        }
    }
    printf("largest difference of a sum of 10,000 draws: %.2g\n", worst);
    assert_true(worst < 1e-10); /* measured 1.3e-12: the order of summation */
}

static void the_first_draws_are_the_published_ones(void **unused)
{
    (void)unused;
    static const double published[] = {1.62434536,  -0.61175641, -0.52817175,
                                       -1.07296862, 0.86540763,  -2.30153870,
                                       1.74481176,  -0.76120690};
    struct randn stream = randn_of(1);
    for (size_t i = 0; i < sizeof published / sizeof *published; i++)
        assert_true(fabs(randn_next(&stream) - published[i]) < 6e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_words_are_those_of_numpy),
        cmocka_unit_test(a_million_draws_are_those_of_numpy),
        cmocka_unit_test(the_first_draws_are_the_published_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

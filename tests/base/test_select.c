/* The greatest of many values against sorting them all. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/random.h"
#include "common/base/select.h"

static const float *sorted_values;

static int by_size(const void *a, const void *b)
{
    int i = *(const int *)a, k = *(const int *)b;
    float x = sorted_values[i], y = sorted_values[k];
    if (isnan(x) != isnan(y)) return isnan(x) ? 1 : -1;
    if (x > y || x < y) return x > y ? -1 : 1;
    return i < k ? -1 : 1;
}

static void the_greatest_come_first(void **state)
{
    (void)state;
    enum { MOST = 100 };
    uint64_t seed = 3;
    for (size_t n = 1; n <= MOST; n++) {
        float values[MOST];
        int expected[MOST], found[MOST];
        for (size_t i = 0; i < n; i++) { /* with many that are equal */
            values[i] = (float)(random_next(&seed) % 20) - 10;
            if (random_next(&seed) % 10 == 0) values[i] = NAN;
            expected[i] = (int)i;
        }
        sorted_values = values;
        qsort(expected, n, sizeof *expected, by_size);
        for (size_t n_out = 0; n_out <= n; n_out += 1 + n / 4) {
            select_greatest(found, n_out, values, n);
            for (size_t i = 0; i < n_out; i++)
                assert_int_equal(found[i], expected[i]);
        }
    }
}

static void the_generator_gives_its_published_numbers(void **state)
{
    (void)state;
    uint64_t seed = 0;
    assert_true(random_next(&seed) == 0xe220a8397b1dcdafu);
    assert_true(random_next(&seed) == 0x6e789e6aa1b965f4u);
    assert_true(random_next(&seed) == 0x06c45d188009454fu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_greatest_come_first),
        cmocka_unit_test(the_generator_gives_its_published_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

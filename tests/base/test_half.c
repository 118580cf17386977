/* float16 against its definition: every one of them, and between. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/half.h"

/* The value of a float16 that is not NaN. */
static float value_of(uint16_t half)
{
    int exponent = half >> 10 & 31, fraction = half & 1023;
    float value = exponent ? ldexpf((float)(1024 + fraction), exponent - 25)
                           : ldexpf((float)fraction, -24);
    if (exponent == 31) value = INFINITY;
    return half & 0x8000 ? -value : value;
}

static void every_float16_comes_back(void **state)
{
    (void)state;
    for (uint32_t half = 0; half < 0x10000; half++)
        if ((half & 0x7fff) <= 0x7c00)
            assert_int_equal(half_of(value_of((uint16_t)half)), half);
    assert_true((half_of(NAN) & 0x7fff) > 0x7c00);
}

static void the_nearest_is_taken_and_ties_go_to_even(void **state)
{
    (void)state;
    for (uint16_t half = 0; half < 0x7bff; half++) {
        uint16_t next = (uint16_t)(half + 1);
        float low = value_of(half), high = value_of(next);
        float middle = low + (high - low) / 2;
        assert_int_equal(half_of(middle), half & 1 ? next : half);
        assert_int_equal(half_of(nextafterf(middle, low)), half);
        assert_int_equal(half_of(nextafterf(middle, high)), next);
    }
    assert_int_equal(half_of(65519.0f), 0x7bff);
    assert_int_equal(half_of(65520.0f), 0x7c00);
    assert_int_equal(half_of(FLT_MAX), 0x7c00);
    assert_int_equal(half_of(-1e-20f), 0x8000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_float16_comes_back),
        cmocka_unit_test(the_nearest_is_taken_and_ties_go_to_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "common/base/half.h"

#include <string.h>

/* value / 2^shift, to the nearest, ties to even. */
static uint32_t round_off(uint32_t value, uint32_t shift)
{
    uint32_t half = 1u << (shift - 1), rest = value & ((1u << shift) - 1);
    uint32_t out = value >> shift;
    if (rest > half || (rest == half && (out & 1))) out++;
    return out;
}

uint16_t half_of(float value)
{
    const uint32_t infinity = 0x7c00, quiet = 0x0200;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000;
    uint32_t fraction = bits & 0x7fffff;
    int exponent = (int)(bits >> 23 & 0xff);
    if (exponent == 0xff)
        return (uint16_t)(sign | infinity | (fraction ? quiet : 0));
    /* the exponents' biases: 127 and 15 */
    exponent -= 127 - 15;
    if (exponent >= 31) return (uint16_t)(sign | infinity);
    if (exponent > 0) /* a carry out of the fraction is right as it is */
        return (uint16_t)(sign | (((uint32_t)exponent << 10) +
                                  round_off(fraction, 13)));
    if (exponent < -10) return (uint16_t)sign;
    return (uint16_t)(sign | round_off(fraction | 0x800000,
                                       (uint32_t)(14 - exponent)));
}

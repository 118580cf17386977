#include "common/base/randn.h"

#include <math.h>

enum { WORDS = 624, SHIFT = 397 };

struct randn randn_of(uint32_t seed)
{
    struct randn stream = {.at = WORDS};
    stream.words[0] = seed;
    for (uint32_t i = 1; i < WORDS; i++) {
        uint32_t last = stream.words[i - 1];
        stream.words[i] = 1812433253u * (last ^ last >> 30) + i;
    }
    return stream;
}

static void make_words(struct randn *stream)
{
    uint32_t *w = stream->words;
    for (int i = 0; i < WORDS; i++) {
        uint32_t y = (w[i] & 0x80000000u) | (w[(i + 1) % WORDS] & 0x7fffffffu);
        w[i] = w[(i + SHIFT) % WORDS] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    stream->at = 0;
}

uint32_t randn_word(struct randn *stream)
{
    if (stream->at == WORDS) make_words(stream);
    uint32_t y = stream->words[stream->at++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ y >> 18;
}

/* In [0, 1), 53 bits. */
static double uniform(struct randn *stream)
{
    uint32_t high = randn_word(stream) >> 5, low = randn_word(stream) >> 6;
    return ((double)high * 0x1p26 + (double)low) / 0x1p53;
}

double randn_next(struct randn *stream)
{
    if (stream->is_half) {
        stream->is_half = false;
        return stream->half;
    }
    double x, y, r;
    do {
        x = 2 * uniform(stream) - 1;
        y = 2 * uniform(stream) - 1;
        r = x * x + y * y;
    } while (r >= 1 || r == 0);
    double f = sqrt(-2 * log(r) / r);
    stream->half = f * x;
    stream->is_half = true;
    return f * y;
}

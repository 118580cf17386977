/* randn.h - the normal draws of numpy.random.RandomState(seed).randn, the
 * same stream to the last bit but for the rounding of log and sqrt.
 *
 * Sources: Matsumoto and Nishimura 1998 (MT19937, init_genrand); NumPy's
 * legacy distributions, which it promises never to change: a double is
 * ((a >> 5) 2^26 + (b >> 6)) / 2^53 of two words, a pair of normals comes by
 * Marsaglia's polar method, the second of it first. */
#ifndef PATCHSWEEP_COMMON_BASE_RANDN_H
#define PATCHSWEEP_COMMON_BASE_RANDN_H

#include <stdbool.h>
#include <stdint.h>

struct randn {
    uint32_t words[624];
    int at;       /* next word */
    bool is_half; /* `half` is the next draw */
    double half;
};

/* The stream of RandomState(seed). */
struct randn randn_of(uint32_t seed);

/* The next 32 random bits, as RandomState.bytes gives them. */
uint32_t randn_word(struct randn *stream);

/* The next normal draw. */
double randn_next(struct randn *stream);

#endif

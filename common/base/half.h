/* half.h - float16 (IEEE 754 binary16) for storage. */
#ifndef PATCHSWEEP_COMMON_BASE_HALF_H
#define PATCHSWEEP_COMMON_BASE_HALF_H

#include <stdint.h>

/* The bits of the nearest float16, ties to even: beyond 65,504 infinity, NaN
 * stays NaN. */
uint16_t half_of(float value);

#endif

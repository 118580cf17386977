/* kernels_avx512.c - the row loops for AVX-512F; compiled with -mavx512f,
 * called only where the processor has it. */
#include <immintrin.h>
#include <sleef.h>

#define ROWS_TABLE kernels_rows_avx512
#define ROWS_NAME  "avx512"
#define WIDTH      16
#define VECTOR     __m512
#define SPLAT(x)   _mm512_set1_ps(x)
#define EXP(v)     Sleef_expf16_u10avx512f(v)
#define ERF(v)     Sleef_erff16_u10avx512f(v)
#define MAX(a, b)  _mm512_max_ps(a, b)

#include "common/model/kernels_rows.inc"

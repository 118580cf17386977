/* kernels_avx2.c - the row loops for AVX2 and FMA; compiled with -mavx2 -mfma,
 * called only where the processor has both. */
#include <immintrin.h>
#include <sleef.h>

#define ROWS_TABLE kernels_rows_avx2
#define ROWS_NAME  "avx2"
#define WIDTH      8
#define VECTOR     __m256
#define SPLAT(x)   _mm256_set1_ps(x)
#define EXP(v)     Sleef_expf8_u10avx2(v)
#define ERF(v)     Sleef_erff8_u10avx2(v)
#define MAX(a, b)  _mm256_max_ps(a, b)

#include "common/model/kernels_rows.inc"

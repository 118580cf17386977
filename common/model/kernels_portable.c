/* kernels_portable.c - the row loops for any processor. */
#include <sleef.h>

#define ROWS_TABLE kernels_rows_portable
#define ROWS_NAME  "portable"
#define WIDTH      1
#define VECTOR     float
#define SPLAT(x)   (x)
#define EXP(v)     Sleef_expf_u10(v)
#define ERF(v)     Sleef_erff_u10(v)
#define MAX(a, b)  ((a) > (b) ? (a) : (b))

#include "common/model/kernels_rows.inc"

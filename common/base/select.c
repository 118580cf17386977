#include "common/base/select.h"

#include <math.h>
#include <stdbool.h>

static bool is_greater(float a, float b)
{
    return a > b || (isnan(b) && !isnan(a));
}

void select_greatest(int *out, size_t n_out, const float *values, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; n_out > 0 && i < n; i++) {
        size_t at = kept;
        if (kept < n_out)
            kept++;
        else if (is_greater(values[i], values[out[kept - 1]]))
            at--;
        else
            continue;
        for (; at > 0 && is_greater(values[i], values[out[at - 1]]); at--)
            out[at] = out[at - 1];
        out[at] = (int)i;
    }
}

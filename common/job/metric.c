#include "common/job/metric.h"

#include <string.h>

static const struct {
    const char *name, *units;
    unsigned flags;
    const char *long_name;
} metrics[] = {
#define METRIC_ROW(code, name, units, flags, long_name)                        \
    [code] = {name, units, flags, long_name},
    METRIC_LIST(METRIC_ROW)
#undef METRIC_ROW
};

const char *metric_name(enum metric metric) { return metrics[metric].name; }
const char *metric_units(enum metric metric) { return metrics[metric].units; }
unsigned metric_flags(enum metric metric) { return metrics[metric].flags; }
const char *metric_long_name(enum metric metric)
{
    return metrics[metric].long_name;
}

enum metric metric_find(const char *name)
{
    int metric = 0;
    while (metric < METRIC_COUNT && strcmp(metrics[metric].name, name) != 0)
        metric++;
    return (enum metric)metric;
}

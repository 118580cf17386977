/* room.c - whether the disk has room for the activations that are to come. */
#include <stdio.h>
#include <sys/statvfs.h>

#include "common/plan/keep.h"
#include "coordinator/coordinator_parts.h"

/* Bytes of the units of activations: all of them, and those not done. */
static double sum_bytes(const struct coordinator *c, double *not_done)
{
    const struct plan *plan = c->plan;
    double all = 0;
    *not_done = 0;
    for (int i = 0; i < plan->n_segments; i++) {
        const struct segment *segment = &plan->segments[i];
        bool is_kept =
            segment->kind == UNIT_EXPORT || segment->kind == UNIT_RECORD;
        if (!is_kept || segment->is_dropped) continue;
        for (uint64_t u = 0; u < segment->n_units; u++) {
            struct unit unit;
            uint64_t number = segment->first_unit + u;
            plan_unit(plan, number, &unit);
            double bytes =
                keep_cost_of(plan, segment, unit.first_cell, unit.n_cells)
                    .bytes;
            all += bytes;
            if (!(c->done[number / 8] >> (number % 8) & 1)) *not_done += bytes;
        }
    }
    return all;
}

enum status coordinator_check_room(const struct coordinator *c,
                                   bool is_gathering, struct err *err)
{
    struct statvfs disk;
    double parts, all = sum_bytes(c, &parts), gib = 1 << 30;
    double needed = parts + (is_gathering ? all : 0);
    if (parts == 0 || statvfs(c->options->folder, &disk) != 0) return STATUS_OK;
    double room = (double)disk.f_bavail * (double)disk.f_frsize;
    if (needed <= room) return STATUS_OK;
    return err_set(err, STATUS_INPUT,
                   "the activations that are to be kept need about %.4g GiB "
                   "(%.4g GiB in parts%s), but %s has %.4g GiB free: keep "
                   "fewer hooks, positions or pairs, or float16%s",
                   needed / gib, parts / gib,
                   is_gathering ? ", then activations.h5 beside them" : "",
                   c->options->folder, room / gib,
                   is_gathering ? ", or gather elsewhere (--no-gather)" : "");
}

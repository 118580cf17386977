/* rate.h - what a core can do at best: the yardstick of a run's efficiency. */
#ifndef PATCHSWEEP_WORKER_RATE_H
#define PATCHSWEEP_WORKER_RATE_H

#include "common/base/err.h"

/* FLOPs a second of this core in a plain float32 matrix product, 512 x 768
 * times 768 x 3072 (a multiply-add counts two): the best of three calls, about
 * 0.1 s in all, while the other ranks of the node do the same. */
enum status rate_measure(double *flops_per_s, struct err *err) WARN_UNUSED;

#endif

/* noise.h - the noise of noised runs: ROME's, which is
 * numpy.random.RandomState(seed).randn in double, times a standard
 * deviation. */
#ifndef PATCHSWEEP_WORKER_NOISE_H
#define PATCHSWEEP_WORKER_NOISE_H

#include "common/base/err.h"
#include "common/model/weights.h"
#include "common/plan/plan.h"

/* What is added for one pair. C = d_model. */
struct noise_draws {
    float *values; /* (runs, samples, layers, rows, C); owned */
    size_t n_samples, n_layers, n_rows, width;
};

/* The standard deviation of a noised sweep's noise: as the job says, or in
 * sigmas, which is the sample deviation (over n - 1) of all elements of the
 * embeddings of the subjects of all pairs, each one as often as it is there.
 * Summed in double in the order of the pairs. */
double noise_std(const struct plan *plan, const struct weights *weights,
                 int sweep);

/* The draws of a pair. Release with noise_free. */
enum status noise_draw(struct noise_draws *out, const struct plan *plan,
                       int sweep, int pair, double std,
                       struct err *err) WARN_UNUSED;
void noise_free(struct noise_draws *draws);

/* (layers, rows, C) of one run and sample. */
const float *noise_of(const struct noise_draws *draws, int run, int sample);

#endif

#include "worker/noise.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/randn.h"

/* Sum of (x - mean), or of its square, over the elements of all subjects'
 * embeddings, and in *n how many elements there are. */
static double sum_subjects(const struct plan *plan,
                           const struct weights *weights, double mean,
                           bool is_squared, size_t *n)
{
    size_t C = (size_t)weights->config.d_model;
    double sum = 0;
    *n = 0;
    for (int p = 0; p < plan->pairs->n; p++) {
        const struct pair *pair = &plan->pairs->items[p];
        for (int i = 0; !pair->is_swapped && i < pair->n_subject; i++) {
            const float *row = weights->wte + (size_t)pair->subject[i] * C;
            for (size_t c = 0; c < C; c++) {
                double x = (double)row[c] - mean;
                sum += is_squared ? x * x : x;
            }
            *n += C;
        }
    }
    return sum;
}

double noise_std(const struct plan *plan, const struct weights *weights,
                 int sweep)
{
    const struct noise *noise = &plan->job->sweeps[sweep].noise;
    if (!noise->is_sigma) return noise->std;
    size_t n;
    double sum = sum_subjects(plan, weights, 0, false, &n);
    double squares = sum_subjects(plan, weights, sum / (double)n, true, &n);
    return noise->std * sqrt(squares / (double)(n - 1));
}

enum status noise_draw(struct noise_draws *out, const struct plan *plan,
                       int sweep, int pair, double std, struct err *err)
{
    int at[PLAN_MAX_TOKENS];
    size_t runs = (size_t)plan_noise_runs(plan, sweep);
    *out = (struct noise_draws){
        .n_samples = (size_t)plan->grids[sweep].n_samples,
        .n_layers = (size_t)plan_noise_layers(plan, sweep),
        .n_rows = (size_t)plan_noise_rows(plan, sweep, pair, at),
        .width = (size_t)plan->config->d_model};
    size_t row = out->n_rows * out->width, samples = out->n_samples;
    size_t n = runs * samples * out->n_layers * row;
    out->values = mem_calloc(n ? n : 1, sizeof *out->values, "noise", err);
    if (!out->values) return err->status;
    struct randn stream = randn_of(plan_noise_seed(plan, sweep, pair));
    for (size_t run = 0; run < runs; run++)
        for (size_t layer = 0; layer < out->n_layers; layer++)
            for (size_t s = 0; s < samples; s++) {
                size_t place = (run * samples + s) * out->n_layers + layer;
                float *to = out->values + place * row;
                for (size_t i = 0; i < row; i++)
                    to[i] = (float)(std * randn_next(&stream));
            }
    return STATUS_OK;
}

void noise_free(struct noise_draws *draws)
{
    free(draws->values);
    *draws = (struct noise_draws){0};
}

const float *noise_of(const struct noise_draws *draws, int run, int sample)
{
    size_t place = (size_t)run * draws->n_samples + (size_t)sample;
    return draws->values +
           place * draws->n_layers * draws->n_rows * draws->width;
}

/* base_run.h - what is kept of an unedited run, for cells to start from and to
 * take values from.
 *
 * Letters: config.h; S = tokens of the run. */
#ifndef PATCHSWEEP_WORKER_BASE_RUN_H
#define PATCHSWEEP_WORKER_BASE_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/job/pairs.h"
#include "common/job/site.h"
#include "common/model/weights.h"
#include "common/plan/plan.h"

/* A set of sites, one bit each. */
typedef unsigned site_set;
static inline site_set site_bit(enum site site) { return 1u << site; }

struct base_run {
    const struct prompt *prompt;   /* kept */
    const struct weights *weights; /* kept */
    site_set sites;                /* what is kept; resid_pre, q, k, v always */
    float *values;                 /* one allocation; owned */
    size_t n_values;
    size_t offset[SITE_COUNT]; /* of layer 0, in values; see base_run_row */
    /* Measured at every position that is read (else NaN): one row of
     * METRIC_COUNT for each position. Owned. */
    double *measured;            /* (S, METRIC_COUNT) */
    int top;                     /* arg max of the logits at the prompt's end;
                                  * -1 before it is measured */
    float *probabilities;        /* (read positions, V), where a KL is asked
                                  * for; owned */
    double *sum_p, *sum_p_logit; /* per read position: sum of p, and of p
                                  * times (logit - logsumexp); owned */
};

/* The sites to keep so that the sweeps of a job can start and read. */
site_set base_run_sites_needed(const struct job *job);

/* Bytes of a run of n_tokens. */
size_t base_run_bytes(const struct model_config *config, site_set sites,
                      int n_tokens, int n_read, bool has_kl);

/* Allocate; n_read > 0 with has_kl makes room for probabilities. */
enum status base_run_open(struct base_run *out, const struct prompt *prompt,
                          const struct weights *weights, site_set sites,
                          int n_read, bool has_kl, struct err *err) WARN_UNUSED;
void base_run_free(struct base_run *run);

/* The row of position at: (C), (C) as H x K, (F), or for attn_scores and
 * pattern of one head (S). resid_post of layer l is resid_pre of l + 1, and
 * embed is the model's own table unless it is kept (of noised runs): neither is
 * there twice. */
const float *base_run_row(const struct base_run *run, enum site site, int layer,
                          int at);
const float *base_run_score_row(const struct base_run *run, enum site site,
                                int layer, int head, int at);

/* The same, to be filled. NULL where the site is not kept. */
float *base_run_fill_row(struct base_run *run, enum site site, int layer,
                         int at);
float *base_run_fill_score_row(struct base_run *run, enum site site, int layer,
                               int head, int at);

#endif

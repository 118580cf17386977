#include "worker/base_run.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "common/base/mem.h"

/* What a cell that enters at a site takes from the base, besides resid_pre,
 * q, k and v. */
static site_set entry_sites(enum site site)
{
    switch (site) {
    case SITE_Z:
        return site_bit(SITE_Z);
    case SITE_ATTN_OUT:
        return site_bit(SITE_ATTN_OUT);
    case SITE_RESID_MID:
        return site_bit(SITE_RESID_MID);
    case SITE_MLP_PRE:
    case SITE_MLP_POST:
    case SITE_MLP_OUT:
        return site_bit(SITE_RESID_MID) | site_bit(site);
    default:
        return 0;
    }
}

/* What the cells of a sweep enter with, and copy. */
static site_set edited_sites(const struct sweep *sweep)
{
    site_set sites = entry_sites(sweep->site) | site_bit(sweep->site);
    for (int site = 0; site < SITE_COUNT; site++)
        if (sweep->hold & 1u << site)
            sites |= entry_sites((enum site)site) | site_bit((enum site)site);
    return sites;
}

site_set base_run_sites_needed(const struct job *job)
{
    site_set sites = site_bit(SITE_RESID_PRE) | site_bit(SITE_Q) |
                     site_bit(SITE_K) | site_bit(SITE_V);
    for (int s = 0; s < job->n_sweeps; s++) {
        const struct sweep *sweep = &job->sweeps[s];
        sites |= edited_sites(sweep);
        for (int k = 0; k < sweep->n_edits; k++)
            sites |= edited_sites(&sweep->edits[k]);
        const struct path *path = sweep->path;
        if (path) sites |= site_bit(SITE_Z); /* what is frozen */
        if (path && path->kind != PATH_IOI) sites |= site_bit(SITE_MLP_POST);
    }
    return sites & ~(site_bit(SITE_EMBED) | site_bit(SITE_RESID_POST));
}

static size_t site_values(const struct model_config *config, enum site site,
                          size_t S)
{
    switch (site_kind(site)) {
    case SITE_RESID:
    case SITE_HEADS:
        return S * (size_t)config->d_model;
    case SITE_MLP:
        return S * (size_t)config->d_mlp;
    case SITE_SCORES:
        return S * S * (size_t)config->n_head;
    }
    return 0;
}

/* Layers of a site that are kept: resid_pre has one more, the last output. */
static size_t site_layers(const struct model_config *config, enum site site)
{
    if (site == SITE_EMBED) return 1;
    return (size_t)config->n_layer + (site == SITE_RESID_PRE);
}

static size_t count_values(const struct model_config *config, site_set sites,
                           size_t S, size_t *offset)
{
    size_t n = 0;
    for (int site = 0; site < SITE_COUNT; site++) {
        if (!(sites & site_bit((enum site)site))) continue;
        if (offset) offset[site] = n;
        n += site_layers(config, (enum site)site) *
             site_values(config, (enum site)site, S);
    }
    return n;
}

size_t base_run_bytes(const struct model_config *config, site_set sites,
                      int n_tokens, int n_read, bool has_kl)
{
    size_t S = (size_t)n_tokens;
    size_t bytes = count_values(config, sites, S, NULL) * sizeof(float) +
                   S * METRIC_COUNT * sizeof(double);
    if (has_kl)
        bytes += (size_t)n_read *
                 ((size_t)config->n_vocab * sizeof(float) + 2 * sizeof(double));
    return bytes;
}

enum status base_run_open(struct base_run *out, const struct prompt *prompt,
                          const struct weights *weights, site_set sites,
                          int n_read, bool has_kl, struct err *err)
{
    *out = (struct base_run){
        .prompt = prompt, .weights = weights, .sites = sites, .top = -1};
    size_t S = (size_t)prompt->n_tokens;
    out->n_values = count_values(&weights->config, sites, S, out->offset);
    out->values = mem_calloc_aligned(out->n_values, sizeof *out->values,
                                     "a base run", err);
    out->measured =
        mem_calloc(S * METRIC_COUNT, sizeof *out->measured, "a base run", err);
    if (!out->values || !out->measured) goto failed;
    for (size_t i = 0; i < S * METRIC_COUNT; i++)
        out->measured[i] = (double)NAN;
    if (has_kl && n_read > 0) {
        size_t n = (size_t)n_read;
        out->probabilities =
            mem_calloc_aligned(n * (size_t)weights->config.n_vocab,
                               sizeof *out->probabilities, "a base run", err);
        out->sum_p = mem_calloc(n, sizeof *out->sum_p, "a base run", err);
        out->sum_p_logit =
            mem_calloc(n, sizeof *out->sum_p_logit, "a base run", err);
        if (!out->probabilities || !out->sum_p || !out->sum_p_logit)
            goto failed;
    }
    return STATUS_OK;
failed:
    base_run_free(out);
    return err->status;
}

void base_run_free(struct base_run *run)
{
    free(run->values);
    free(run->measured);
    free(run->probabilities);
    free(run->sum_p);
    free(run->sum_p_logit);
    *run = (struct base_run){0};
}

/* Where the row of a position begins; false where the site is not kept. */
static bool find_row(size_t *offset, const struct base_run *run, enum site site,
                     int layer, int at)
{
    if (site == SITE_RESID_POST) {
        site = SITE_RESID_PRE;
        layer++;
    }
    if (!(run->sites & site_bit(site))) return false;
    assert(at >= 0 && at < run->prompt->n_tokens);
    size_t S = (size_t)run->prompt->n_tokens;
    size_t values = site_values(&run->weights->config, site, S);
    *offset =
        run->offset[site] + (size_t)layer * values + (size_t)at * (values / S);
    return true;
}

static bool find_score_row(size_t *offset, const struct base_run *run,
                           enum site site, int layer, int head, int at)
{
    if (!(run->sites & site_bit(site))) return false;
    size_t S = (size_t)run->prompt->n_tokens;
    size_t H = (size_t)run->weights->config.n_head;
    *offset = run->offset[site] +
              (((size_t)layer * H + (size_t)head) * S + (size_t)at) * S;
    return true;
}

const float *base_run_row(const struct base_run *run, enum site site, int layer,
                          int at)
{
    const struct weights *w = run->weights;
    if (site == SITE_EMBED && !(run->sites & site_bit(site)))
        return w->wte +
               (size_t)run->prompt->tokens[at] * (size_t)w->config.d_model;
    size_t offset = 0;
    bool is_kept = find_row(&offset, run, site, layer, at);
    assert(is_kept);
    (void)is_kept;
    return run->values + offset;
}

const float *base_run_score_row(const struct base_run *run, enum site site,
                                int layer, int head, int at)
{
    size_t offset = 0;
    bool is_kept = find_score_row(&offset, run, site, layer, head, at);
    assert(is_kept);
    (void)is_kept;
    return run->values + offset;
}

float *base_run_fill_row(struct base_run *run, enum site site, int layer,
                         int at)
{
    size_t offset;
    return find_row(&offset, run, site, layer, at) ? run->values + offset
                                                   : NULL;
}

float *base_run_fill_score_row(struct base_run *run, enum site site, int layer,
                               int head, int at)
{
    size_t offset;
    return find_score_row(&offset, run, site, layer, head, at)
               ? run->values + offset
               : NULL;
}

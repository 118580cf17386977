/* study.h - everything small that a run is made of: the job, the model's
 * configuration, the tokenizer, the pairs and the plan.
 *
 * Made from inputs alone, so that every rank, `plan`, and `gather` on nothing
 * but the output folder all make the same. The weights are not in here. */
#ifndef PATCHSWEEP_COMMON_PLAN_STUDY_H
#define PATCHSWEEP_COMMON_PLAN_STUDY_H

#include "common/base/buf.h"
#include "common/job/inputs.h"
#include "common/job/job.h"
#include "common/job/pairs.h"
#include "common/model/config.h"
#include "common/model/tokenizer.h"
#include "common/plan/plan.h"

struct study {
    struct inputs inputs;
    char **overrides; /* "KEY=VALUE"; owned */
    int n_overrides;
    struct job job;
    struct model_config config;
    struct tokenizer *tokenizer; /* NULL: the model folder has none */
    struct pairs pairs;
    struct pairs *references; /* per sweep, until study_plan takes them */
    struct plan plan;         /* after study_plan */
};

/* Parse the job at path and read every file that it names. overrides are
 * job_parse's. A pointer to a study must not move while it is open. Release
 * with study_close, also after a failure. */
enum status study_open(struct study *out, const char *path,
                       const char *const *overrides, int n_overrides,
                       struct err *err) WARN_UNUSED;

/* The same from the bytes of study_encode: no file is read. */
enum status study_decode(struct study *out, const void *data, size_t n,
                         struct err *err) WARN_UNUSED;
void study_encode(struct buf *out, const struct study *study);

/* plan_open over the study, for the weights with this digest; no extension
 * yet. */
enum status study_plan(struct study *study, const struct digest *model,
                       struct err *err) WARN_UNUSED;
void study_close(struct study *study);

/* The model folder as a path from here: that of the job file and the job's
 * own `model`. Owned by the caller. */
char *study_model_folder(const struct study *study,
                         struct err *err) WARN_UNUSED;

#endif

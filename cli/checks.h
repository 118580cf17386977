/* checks.h - numbers that a model must give: the file checks.yaml of a folder,
 * and the comparison of one check with results. docs/verify.md describes the
 * file. */
#ifndef PATCHSWEEP_CLI_CHECKS_H
#define PATCHSWEEP_CLI_CHECKS_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/options.h"
#include "common/base/buf.h"
#include "common/base/doc.h"
#include "common/base/err.h"
#include "common/model/config.h"
#include "common/store/pick.h"

enum check_order { CHECK_ALL, CHECK_LARGEST, CHECK_SMALLEST };

struct check {
    const char *name, *source; /* borrowed from the document, and so below */
    int job;                   /* into checks.jobs */
    const char *file;          /* of the run's folder */
    struct pick pick;
    enum check_order order;
    size_t n_first;   /* with an order: so many, the outermost first */
    bool is_places;   /* their coordinates instead of their values */
    bool is_deciding; /* false: told, but never a failure */
    double tolerance; /* absolute */
    double *expected; /* [n]; owned */
    size_t n;
};

struct check_job {
    const char *name; /* its output folder too */
    char *path;       /* of the job file; owned */
    struct option_list overrides;
};

struct checks {
    struct doc doc;
    const char *title, *model, *sha256; /* sha256 may be NULL */
    const struct doc *config;           /* sizes that the model must have */
    struct check_job *jobs;             /* owned */
    size_t n_jobs;
    struct check *items; /* owned; in the order of the file */
    size_t n;
};

/* Read FOLDER/checks.yaml and the files that it names, all but the jobs.
 * STATUS_INPUT names what is wrong. Release with checks_close, also after a
 * failure. */
enum status checks_open(struct checks *out, const char *folder,
                        struct err *err) WARN_UNUSED;
void checks_close(struct checks *checks);

/* STATUS_INPUT, with both values, where a model is not the one that these
 * checks are about. */
enum status checks_fit(const struct checks *checks,
                       const struct model_config *config,
                       struct err *err) WARN_UNUSED;

struct check_outcome {
    bool is_passed;
    size_t n;               /* numbers compared */
    double expected, found; /* where they differ most */
    double difference;
    struct buf place; /* of that number, a text; owned */
};

/* Compare with its file, of a run of its job. Release with check_outcome_free,
 * also after a failure (STATUS_INPUT: the check does not fit the file). */
enum status check_compare(struct check_outcome *out, const struct check *check,
                          struct h5 *h5, struct err *err) WARN_UNUSED;
void check_outcome_free(struct check_outcome *outcome);

#endif

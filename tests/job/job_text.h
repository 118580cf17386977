/* job_text.h - jobs and pairs for tests, from texts instead of files.
 *
 * A folder of its own under the build tree holds what a test writes. */
#ifndef PATCHSWEEP_TESTS_JOB_JOB_TEXT_H
#define PATCHSWEEP_TESTS_JOB_JOB_TEXT_H

#include "common/job/job.h"
#include "common/job/pairs.h"

/* A small model: 2 layers, 3 heads, d_model 12, d_mlp 20, 16 positions, 100
 * tokens, no BOS. */
extern const struct model_config small_config;

/* Make inputs that hold a job file "job.yaml" with this text and no other
 * file; they do not collect, so that nothing is read from the disk. */
void job_text_open(struct inputs *out, const char *text);

/* Add a file of n bytes to them. */
void job_text_add(struct inputs *inputs, const char *path, const void *data,
                  size_t n);

/* job_parse of such a text; err is cleared first. */
enum status job_text_parse(struct job *out, struct inputs *inputs,
                           const char *text, struct err *err);

/* model, pairs with ids and metrics, then `more` (lines of the top level). */
enum status job_text_parse_with(struct job *out, struct inputs *inputs,
                                const char *more, struct err *err);

#endif

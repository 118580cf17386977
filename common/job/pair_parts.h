/* pair_parts.h - the pieces of the reader of pairs, for pair*.c. */
#ifndef PATCHSWEEP_COMMON_JOB_PAIR_PARTS_H
#define PATCHSWEEP_COMMON_JOB_PAIR_PARTS_H

#include "common/job/pairs.h"
#include "common/job/reading.h"

/* What a pair is read with. */
struct pair_reading {
    struct reading r;
    const struct job *job;
    const struct model_config *config;
    const struct tokenizer *tokenizer; /* NULL: the model folder has none */
    bool is_reference;                 /* of a mean or resample value */
};

/* The pair written as doc, number i of its list; out is zero. Answers, read
 * positions and labels are resolved; key and the indices are not set. */
enum status pair_read(const struct pair_reading *p, const struct doc *doc,
                      int i, struct pair *out);
void pair_free(struct pair *pair);

/* Token ids of a text as it stands, without BOS, appended to *ids. */
enum status pair_encode(const struct pair_reading *p, const struct doc *doc,
                        const char *key, int **ids, int *n_ids);

/* `positions`, `subject` and the label end; both runs are tokenized. */
enum status pair_read_labels(const struct pair_reading *p,
                             const struct doc *positions,
                             const struct doc *subject, struct pair *out);

/* `subject`. */
enum status pair_read_subject(const struct pair_reading *p,
                              const struct doc *doc, struct pair *out);

/* `read`. */
enum status pair_read_read(const struct pair_reading *p, const struct doc *doc,
                           struct pair *out);

/* Add position at (>= 0) to a set that stays ascending and distinct. */
enum status positions_add(struct positions *positions, int at, struct err *err);

/* A new label without positions; an error where the pair has that name. */
struct label *pair_add_label(const struct pair_reading *p,
                             const struct doc *doc, struct pair *pair,
                             const char *name);

/* Index (negative: from the end of the prompt) as a position of a run. */
enum status pair_resolve(const struct pair_reading *p, const struct doc *doc,
                         const char *key, const struct pair *pair, enum run run,
                         int index, int *at);

/* One position or a list of them, of one run (run < RUN_COUNT) or of both. */
enum status pair_read_positions(const struct pair_reading *p,
                                const struct doc *doc, const char *key,
                                const struct pair *pair, int run,
                                struct positions out[RUN_COUNT]);

/* What the job's sweeps and metrics need against what the pairs have. file:
 * where the pairs stand. */
enum status pairs_check(const struct pairs *pairs, const struct job *job,
                        const char *file, struct err *err);
enum status pairs_check_analyses(const struct pairs *pairs,
                                 const struct job *job, const char *file,
                                 struct err *err);

/* Whether the positions of `activations` and `record` are there. */
enum status activations_check_pairs(const struct pairs *pairs,
                                    const struct job *job, struct err *err);

#endif

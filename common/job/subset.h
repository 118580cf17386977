/* subset.h - the lists that choose values of an axis, and lists of cells.
 * For the parser of a sweep. */
#ifndef PATCHSWEEP_COMMON_JOB_SUBSET_H
#define PATCHSWEEP_COMMON_JOB_SUBSET_H

#include "common/job/inputs.h"
#include "common/job/job.h"
#include "common/job/reading.h"

/* Whole numbers and ranges "0-3": `layers`, `heads`, `neurons`, `dims`. */
enum status subset_read(const struct reading *r, const struct doc *doc,
                        const char *key, struct subset *out);
void subset_free(struct subset *subset);

/* Positions, ranges and labels (labels_only: labels alone) appended to out:
 * `positions`, `labels`, `dest`, `src`. */
enum status places_read(const struct reading *r, const struct doc *doc,
                        const char *key, bool labels_only, struct places *out);
void places_free(struct places *places);

/* Whether text may name a label: not a number, not a range, not empty. */
bool place_is_label(const char *text);

/* Whether the list holds a tuple such as L9H9 (letter 'H') or L8N2744 ('N'). */
bool tuples_are_given(const struct doc *doc, char letter);

/* The list of tuples; sweep->tuples, n_tuples and tuple_columns are set. */
enum status tuples_read(const struct reading *r, const struct doc *doc,
                        const char *key, char letter, struct sweep *sweep);

/* The cells of an index file: a line of column names, then a cell a line. */
enum status tuples_read_csv(const struct reading *r, const struct doc *doc,
                            const struct input *file, struct sweep *sweep);
void tuples_free(struct sweep *sweep);

#endif

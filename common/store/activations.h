/* activations.h - derive activations.h5 from the journal and the parts. The
 * file's layout: docs/files.md. */
#ifndef PATCHSWEEP_COMMON_STORE_ACTIVATIONS_H
#define PATCHSWEEP_COMMON_STORE_ACTIVATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/model/tokenizer.h"
#include "common/plan/plan.h"
#include "common/store/journal.h"

struct activations_summary {
    uint64_t units, units_done; /* of activations; no units: no file */
    uint64_t units_lost;        /* done, but neither part nor file holds them */
    bool is_complete;
};

/* Write OUT/activations.h5 anew from what the journal knows; as results_write.
 * Memory: one hook of one pair at a time. A complete file of this job that
 * holds every unit is left as it is.
 *
 * is_settling, of a run that holds the lock: where the file is complete, record
 * that it holds every unit, and delete the parts. */
enum status activations_write(const struct plan *plan,
                              const struct tokenizer *tokenizer,
                              struct journal *journal, const char *out,
                              bool is_settling,
                              struct activations_summary *summary,
                              struct err *err) WARN_UNUSED;

/* Units that are done by the journal, but whose part is gone, or that
 * activations.h5 held, which is gone: their bits in done (a bit a unit) are
 * cleared, so that they are computed anew. */
struct activations_lost {
    uint64_t in_parts, in_file;
};
enum status activations_find_lost(const struct plan *plan,
                                  struct journal *journal, const char *out,
                                  unsigned char *done,
                                  struct activations_lost *lost,
                                  struct err *err) WARN_UNUSED;

#endif

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
 * Memory: one hook of one pair at a time. */
enum status activations_write(const struct plan *plan,
                              const struct tokenizer *tokenizer,
                              struct journal *journal, const char *out,
                              struct activations_summary *summary,
                              struct err *err) WARN_UNUSED;

#endif

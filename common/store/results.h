/* results.h - derive results.h5 from the journal. The file's layout and every
 * definition in it: docs/files.md. */
#ifndef PATCHSWEEP_COMMON_STORE_RESULTS_H
#define PATCHSWEEP_COMMON_STORE_RESULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/model/tokenizer.h"
#include "common/plan/plan.h"
#include "common/store/journal.h"

enum { RESULTS_SCHEMA_VERSION = 1 };

struct results_options {
    uint64_t store_limit;  /* bytes that one derived array may take (M_effect,
                            * M_recovered ..); beyond it the reader computes
                            * it. RESULTS_STORE_LIMIT unless the user says */
    uint64_t window_bytes; /* memory for the arrays being made; 0: 64 MiB */
};

static const uint64_t RESULTS_STORE_LIMIT = (uint64_t)256 << 20;

struct results_summary {
    bool is_complete; /* no cell is missing or failed, no baseline, no
                       * analysis */
    uint64_t
        cells[CELL_STATUS_COUNT]; /* lanes by enum cell_status, all sweeps */
    uint64_t units_done, units_failed;
    uint64_t analyses_missing; /* runs of pairs without values; failed too */
};

/* Write path anew from the records of the journal (any kind of opening) that
 * the plan knows; units it does not know yet are left for the next time. The
 * plan must have replayed the journal's extensions. tokenizer may be NULL:
 * then token strings are ids in brackets. Equal results give equal bytes but
 * for /run, whatever the order in which they arrived.
 *
 * The file is written under a temporary name beside path, synced and renamed:
 * on a failure, a full disk too, the old one stays. */
enum status results_write(const struct plan *plan,
                          const struct tokenizer *tokenizer,
                          struct journal *journal, const char *path,
                          const struct results_options *options,
                          struct results_summary *summary,
                          struct err *err) WARN_UNUSED;

#endif

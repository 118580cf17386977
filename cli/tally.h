/* tally.h - how far a run is, by its journal alone. */
#ifndef PATCHSWEEP_CLI_TALLY_H
#define PATCHSWEEP_CLI_TALLY_H

#include <stdint.h>

#include "common/plan/plan.h"
#include "common/store/journal.h"

struct tally {
    uint64_t units, done, failed; /* of the job; failed ones are not done */
    double flops, done_flops;
    double compute_s; /* of all results */
    int n_starts;
    char *start, *end; /* texts of the last start (runinfo.h); end NULL where
                        * it has none yet; owned */
};

/* plan: with every extension of the journal replayed. Release with
 * tally_free. */
enum status tally_count(struct tally *out, const struct plan *plan,
                        struct journal *journal, struct err *err) WARN_UNUSED;
void tally_free(struct tally *tally);

/* Units of segments that the job has. */
uint64_t tally_live_units(const struct plan *plan);

#endif

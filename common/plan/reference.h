/* reference.h - for the planner's own files: see struct reference. */
#ifndef PATCHSWEEP_COMMON_PLAN_REFERENCE_H
#define PATCHSWEEP_COMMON_PLAN_REFERENCE_H

#include "common/plan/plan.h"

/* Resolve plan->references[sweep] once its `own` prompts are in place. */
enum status reference_open(struct plan *plan, int sweep,
                           struct err *err) WARN_UNUSED;
void reference_free(struct reference *reference);

/* One step of SplitMix64: every seeded choice of the planner uses it. */
uint64_t reference_mix(uint64_t state);

#endif

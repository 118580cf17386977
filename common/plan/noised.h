/* noised.h - for the planner's own files: what noise and severed paths add to
 * a cell's edits. The base of a noised cell has its noise already; where a
 * layer is computed anew, its noise is added again, and what is held is set to
 * the base's values again: both are standing edits (edit.h). */
#ifndef PATCHSWEEP_COMMON_PLAN_NOISED_H
#define PATCHSWEEP_COMMON_PLAN_NOISED_H

#include "common/plan/cell.h"

/* Whether the sweep holds what is edited at this site: then nothing is. */
bool noised_holds(const struct sweep *sweep, enum site site);

/* Whether noise or a held value comes after the cell's edit of a layer. */
bool noised_follows(const struct cell *cell, enum site site, int layer);

/* Whether what the cell holds alone can change what is read. */
bool noised_changes(const struct cell *cell, const struct reading *reading);

/* Put the cell's standing noise and held values between its edits. */
enum status noised_join(struct edit_list *edits, const struct cell *cell,
                        const struct reading *reading, struct arena *arena,
                        struct err *err) WARN_UNUSED;

/* Sort by layer and site, keeping the order of what is at one place. */
void noised_sort(struct edit_list *edits);

#endif

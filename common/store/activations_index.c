/* activations_index.c - one walk over the journal: where the values of each
 * unit of activations are. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/plan/result.h"
#include "common/store/activations_private.h"

bool activations_is_kept(enum unit_kind kind)
{
    return kind == UNIT_EXPORT || kind == UNIT_RECORD;
}

struct walking {
    struct activations_index *index;
    const struct plan *plan;
};

static enum status note(void *user, enum journal_record kind, uint64_t at,
                        const void *payload, size_t n, struct err *err)
{
    struct walking *w = user;
    struct cursor cursor = cursor_of(payload, n);
    struct unit unit;
    struct result result;
    if (kind != JOURNAL_RESULT) return STATUS_OK;
    uint64_t number = cursor_u64(&cursor);
    if (cursor.is_bad || number >= w->plan->n_units) return STATUS_OK;
    plan_unit(w->plan, number, &unit);
    if (!activations_is_kept(unit.kind) ||
        w->plan->segments[unit.segment].is_dropped)
        return STATUS_OK;
    if (result_decode(&result, w->plan, payload, n, err))
        return err_context(err, "journal: offset %llu", (unsigned long long)at);
    w->index->units[number] =
        (struct kept_unit){KEPT_IN_PART, result.part_bytes};
    result_free(&result);
    return STATUS_OK;
}

enum status activations_index_build(struct activations_index *index,
                                    const struct plan *plan,
                                    struct journal *journal, struct err *err)
{
    struct walking walking = {index, plan};
    *index = (struct activations_index){0};
    index->units = mem_calloc((size_t)plan->n_units, sizeof *index->units,
                              "the units of activations", err);
    if (!index->units) return err->status;
    return journal_walk(journal, note, &walking, err);
}

void activations_index_free(struct activations_index *index)
{
    free(index->units);
    *index = (struct activations_index){0};
}

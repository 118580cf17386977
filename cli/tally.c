#include "cli/tally.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

struct counting {
    struct tally *tally;
    const struct plan *plan;
    unsigned char *done, *failed; /* bit a unit */
};

uint64_t tally_live_units(const struct plan *plan)
{
    uint64_t n = 0;
    for (int i = 0; i < plan->n_segments; i++)
        if (!plan->segments[i].is_dropped) n += plan->segments[i].n_units;
    return n;
}

/* Keep a text of the journal in *slot. */
static enum status keep(char **slot, const void *data, size_t n,
                        struct err *err)
{
    free(*slot);
    *slot = mem_calloc(n + 1, 1, "a record", err);
    if (*slot && n) memcpy(*slot, data, n);
    return err->status;
}

static bool is_set(const unsigned char *bits, uint64_t unit)
{
    return bits[unit / 8] >> (unit % 8) & 1;
}

static void set(unsigned char *bits, uint64_t unit)
{
    bits[unit / 8] |= (unsigned char)(1u << (unit % 8));
}

static void count_unit(struct counting *c, enum journal_record kind,
                       struct cursor *cursor)
{
    uint64_t number = cursor_u64(cursor);
    if (cursor->is_bad || number >= c->plan->n_units) return;
    struct unit unit;
    plan_unit(c->plan, number, &unit);
    if (c->plan->segments[unit.segment].is_dropped) return;
    struct tally *tally = c->tally;
    if (kind == JOURNAL_FAILURE) {
        if (!is_set(c->failed, number) && !is_set(c->done, number))
            tally->failed++;
        set(c->failed, number);
        return;
    }
    if (is_set(c->done, number)) return;
    set(c->done, number);
    if (is_set(c->failed, number)) tally->failed--;
    tally->done++;
    tally->done_flops += unit.flops;
    (void)cursor_u32(cursor);
    (void)cursor_f64(cursor);
    tally->compute_s += cursor_f64(cursor);
}

static enum status count_record(void *user, enum journal_record kind,
                                uint64_t at, const void *payload, size_t n,
                                struct err *err)
{
    (void)at;
    struct counting *c = user;
    struct cursor cursor = cursor_of(payload, n);
    switch (kind) {
    case JOURNAL_START:
        c->tally->n_starts++;
        free(c->tally->end);
        c->tally->end = NULL;
        return keep(&c->tally->start, payload, n, err);
    case JOURNAL_END:
        return keep(&c->tally->end, payload, n, err);
    case JOURNAL_RESULT:
    case JOURNAL_FAILURE:
        count_unit(c, kind, &cursor);
        return STATUS_OK;
    case JOURNAL_EXTENSION:
    case JOURNAL_MARK:
    case JOURNAL_INPUTS:
    case JOURNAL_HELD:
        break;
    }
    return STATUS_OK;
}

enum status tally_count(struct tally *out, const struct plan *plan,
                        struct journal *journal, struct err *err)
{
    *out = (struct tally){.units = tally_live_units(plan)};
    struct counting c = {.tally = out, .plan = plan};
    size_t n_bytes = (size_t)(plan->n_units / 8 + 1);
    for (int i = 0; i < plan->n_segments; i++)
        if (!plan->segments[i].is_dropped)
            out->flops += plan->segments[i].flops;
    c.done = mem_calloc(n_bytes, 1, "the units", err);
    c.failed = mem_calloc(n_bytes, 1, "the units", err);
    if (!err->status && journal_walk(journal, count_record, &c, err))
        tally_free(out);
    free(c.done);
    free(c.failed);
    return err->status;
}

void tally_free(struct tally *tally)
{
    free(tally->start);
    free(tally->end);
    *tally = (struct tally){0};
}

/* recall.c - what the journal knows from earlier starts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/plan/result.h"
#include "common/store/activations.h"
#include "coordinator/coordinator_parts.h"

/* First walk: the extensions and the last inputs. */
struct recollection {
    struct plan *plan;
    struct buf *records;
    struct buf report;
    struct buf inputs; /* the last recorded payload */
    bool has_inputs;
};

static enum status recall_record(void *user, enum journal_record kind,
                                 uint64_t at, const void *payload, size_t n,
                                 struct err *err)
{
    struct recollection *r = user;
    if (kind == JOURNAL_EXTENSION) {
        buf_u64(r->records, n);
        buf_bytes(r->records, payload, n);
        if (plan_replay(r->plan, payload, n, &r->report, err))
            return err_context(err, "journal: offset %llu",
                               (unsigned long long)at);
    } else if (kind == JOURNAL_INPUTS) {
        buf_clear(&r->inputs);
        buf_bytes(&r->inputs, payload, n);
        r->has_inputs = true;
        return buf_check(&r->inputs, "the recorded job", err);
    }
    return STATUS_OK;
}

/* Second walk: which units are done. */
static enum status recall_result(void *user, enum journal_record kind,
                                 uint64_t at, const void *payload, size_t n,
                                 struct err *err)
{
    struct coordinator *c = user;
    if (kind != JOURNAL_RESULT) return STATUS_OK;
    struct cursor cursor = cursor_of(payload, n);
    uint64_t number = cursor_u64(&cursor);
    if (cursor.is_bad || number >= c->plan->n_units)
        return err_set(err, STATUS_DAMAGED,
                       "journal: offset %llu: a result of unit %llu, of %llu "
                       "units",
                       (unsigned long long)at, (unsigned long long)number,
                       (unsigned long long)c->plan->n_units);
    struct unit unit;
    plan_unit(c->plan, number, &unit);
    if (c->plan->segments[unit.segment].is_dropped) return STATUS_OK;
    struct result result;
    if (result_decode(&result, c->plan, payload, n, err))
        return err_context(err, "journal: offset %llu", (unsigned long long)at);
    result_free(&result);
    unsigned char bit = (unsigned char)(1u << (number % 8));
    /* activations are computed anew where what held them is gone */
    bool may_be_second = unit.kind == UNIT_EXPORT || unit.kind == UNIT_RECORD;
    if (c->done[number / 8] & bit && may_be_second) return STATUS_OK;
    if (c->done[number / 8] & bit)
        return err_set(err, STATUS_DAMAGED,
                       "journal: offset %llu: a second result of unit %llu",
                       (unsigned long long)at, (unsigned long long)number);
    c->done[number / 8] |= bit;
    c->n_done++;
    return STATUS_OK;
}

/* Tell the lines of the report that cost results, the first ones in full.
 * Baselines alone are computed anew without asking, since a new sweep's
 * metric asks for that. */
static int tell_losses(const char *report, FILE *log)
{
    const int most = 20;
    int losses = 0;
    for (const char *line = report; *line;) {
        size_t n = strcspn(line, "\n");
        if (n && strncmp(line, "(baseline)", 10) != 0 && losses++ < most && log)
            fprintf(log, "%.*s\n", (int)n, line);
        line += n + (line[n] == '\n');
    }
    if (losses > most && log) fprintf(log, "and %d more\n", losses - most);
    return losses;
}

static enum status judge_report(struct coordinator *c, struct buf *report,
                                struct err *err)
{
    if (report->n == 0) return STATUS_OK;
    char *text = buf_take_text(report);
    if (!text) return err_set(err, STATUS_MEMORY, "no memory for a report");
    int losses = tell_losses(text, c->options->log);
    free(text);
    if (losses && !c->options->accept_change)
        return err_set(err, STATUS_INPUT,
                       "%s was computed from another job or model (%d changes "
                       "are listed above): --accept-change leaves those "
                       "results aside and computes anew, or choose another "
                       "output folder",
                       c->options->folder, losses);
    return STATUS_OK;
}

/* Units of activations whose values are gone are not done. */
static enum status recall_lost(struct coordinator *c, struct err *err)
{
    struct activations_lost lost;
    FILE *log = c->options->log;
    if (activations_find_lost(c->plan, c->journal, c->options->folder, c->done,
                              &lost, err))
        return err->status;
    c->n_done -= lost.in_parts + lost.in_file;
    if (lost.in_file && log)
        fprintf(log,
                "%s/activations.h5, which held %llu units of activations, is "
                "gone or another: they are computed anew\n",
                c->options->folder, (unsigned long long)lost.in_file);
    if (lost.in_parts && log)
        fprintf(log,
                "%llu files of %s/parts are gone: their units are computed "
                "anew\n",
                (unsigned long long)lost.in_parts, c->options->folder);
    return STATUS_OK;
}

enum status coordinator_recall(struct coordinator *c, struct plan *plan,
                               const struct buf *inputs, struct buf *records,
                               struct err *err)
{
    struct recollection r = {.plan = plan, .records = records};
    struct buf extension = {0};
    c->plan = plan;
    if (journal_walk(c->journal, recall_record, &r, err) ||
        judge_report(c, &r.report, err) || plan_extend(plan, &extension, err))
        goto out;
    bool is_same = r.has_inputs && r.inputs.n == inputs->n &&
                   memcmp(r.inputs.data, inputs->data, inputs->n) == 0;
    if (!is_same && journal_append(c->journal, JOURNAL_INPUTS, inputs->data,
                                   inputs->n, err))
        goto out;
    if (extension.n > 0) {
        buf_u64(records, extension.n);
        buf_bytes(records, extension.data, extension.n);
        if (journal_append(c->journal, JOURNAL_EXTENSION, extension.data,
                           extension.n, err))
            goto out;
    }
    if (buf_check(records, "the extensions", err) ||
        journal_sync(c->journal, err))
        goto out;
    c->done = mem_calloc((size_t)(plan->n_units / 8 + 1), 1, "the units", err);
    if (!c->done) goto out;
    if (journal_walk(c->journal, recall_result, c, err)) goto out;
    (void)(recall_lost(c, err) == 0);
out:
    buf_free(&extension);
    buf_free(&r.report);
    buf_free(&r.inputs);
    return err->status;
}

enum status coordinator_replay_records(struct plan *plan,
                                       const struct buf *records,
                                       struct err *err)
{
    struct cursor cursor = cursor_of(records->data, records->n);
    struct buf report = {0};
    while (cursor_left(&cursor) > 0 && !err->status) {
        uint64_t n = cursor_u64(&cursor);
        const unsigned char *record = cursor_bytes(&cursor, (size_t)n);
        if (!record)
            (void)err_set(err, STATUS_INTERNAL, "cut extension records");
        else if (plan_replay(plan, record, (size_t)n, &report, err))
            break;
    }
    buf_free(&report);
    return err->status;
}

uint64_t coordinator_unit_cells(const struct plan *plan,
                                const struct unit *unit)
{
    if (unit->kind != UNIT_SWEEP) return 0;
    return unit->n_cells * (uint64_t)plan->blocks[unit->block].n *
           (uint64_t)plan->grids[unit->item].n_samples;
}

/* A second result */

struct second {
    struct coordinator *c;
    uint64_t unit;
    const void *data;
    size_t n;
    bool is_same_cpu;
};

static bool is_close(const float *a, const float *b, size_t n)
{
    /* Across CPU types: 1e-5 of the spread or the rms, whichever is more. */
    double low = 0, high = 0, squares = 0;
    size_t finite = 0;
    for (size_t i = 0; i < n; i++) {
        double value = (double)a[i];
        if (!isfinite(value)) continue;
        if (finite == 0 || value < low) low = value;
        if (finite == 0 || value > high) high = value;
        squares += value * value;
        finite++;
    }
    double rms = finite ? sqrt(squares / (double)finite) : 0;
    double most = 1e-5 * (high - low > rms ? high - low : rms);
    for (size_t i = 0; i < n; i++) {
        double x = (double)a[i], y = (double)b[i];
        if (isnan(x) != isnan(y)) return false;
        if (!isnan(x) && !(fabs(x - y) <= most)) return false;
    }
    return true;
}

static enum status compare(const struct second *second, const void *payload,
                           size_t n, struct err *err)
{
    const struct plan *plan = second->c->plan;
    struct result old = {0}, new = {0};
    if (result_decode(&old, plan, payload, n, err) ||
        result_decode(&new, plan, second->data, second->n, err))
        goto out;
    size_t bytes = old.n_values * sizeof *old.values;
    bool is_part = old.kind == UNIT_EXPORT || old.kind == UNIT_RECORD;
    bool is_equal;
    if (is_part)
        is_equal =
            old.part_bytes == new.part_bytes &&old.part_crc == new.part_crc;
    else if (second->is_same_cpu)
        is_equal = memcmp(old.values, new.values, bytes) == 0;
    else /* of an analysis, which one is the strongest hangs on the last bit */
        is_equal = old.kind == UNIT_ANALYSIS ||
                   is_close(old.values, new.values, old.n_values);
    if (!is_equal)
        (void)err_set(err, STATUS_NUMERIC,
                      "a second result of unit %llu differs from the recorded "
                      "one%s",
                      (unsigned long long)second->unit,
                      second->is_same_cpu ? "" : " beyond the tolerance");
out:
    result_free(&old);
    result_free(&new);
    return err->status;
}

static enum status find_and_compare(void *user, enum journal_record kind,
                                    uint64_t at, const void *payload, size_t n,
                                    struct err *err)
{
    (void)at;
    const struct second *second = user;
    if (kind != JOURNAL_RESULT) return STATUS_OK;
    struct cursor cursor = cursor_of(payload, n);
    if (cursor_u64(&cursor) != second->unit) return STATUS_OK;
    return compare(second, payload, n, err);
}

enum status coordinator_compare_second(struct coordinator *c, uint64_t unit,
                                       const void *data, size_t n,
                                       bool is_same_cpu, struct err *err)
{
    struct second second = {c, unit, data, n, is_same_cpu};
    const void *payload;
    size_t payload_bytes;
    for (uint64_t i = 0; i < c->n_recorded && i < COORDINATOR_RECENT; i++) {
        if (c->recent[i].unit != unit) continue;
        if (journal_read(c->journal, c->recent[i].at, &payload, &payload_bytes,
                         err))
            return err->status;
        return compare(&second, payload, payload_bytes, err);
    }
    return journal_walk(c->journal, find_and_compare, &second, err);
}

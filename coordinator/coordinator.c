#include "coordinator/coordinator.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/plan/result.h"
#include "common/store/runinfo.h"
#include "coordinator/coordinator_parts.h"

static const double look_s = 1; /* between looks for OUT/stop */
static const double usual_silent_s = 600, usual_late_s = 10;

enum status coordinator_open(struct coordinator **out,
                             const struct coordinator_options *options,
                             struct err *err)
{
    char who[LOCK_WHO_BYTES], *path = NULL;
    uint64_t cut_bytes = 0;
    *out = NULL;
    struct coordinator *c = mem_calloc(1, sizeof *c, "the run", err);
    if (!c) return err->status;
    c->options = options;
    c->lock.fd = -1;
    if (file_make_folder(options->folder, err)) goto out;
    lock_describe(who);
    if (lock_take(&c->lock, options->folder, who, options->break_lock, err))
        goto out;
    c->stop_path = file_join(options->folder, "stop", err);
    path = file_join(options->folder, "journal", err);
    if (!path || !c->stop_path ||
        journal_open(&c->journal, path, &cut_bytes, err))
        goto out;
    if (cut_bytes && options->log)
        fprintf(options->log,
                "%s: cut %llu bytes that were not whole when the last start "
                "ended\n",
                path, (unsigned long long)cut_bytes);
    if (file_exists(c->stop_path)) {
        if (options->log)
            fprintf(options->log, "%s: left from before, removed\n",
                    c->stop_path);
        (void)unlink(c->stop_path);
    }
    *out = c;
    c = NULL;
out:
    free(path);
    coordinator_close(c);
    return err->status;
}

void coordinator_close(struct coordinator *c)
{
    if (!c) return;
    scheduler_close(c->scheduler);
    journal_close(c->journal);
    lock_release(&c->lock);
    free(c->stop_path);
    free(c->done);
    free(c);
}

struct journal *coordinator_journal(struct coordinator *c)
{
    return c->journal;
}

/* Serving */

/* A notice, without the bar in its way. */
static void say(struct serving *s, const char *format, ...) PRINTF_LIKE(2, 3);
static void say(struct serving *s, const char *format, ...)
{
    FILE *log = s->c->options->log;
    if (!log) return;
    va_list args;
    va_start(args, format);
    progress_clear(&s->progress);
    vfprintf(log, format, args);
    fputc('\n', log);
    va_end(args);
}

static enum status on_joined(void *user, int worker,
                             const struct message_hello *hello, struct err *err)
{
    struct serving *s = user;
    struct worker_record *record = &s->workers[worker];
    char kind[2 * MESSAGE_NAME_BYTES + 2];
    const struct message_hello *first = &s->workers[s->first_joined].hello;
    record->hello = *hello;
    snprintf(record->name, sizeof record->name, "rank %d (%s, pid %llu)",
             worker, hello->host, (unsigned long long)hello->pid);
    if (s->n_joined == 0) s->first_joined = worker;
    if (s->n_joined > 0 && strcmp(first->revision, hello->revision) != 0)
        return err_set(err, STATUS_MPI,
                       "%s runs revision %s of patchsweep, others run %s",
                       record->name, hello->revision, first->revision);
    snprintf(kind, sizeof kind, "%s, %s", hello->cpu, hello->blas);
    if (serving_add_distinct(&s->kinds, kind) && s->n_kinds++ > 0)
        say(s,
            "warning: %s has another CPU type (%s); values from different "
            "CPU types may differ in the last bits",
            record->name, kind);
    if (++s->n_joined < s->n_workers) return STATUS_OK;
    return serving_record_start(s, err);
}

static enum status on_result(void *user, int worker, uint64_t number,
                             bool is_new, const void *data, size_t n,
                             struct err *err)
{
    struct serving *s = user;
    struct coordinator *c = s->c;
    s->workers[worker].results++;
    if (!is_new)
        return coordinator_compare_second(c, number, data, n, s->n_kinds <= 1,
                                          err);
    struct result result;
    struct unit unit;
    if (result_decode(&result, c->plan, data, n, err))
        return err_context(err, "from %s", s->workers[worker].name);
    plan_unit(c->plan, number, &unit);
    uint64_t cells = coordinator_unit_cells(c->plan, &unit);
    uint64_t lanes = result.n_lanes;
    bool is_right = result.unit == number;
    if (is_right) {
        s->n_results++;
        s->cells_computed += lanes;
        s->cells_unchanged += cells - lanes;
        progress_add(&s->progress, cells, unit.flops, result.flops,
                     result.seconds);
    }
    result_free(&result);
    if (!is_right)
        return err_set(err, STATUS_MPI,
                       "%s sent another unit's result as unit %llu",
                       s->workers[worker].name, (unsigned long long)number);
    if (serving_record_start(s, err)) return err->status;
    uint64_t at = journal_end(c->journal);
    c->recent[c->n_recorded % COORDINATOR_RECENT].unit = number;
    c->recent[c->n_recorded++ % COORDINATOR_RECENT].at = at;
    return journal_append(c->journal, JOURNAL_RESULT, data, n, err);
}

static enum status on_failed(void *user, int worker, uint64_t number,
                             bool is_new, const struct message_failed *failed,
                             struct err *err)
{
    struct serving *s = user;
    const char *sentence = failed->sentence;
    s->workers[worker].failures++;
    if (!is_new) return STATUS_OK;
    /* A disk that is full, say, fails the other units too: the run ends, and
     * this one is not done. */
    if (failed->status == STATUS_IO)
        return err_set(err, STATUS_IO, "%s: %s", s->workers[worker].name,
                       sentence);
    struct unit unit;
    plan_unit(s->c->plan, number, &unit);
    s->cells_failed += coordinator_unit_cells(s->c->plan, &unit);
    s->progress.failed++;
    s->progress.flops_done += unit.flops;
    s->progress.new_plan_flops += unit.flops;
    say(s, "unit %llu failed on %s: %s", (unsigned long long)number,
        s->workers[worker].name, sentence);
    if (serving_record_start(s, err)) return err->status;
    struct buf record = {0};
    buf_u64(&record, number);
    buf_bytes(&record, sentence, strlen(sentence));
    return serving_append(s, JOURNAL_FAILURE, &record, err);
}

static enum status on_left(void *user, int worker,
                           const struct message_bye *bye, struct err *err)
{
    const struct serving *s = user;
    const struct worker_record *record = &s->workers[worker];
    if (bye->units == record->results && bye->failed == record->failures)
        return STATUS_OK;
    return err_set(err, STATUS_MPI,
                   "%s sent %llu results and %llu failures, of which %llu and "
                   "%llu came",
                   record->name, (unsigned long long)bye->units,
                   (unsigned long long)bye->failed,
                   (unsigned long long)record->results,
                   (unsigned long long)record->failures);
}

static enum status on_given_up(void *user, int worker,
                               enum scheduler_event_kind kind, double waited_s,
                               double usual_s, struct err *err)
{
    (void)err;
    struct serving *s = user;
    char name[sizeof s->workers[worker].name];
    snprintf(name, sizeof name, "rank %d", worker);
    if (*s->workers[worker].name)
        snprintf(name, sizeof name, "%s", s->workers[worker].name);
    if (kind == SCHEDULER_LOST)
        say(s, "warning: %s has died; its units go to others", name);
    else if (kind == SCHEDULER_LATE)
        say(s,
            "warning: %s has been at a unit for %.0f s that would take others "
            "%.2g s: it gets no more until it answers, and who has nothing "
            "else to do computes what it holds",
            name, waited_s, usual_s);
    else if (*s->workers[worker].name)
        say(s, "warning: %s was not heard for %.0f s; its units go to others",
            name, waited_s);
    else
        say(s, "warning: %s has not begun after %.0f s", name, waited_s);
    return STATUS_OK;
}

static const char *find_stop_reason(struct serving *s, double now_s)
{
    const struct coordinator_options *options = s->c->options;
    if (options->signal && options->signal() == COORDINATOR_SIGNAL_STOP)
        return "SIGUSR1";
    if (options->end_s > 0 && now_s >= options->end_s) return "time limit";
    if (now_s < s->next_look_s) return NULL;
    s->next_look_s = now_s + look_s;
    if (!file_exists(s->c->stop_path)) return NULL;
    (void)unlink(s->c->stop_path);
    return "stop file";
}

static enum status on_tick(void *user, double now_s, enum serve_wish *wish,
                           struct err *err)
{
    struct serving *s = user;
    const struct coordinator_options *options = s->c->options;
    if (options->signal && options->signal() == COORDINATOR_SIGNAL_DROP) {
        s->is_dropped = true;
        *wish = SERVE_DROP;
        return STATUS_OK;
    }
    if (!s->stop_reason) {
        s->stop_reason = find_stop_reason(s, now_s);
        if (s->stop_reason)
            say(s, "stopping (%s): units that were given out are waited for",
                s->stop_reason);
    }
    if (s->stop_reason) *wish = SERVE_STOP;
    if (lock_beat(&s->c->lock, err)) return err->status;
    if (now_s >= s->next_sync_s) {
        s->next_sync_s = now_s + options->sync_s;
        if (journal_sync(s->c->journal, err)) return err->status;
    }
    progress_tick(&s->progress, now_s);
    return STATUS_OK;
}

static const struct serve_callbacks callbacks = {
    .joined = on_joined,
    .result = on_result,
    .failed = on_failed,
    .left = on_left,
    .given_up = on_given_up,
    .tick = on_tick,
};

/* The plan's segments as the scheduler wants them, and the totals. */
static struct scheduler_segment *make_segments(struct serving *s,
                                               struct err *err)
{
    const struct plan *plan = s->c->plan;
    struct scheduler_segment *segments = mem_calloc(
        (size_t)plan->n_segments, sizeof *segments, "the segments", err);
    for (int i = 0; segments && i < plan->n_segments; i++) {
        const struct segment *from = &plan->segments[i];
        segments[i] = (struct scheduler_segment){
            .first_unit = from->first_unit,
            .n_units = from->n_units,
            .flops = from->flops,
            .block = from->block == PLAN_NO_BLOCK ? 0 : from->block,
            .is_baseline = from->kind == UNIT_BASELINE,
            .is_dropped = from->is_dropped};
        if (from->is_dropped || from->kind != UNIT_SWEEP) continue;
        uint64_t cells = from->n_cells * (uint64_t)plan->blocks[from->block].n *
                         (uint64_t)plan->grids[from->item].n_samples;
        s->progress.cells_total += cells;
        if (from->n_units == 0) s->progress.cells += cells;
    }
    return segments;
}

/* What earlier starts did counts as done. */
static void count_done(struct serving *s)
{
    const struct coordinator *c = s->c;
    for (uint64_t number = 0; number < c->plan->n_units; number++) {
        if (!(c->done[number / 8] >> (number % 8) & 1)) continue;
        struct unit unit;
        plan_unit(c->plan, number, &unit);
        s->progress.cells += coordinator_unit_cells(c->plan, &unit);
    }
}

static double unit_flops(void *user, uint64_t number)
{
    struct unit unit;
    plan_unit(user, number, &unit);
    return unit.flops;
}

static enum status open_scheduler(struct serving *s, struct err *err)
{
    struct coordinator *c = s->c;
    struct scheduler_segment *segments = make_segments(s, err);
    if (!segments) return err->status;
    struct scheduler_work work = {.segments = segments,
                                  .n_segments = c->plan->n_segments,
                                  .n_blocks = c->plan->n_blocks,
                                  .done = c->done,
                                  .unit_flops = unit_flops,
                                  .user = (void *)(uintptr_t)c->plan};
    enum status status =
        scheduler_open(&c->scheduler, &work, s->n_workers, err);
    free(segments);
    if (status != STATUS_OK) return status;
    struct scheduler_counts counts;
    scheduler_count(c->scheduler, &counts);
    count_done(s);
    s->progress.units = counts.done;
    s->progress.units_total = counts.units;
    s->progress.flops_done = counts.done_flops;
    s->progress.flops_total = counts.flops;
    if (c->options->log && counts.done)
        fprintf(c->options->log, "resuming: %llu of %llu units are done\n",
                (unsigned long long)counts.done,
                (unsigned long long)counts.units);
    return STATUS_OK;
}

/* How it ended, as a sentence for the journal and a status. */
static enum status conclude(struct serving *s,
                            struct coordinator_outcome *outcome,
                            struct err *err)
{
    struct scheduler_counts counts;
    scheduler_count(s->c->scheduler, &counts);
    outcome->is_dropped = s->is_dropped;
    outcome->is_complete = scheduler_is_complete(s->c->scheduler);
    const char *reason = s->is_dropped    ? "signal"
                         : s->stop_reason ? s->stop_reason
                                          : "workers were lost";
    snprintf(outcome->ending, sizeof outcome->ending, "%s",
             outcome->is_complete && counts.failed ? "finished, units failed"
             : outcome->is_complete                ? "finished"
                                                   : reason);
    if (serving_record_start(s, err) ||
        serving_record_end(s, outcome->ending, clock_now_s(), err))
        return err->status;
    if (!outcome->is_complete)
        return err_set(err, STATUS_INCOMPLETE,
                       "incomplete (%s): %llu of %llu units are done; run "
                       "again to resume",
                       outcome->ending, (unsigned long long)counts.done,
                       (unsigned long long)counts.units);
    if (counts.failed)
        return err_set(err, STATUS_UNITS_FAILED,
                       "%llu of %llu units failed; /failures of results.h5 "
                       "says which and why",
                       (unsigned long long)counts.failed,
                       (unsigned long long)counts.units);
    return STATUS_OK;
}

enum status coordinator_serve(struct coordinator *c,
                              struct transport *transport, int n_workers,
                              const struct buf *start,
                              struct coordinator_outcome *outcome,
                              struct err *err)
{
    double now_s = clock_now_s();
    struct serving s = {.c = c,
                        .start = start,
                        .n_workers = n_workers,
                        .next_sync_s = now_s + c->options->sync_s,
                        .progress = {.stream = c->options->log,
                                     .is_terminal = c->options->is_terminal,
                                     .start_s = now_s,
                                     .n_workers = n_workers}};
    *outcome = (struct coordinator_outcome){0};
    s.workers =
        mem_calloc((size_t)n_workers, sizeof *s.workers, "the workers", err);
    if (!s.workers || open_scheduler(&s, err)) goto out;
    c->serve = (struct serve){
        .transport = transport,
        .scheduler = c->scheduler,
        .n_workers = n_workers,
        .own_worker = 0,
        .silent_s =
            c->options->silent_s > 0 ? c->options->silent_s : usual_silent_s,
        .late_s = c->options->late_s > 0 ? c->options->late_s : usual_late_s,
        .next_lost = c->options->next_lost,
        .watch = c->options->watch,
        .callbacks = &callbacks,
        .user = &s};
    if (serve_run(&c->serve, &outcome->n_given_up, err)) {
        /* What has been recorded is to survive whatever went wrong. */
        struct err second = {0};
        if (err->status != STATUS_LOCKED && journal_sync(c->journal, &second) &&
            c->options->log)
            fprintf(c->options->log, "%s\n", second.message);
        goto out;
    }
    progress_end(&s.progress, clock_now_s());
    (void)conclude(&s, outcome, err);
out:
    free(s.workers);
    buf_free(&s.kinds);
    return err->status;
}

enum status coordinator_leave(struct coordinator *c, int exit_status,
                              bool at_once, struct err *err)
{
    return serve_leave(&c->serve, exit_status, at_once, err);
}

/* record.c - what a start and its end leave in the journal about themselves. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/store/runinfo.h"
#include "coordinator/coordinator_parts.h"

static void stamp(struct buf *out, enum runinfo key)
{
    char text[32] = "";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc))
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    runinfo_put_text(out, key, text);
}

bool serving_add_distinct(struct buf *list, const char *name)
{
    size_t n = strlen(name) + 1;
    for (size_t at = 0; at < list->n;) {
        size_t length = strlen((const char *)list->data + at) + 1;
        if (length == n && memcmp(list->data + at, name, n) == 0) return false;
        at += length;
    }
    buf_bytes(list, name, n);
    return true;
}

/* The distinct texts at offset in the HELLOs of the workers that have joined,
 * in the order of their numbers. */
static void put_distinct(struct buf *out, enum runinfo key,
                         const struct serving *s, size_t offset,
                         const char *separator)
{
    struct buf seen = {0}, text = {0};
    for (int i = 0; i < s->n_workers; i++) {
        const struct worker_record *worker = &s->workers[i];
        const char *name = (const char *)&worker->hello + offset;
        if (*worker->name && serving_add_distinct(&seen, name))
            buf_printf(&text, "%s%s", text.n ? separator : "", name);
    }
    char *joined = buf_take_text(&text);
    if (joined) runinfo_put_text(out, key, joined);
    free(joined);
    buf_free(&seen);
}

/* Of the workers that have joined; 0: none measured. */
static double mean_rate(const struct serving *s)
{
    double sum = 0;
    int n = 0;
    for (int i = 0; i < s->n_workers; i++) {
        const struct worker_record *worker = &s->workers[i];
        if (!*worker->name || worker->hello.gemm_flops == 0) continue;
        sum += (double)worker->hello.gemm_flops;
        n++;
    }
    return n ? sum / n : 0;
}

enum status serving_append(struct serving *s, enum journal_record kind,
                           struct buf *text, struct err *err)
{
    enum status status = buf_check(text, "a record of the journal", err);
    if (status == STATUS_OK)
        status = journal_append(s->c->journal, kind, text->data, text->n, err);
    buf_free(text);
    return status;
}

enum status serving_record_start(struct serving *s, struct err *err)
{
    if (s->is_recorded) return STATUS_OK;
    s->is_recorded = true;
    struct buf text = {0};
    buf_bytes(&text, s->start->data, s->start->n);
    runinfo_put_count(&text, RUNINFO_RANKS, s->n_workers);
    runinfo_put_count(&text, RUNINFO_THREADS,
                      s->workers[s->first_joined].hello.threads);
    put_distinct(&text, RUNINFO_HOSTS, s, offsetof(struct message_hello, host),
                 " ");
    put_distinct(&text, RUNINFO_CPU, s, offsetof(struct message_hello, cpu),
                 "; ");
    put_distinct(&text, RUNINFO_BLAS_KERNEL, s,
                 offsetof(struct message_hello, blas), "; ");
    double gemm_flops = mean_rate(s);
    s->progress.gemm_flops = gemm_flops;
    if (gemm_flops > 0)
        runinfo_put_number(&text, RUNINFO_GEMM_GFLOPS, gemm_flops * 1e-9);
    s->next_sync_s = 0;
    return serving_append(s, JOURNAL_START, &text, err);
}

enum status serving_record_end(struct serving *s, const char *ending,
                               double now_s, struct err *err)
{
    const struct progress *p = &s->progress;
    double wall_s = now_s - p->start_s;
    struct buf text = {0};
    stamp(&text, RUNINFO_ENDED);
    runinfo_put_text(&text, RUNINFO_ENDING, ending);
    runinfo_put_count(&text, RUNINFO_CELLS_COMPUTED,
                      (int64_t)s->cells_computed);
    runinfo_put_count(&text, RUNINFO_CELLS_UNCHANGED,
                      (int64_t)s->cells_unchanged);
    runinfo_put_count(&text, RUNINFO_CELLS_FAILED, (int64_t)s->cells_failed);
    runinfo_put_count(&text, RUNINFO_UNITS_COMPUTED, (int64_t)s->n_results);
    runinfo_put_number(&text, RUNINFO_FLOPS, p->new_flops);
    runinfo_put_number(&text, RUNINFO_COMPUTE_S, p->busy_s);
    runinfo_put_number(&text, RUNINFO_WALL_S, wall_s);
    if (wall_s > 0)
        runinfo_put_number(&text, RUNINFO_BUSY,
                           p->busy_s / (wall_s * s->n_workers));
    if (p->gemm_flops > 0)
        runinfo_put_number(&text, RUNINFO_EFFICIENCY,
                           progress_efficiency(p, now_s));
    if (serving_append(s, JOURNAL_END, &text, err)) return err->status;
    return journal_sync(s->c->journal, err);
}

/* fake_run.c - a run without a model: plan a job, make up every unit's values
 * by a formula, write the journal in a shuffled order, gather. The script that
 * calls it knows the formula and the definitions, not this program.
 *
 *   fake_run JOB.yaml OUT [KEY=NUMBER ..]
 *     seed=N       order in which units finish
 *     missing=K    units K, 2K, .. are not there; failed=K: they failed
 *     no_end=1     the start left no END record
 *     limit=BYTES  --store-limit; window=BYTES of results_options
 *     full=BYTES   no file may grow beyond this: a full disk
 *     tokens=0     no tokenizer
 * Also writes OUT/lanes.txt: sweep, pair, sample, cell and the plan's status
 * of every lane. Exit status: the program's; the sentence goes to stderr. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/plan/result.h"
#include "common/plan/study.h"
#include "common/store/journal.h"
#include "common/store/results.h"
#include "common/store/runinfo.h"
#include "common/store/top.h"

struct options {
    long seed, missing, failed, no_end, limit, window, full, tokens;
};

static float baseline_value(int run, int pair, int metric)
{
    if (pair == 2) run = 0; /* degenerate: clean and corrupted are the same */
    return (float)((run * 5 + pair * 11 + metric * 3) % 23) / 4;
}

static float lane_value(int sweep, int metric, int pair, int sample,
                        uint64_t cell)
{
    uint64_t at = (uint64_t)(sweep * 31 + metric * 17 + pair * 13 + sample * 7);
    return (float)((at + cell * 3) % 101) / 8;
}

static bool is_excluded(int pair) { return pair == 4; }

static enum status fill_sweep(struct result *result, const struct plan *plan,
                              const struct unit *unit, struct err *err)
{
    const struct block *block = &plan->blocks[unit->block];
    result->n_metrics = plan->job->sweeps[unit->item].n_metrics;
    result->n_lanes = result_lanes(plan, unit);
    result->values =
        mem_calloc((size_t)result->n_lanes * (size_t)result->n_metrics,
                   sizeof *result->values, "values", err);
    size_t lane = 0;
    for (uint64_t i = 0; result->values && i < unit->n_cells; i++) {
        uint64_t cell = plan_unit_cell(plan, unit, i);
        for (int p = 0; p < block->n; p++)
            for (int s = 0; s < plan->grids[unit->item].n_samples; s++) {
                int pair = block->pairs[p];
                enum cell_status status =
                    plan_cell_status(plan, unit->item, pair, s, cell);
                if (!cell_is_lane(status)) continue;
                for (int m = 0; m < result->n_metrics; m++)
                    result->values[(size_t)m * (size_t)result->n_lanes + lane] =
                        is_excluded(pair)
                            ? NAN
                            : lane_value(unit->item, m, pair, s, cell);
                lane++;
            }
    }
    return err->status;
}

static enum status fill_baseline(struct result *result, const struct plan *plan,
                                 const struct unit *unit, struct err *err)
{
    const struct block *block = &plan->blocks[unit->block];
    size_t row = RUN_COUNT * (size_t)plan->n_baseline_metrics;
    result->kind = UNIT_BASELINE;
    result->n_pairs = block->n;
    result->n_metrics = plan->n_baseline_metrics;
    result->values = mem_calloc((size_t)block->n * row, sizeof *result->values,
                                "values", err);
    result->pairs =
        mem_calloc((size_t)block->n, sizeof *result->pairs, "baselines", err);
    if (err->status) return err->status;
    for (int p = 0; p < block->n; p++) {
        struct baseline_pair *to = &result->pairs[p];
        int pair = block->pairs[p];
        to->is_excluded = is_excluded(pair);
        to->predicted = plan->pairs->items[pair].is_predicted ? 262 : -1;
        to->values = result->values + (size_t)p * row;
        for (int run = 0; run < RUN_COUNT; run++)
            for (int m = 0; m < plan->n_baseline_metrics; m++)
                to->values[run * plan->n_baseline_metrics + m] =
                    baseline_value(run, pair, m);
    }
    return STATUS_OK;
}

static enum status append_unit(struct journal *journal, const struct plan *plan,
                               uint64_t number, const struct options *options,
                               struct err *err)
{
    struct unit unit;
    struct buf bytes = {0};
    struct result result = {
        .unit = number, .kind = UNIT_SWEEP, .flops = 1e6, .seconds = 0.5};
    plan_unit(plan, number, &unit);
    if (options->missing && number % (uint64_t)options->missing == 0)
        return STATUS_OK;
    if (options->failed && number % (uint64_t)options->failed == 0) {
        buf_u64(&bytes, number);
        buf_printf(&bytes, "cell %llu is not finite",
                   (unsigned long long)unit.first_cell);
        if (journal_append(journal, JOURNAL_FAILURE, bytes.data, bytes.n, err))
            goto out;
        goto out;
    }
    if (unit.kind == UNIT_BASELINE ? fill_baseline(&result, plan, &unit, err)
                                   : fill_sweep(&result, plan, &unit, err))
        goto out;
    result_encode(&bytes, &result);
    if (journal_append(journal, JOURNAL_RESULT, bytes.data, bytes.n, err))
        goto out;
out:
    result_free(&result);
    buf_free(&bytes);
    return err->status;
}

static enum status append_all(struct journal *journal, const struct plan *plan,
                              const struct options *options, struct err *err)
{
    size_t n = (size_t)plan->n_units;
    uint64_t *order = mem_calloc(n, sizeof *order, "units", err);
    uint64_t state = (uint64_t)options->seed;
    for (size_t i = 0; order && i < n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        size_t at = (state >> 33) % (i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    for (size_t i = 0; order && i < n; i++)
        if (append_unit(journal, plan, order[i], options, err)) break;
    free(order);
    return err->status;
}

static enum status append_text(struct journal *journal,
                               enum journal_record kind, struct buf *text,
                               struct err *err)
{
    enum status status = buf_check(text, "a text", err);
    if (!status)
        status = journal_append(journal, kind, text->data, text->n, err);
    buf_free(text);
    return status;
}

static enum status write_journal(struct study *study, const char *path,
                                 const struct options *options, struct err *err)
{
    struct buf record = {0}, start = {0}, end = {0};
    struct journal *journal = NULL;
    uint64_t cut;
    runinfo_put_text(&start, RUNINFO_STARTED, "2024-05-01T12:00:00Z");
    runinfo_put_text(&start, RUNINFO_HOSTS, "one two\nthree");
    runinfo_put_count(&start, RUNINFO_RANKS, 3);
    runinfo_put_text(&end, RUNINFO_ENDING, "done");
    runinfo_put_count(&end, RUNINFO_CELLS_COMPUTED, 77);
    runinfo_put_number(&end, RUNINFO_FLOPS, 1.5e12);
    if (plan_extend(&study->plan, &record, err) ||
        journal_open(&journal, path, &cut, err) ||
        append_text(journal, JOURNAL_START, &start, err) ||
        journal_append(journal, JOURNAL_EXTENSION, record.data, record.n,
                       err) ||
        append_all(journal, &study->plan, options, err))
        goto out;
    if (!options->no_end) (void)append_text(journal, JOURNAL_END, &end, err);
    if (!err->status && journal_sync(journal, err)) goto out;
out:
    journal_close(journal);
    buf_free(&record);
    buf_free(&start);
    buf_free(&end);
    return err->status;
}

static void write_lanes(const struct plan *plan, const char *path)
{
    FILE *file = fopen(path, "w");
    for (int s = 0; file && s < plan->job->n_sweeps; s++)
        for (int p = 0; p < plan->pairs->n; p++)
            for (int k = 0; k < plan->grids[s].n_samples; k++)
                for (uint64_t c = 0; c < plan->grids[s].n_cells; c++)
                    fprintf(file, "%d %d %d %llu %d\n", s, p, k,
                            (unsigned long long)c,
                            (int)plan_cell_status(plan, s, p, k, c));
    if (file) fclose(file);
}

static enum status run(const char *job, const char *out,
                       const struct options *options, struct err *err)
{
    struct study study;
    struct digest model = {{1, 2, 3}};
    struct journal *journal = NULL;
    struct buf table = {0};
    struct results_summary summary;
    const struct results_options gather = {
        .store_limit =
            options->limit < 0 ? RESULTS_STORE_LIMIT : (uint64_t)options->limit,
        .window_bytes = (uint64_t)options->window};
    char *journal_path = file_join(out, "journal", err);
    char *lanes_path = file_join(out, "lanes.txt", err);
    char *results_path = file_join(out, "results.h5", err);
    if (study_open(&study, job, NULL, 0, err) ||
        study_plan(&study, &model, err) || file_make_folder(out, err))
        goto out;
    if (!file_exists(journal_path)) {
        if (write_journal(&study, journal_path, options, err)) goto out;
        write_lanes(&study.plan, lanes_path);
    } else if (plan_extend(&study.plan, &table, err)) {
        goto out;
    }
    buf_clear(&table);
    if (options->full) {
        const struct rlimit most = {(rlim_t)options->full,
                                    (rlim_t)options->full};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &most);
    }
    if (journal_open_reader(&journal, journal_path, err) ||
        results_write(&study.plan, options->tokens ? study.tokenizer : NULL,
                      journal, results_path, &gather, &summary, err))
        goto out;
    printf("complete %d units %llu failed %llu\n", summary.is_complete,
           (unsigned long long)summary.units_done,
           (unsigned long long)summary.units_failed);
    if (top_print(&table, out, NULL, NULL, 3, err)) goto out;
    fwrite(table.data, 1, table.n, stdout);
out:
    journal_close(journal);
    study_close(&study);
    buf_free(&table);
    free(journal_path);
    free(lanes_path);
    free(results_path);
    return err->status;
}

int main(int argc, char **argv)
{
    struct options options = {.limit = -1, .tokens = 1};
    const struct {
        const char *key;
        long *value;
    } keys[] = {{"seed", &options.seed},     {"missing", &options.missing},
                {"failed", &options.failed}, {"no_end", &options.no_end},
                {"limit", &options.limit},   {"window", &options.window},
                {"full", &options.full},     {"tokens", &options.tokens}};
    struct err err = {0};
    if (argc < 3) return 2;
    for (int i = 3; i < argc; i++)
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            size_t n = strlen(keys[k].key);
            if (strncmp(argv[i], keys[k].key, n) == 0 && argv[i][n] == '=')
                *keys[k].value = strtol(argv[i] + n + 1, NULL, 10);
        }
    if (run(argv[1], argv[2], &options, &err) == STATUS_OK) return 0;
    fprintf(stderr, "%s\n", err.message);
    return status_exit(err.status);
}

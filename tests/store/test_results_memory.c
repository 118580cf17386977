/* results.h5 and its table when memory is short: whichever allocation fails,
 * there is a sentence, nothing is lost and the old file stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/plan/result.h"
#include "common/plan/shape.h"
#include "common/store/results.h"
#include "common/store/top.h"
#include "tests/base/fail_alloc.h"
#include "tests/job/job_text.h"
#include "tests/store/temporary.h"

#define PAIRS                                                                  \
    "model: m\n"                                                               \
    "metrics: [logit_diff]\n"                                                  \
    "pairs:\n"                                                                 \
    "- {clean_tokens: [1, 2, 3], corrupted_tokens: [1, 5, 3],"                 \
    " answer_tokens: 7, wrong_tokens: 8, positions: {here: 1}}\n"              \
    "- {clean_tokens: [1, 2], corrupted_tokens: [1, 5], answer_tokens: 7,"     \
    " wrong_tokens: 8}\n"

static const char job_text[] = PAIRS
    "sweeps:\n"
    "- {name: one, site: resid_pre, by: [layer, position]}\n"
    "- {name: two, site: z, by: [label, head], store: {pairs: none, top: 2}}\n"
    "- {name: three, site: mlp_post, neurons: [L0N1, L1N2], value: zero}\n";

static const char analyses_text[] =
    PAIRS "analyses:\n"
          "- {name: logit_lens, run: clean, mid: false, top: 1}\n"
          "- {name: neurons, run: clean, top: 2}\n"
          "- {name: attention, run: clean, heads: [L1H0]}\n"
          "- {name: head_scores, length: 3}\n";

static char folder[TEMPORARY_PATH];

struct fixture {
    struct inputs inputs;
    struct job job;
    struct pairs pairs, references[3];
    struct plan plan;
    struct journal *journal;
};

static void append_unit(struct fixture *f, uint64_t number)
{
    struct err err = {0};
    struct unit unit;
    struct buf bytes = {0};
    float values[256] = {0};
    struct baseline_pair baselines[PLAN_BLOCK_PAIRS] = {0};
    struct result result = {
        .unit = number, .kind = UNIT_SWEEP, .values = values, .n_metrics = 1};
    plan_unit(&f->plan, number, &unit);
    if (unit.kind == UNIT_BASELINE) {
        result.kind = UNIT_BASELINE;
        result.pairs = baselines;
        result.n_pairs = f->plan.blocks[unit.block].n;
        for (int p = 0; p < result.n_pairs; p++)
            baselines[p].values = values;
    } else if (unit.kind == UNIT_ANALYSIS) {
        struct shape shape;
        bool has_block = unit.block != PLAN_NO_BLOCK;
        shape_open_block(&shape, &f->plan, unit.item, unit.block);
        result.kind = UNIT_ANALYSIS;
        result.n_values = shape_unit_values(
            &shape, has_block ? f->plan.blocks[unit.block].n : 0);
        assert_true(result.n_values <= sizeof values / sizeof *values);
    } else {
        result.n_lanes = result_lanes(&f->plan, &unit);
        assert_true(result.n_lanes <= sizeof values / sizeof *values);
    }
    result_encode(&bytes, &result);
    assert_int_equal(
        journal_append(f->journal, JOURNAL_RESULT, bytes.data, bytes.n, &err),
        0);
    buf_free(&bytes);
}

static void set_up(struct fixture *f, const char *text)
{
    struct err err = {0};
    struct digest model = {{0}};
    struct buf record = {0};
    uint64_t cut;
    *f = (struct fixture){0};
    assert_int_equal(job_text_parse(&f->job, &f->inputs, text, &err), 0);
    assert_int_equal(
        pairs_build(&f->pairs, &f->job, &f->inputs, &small_config, NULL, &err),
        0);
    assert_int_equal(plan_open(&f->plan, &f->job, &f->pairs, f->references,
                               &small_config, &model, &err),
                     0);
    assert_int_equal(plan_extend(&f->plan, &record, &err), 0);
    buf_free(&record);
    unlink(temporary_file(folder, "journal"));
    assert_int_equal(journal_open(&f->journal,
                                  temporary_file(folder, "journal"), &cut,
                                  &err),
                     0);
    assert_int_equal(
        journal_append(f->journal, JOURNAL_START, "ranks = 1\n", 10, &err), 0);
    for (uint64_t number = 0; number + 1 < f->plan.n_units; number++)
        append_unit(f, number);
    assert_int_equal(journal_append(f->journal, JOURNAL_FAILURE,
                                    "\2\0\0\0\0\0\0\0why", 11, &err),
                     0);
    assert_int_equal(journal_append(f->journal, JOURNAL_END, "", 0, &err), 0);
}

static void tear_down(struct fixture *f)
{
    journal_close(f->journal);
    plan_free(&f->plan);
    pairs_free(&f->pairs);
    job_free(&f->job);
    inputs_free(&f->inputs);
}

/* Allocations 1, 1 + step, 1 + 2 step .. fail, each in its turn. */
static void check_gather(const char *text, size_t step)
{
    struct fixture f;
    const struct results_options options = {.store_limit = RESULTS_STORE_LIMIT};
    struct results_summary summary;
    struct err err = {0};
    struct stat before, after;
    set_up(&f, text);
    char path[2 * TEMPORARY_PATH];
    snprintf(path, sizeof path, "%s", temporary_file(folder, "results.h5"));
    assert_int_equal(
        results_write(&f.plan, NULL, f.journal, path, &options, &summary, &err),
        0);
    assert_false(summary.is_complete);
    assert_int_equal(stat(path, &before), 0);
    size_t number = 1;
    for (;; number += step) {
        journal_close(f.journal); /* what it has allocated is counted anew */
        assert_int_equal(journal_open_reader(&f.journal,
                                             temporary_file(folder, "journal"),
                                             &err),
                         0);
        fail_alloc_start(number);
        enum status status = results_write(&f.plan, NULL, f.journal, path,
                                           &options, &summary, &err);
        bool was_reached = fail_alloc_stop();
        journal_close(f.journal);
        f.journal = NULL;
        if (!was_reached) {
            assert_int_equal(status, 0);
            break;
        }
        if (status != STATUS_MEMORY)
            fail_msg("allocation %zu: status %d: %s", number, (int)status,
                     err.message);
        assert_true(fail_alloc_live() <= 0); /* the journal's own went too */
        assert_int_equal(stat(path, &after), 0);
        assert_int_equal(after.st_ino, before.st_ino);
        err_clear(&err);
    }
    assert_true(number > 100);
    tear_down(&f);
}

static void any_allocation_of_gathered_analyses_may_fail(void **state)
{
    (void)state;
    check_gather(analyses_text, 7);
}

static void any_allocation_of_gather_may_fail(void **state)
{
    (void)state;
    check_gather(job_text, 1);
}

static void any_allocation_of_top_may_fail(void **state)
{
    (void)state;
    for (size_t number = 1;; number++) {
        struct buf out = {0};
        struct err err = {0};
        fail_alloc_start(number);
        enum status status = top_print(&out, folder, NULL, NULL, 10, &err);
        bool was_reached = fail_alloc_stop();
        if (!was_reached) {
            assert_int_equal(status, 0);
            buf_free(&out);
            assert_true(number > 20);
            return;
        }
        if (status != STATUS_MEMORY)
            fail_msg("allocation %zu: status %d: %s", number, (int)status,
                     err.message);
        buf_free(&out);
        assert_int_equal(fail_alloc_live(), 0);
    }
}

static void top_names_what_there_is(void **state)
{
    (void)state;
    struct buf out = {0};
    struct err err = {0};
    assert_int_equal(top_print(&out, folder, "four", NULL, 10, &err),
                     STATUS_USAGE);
    assert_non_null(strstr(err.message, "one, two, three"));
    err_clear(&err);
    assert_int_equal(top_print(&out, folder, "one", "prob", 10, &err),
                     STATUS_USAGE);
    assert_non_null(strstr(err.message, "it has: logit_diff"));
    err_clear(&err);
    assert_int_equal(top_print(&out, "/no/such", NULL, NULL, 10, &err),
                     STATUS_INPUT);
    assert_non_null(strstr(err.message, "gather"));
    err_clear(&err);
    buf_free(&out);
    assert_int_equal(top_print(&out, folder, "one", "logit_diff", 2, &err), 0);
    buf_u8(&out, 0);
    assert_non_null(strstr((char *)out.data, "position"));
    assert_null(strstr((char *)out.data, "two:"));
    buf_free(&out);
}

static int make_folder(void **state)
{
    (void)state;
    return temporary_make(folder);
}

static int remove_folder(void **state)
{
    (void)state;
    temporary_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_allocation_of_gathered_analyses_may_fail),
        cmocka_unit_test(any_allocation_of_gather_may_fail),
        cmocka_unit_test(any_allocation_of_top_may_fail),
        cmocka_unit_test(top_names_what_there_is),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

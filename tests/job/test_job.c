/* The job file: what is read, the defaults, and the texts made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/job/job_text.h"

static void the_smallest_job_has_every_default(void **state)
{
    (void)state;
    struct inputs inputs;
    struct job job;
    struct pairs pairs;
    struct err err;
    const char *text =
        "model: ../models/demo\n"
        "pairs:\n"
        "  - clean_tokens: [10, 11, 12]\n"
        "    corrupted_tokens: [10, 21, 12]\n"
        "    answer_tokens: 5\n"
        "    wrong_tokens: [6]\n"
        "metrics: [logit_diff, prob]\n"
        "sweeps:\n"
        "  - {name: post, site: resid_post, by: [layer, position]}\n";
    if (job_text_parse(&job, &inputs, text, &err)) fail_msg("%s", err.message);
    assert_string_equal(job.path, "job.yaml");
    assert_string_equal(job.title, "job.yaml");
    assert_string_equal(job.model, "../models/demo");
    assert_true(job.prepend_bos);
    assert_true(job.skip_unchanged);
    assert_false(job.both_ways);
    assert_false(job.is_prompts_only);
    assert_int_equal(job.require.clean, REQUIRE_NOTHING);
    assert_false(job.require.has_margin);
    assert_int_equal(job.align, ALIGN_NONE);
    assert_true(job.min_gap == 1e-3);
    assert_int_equal(job.memory_bytes, 0);
    assert_int_equal(job.n_metrics, 2);
    assert_int_equal(job.n_sweeps, 1);
    const struct sweep *sweep = &job.sweeps[0];
    assert_string_equal(sweep->name, "post");
    assert_null(sweep->description);
    assert_int_equal(sweep->line, 9);
    assert_int_equal(sweep->site, SITE_RESID_POST);
    for (int axis = 0; axis < AXIS_COUNT; axis++)
        assert_int_equal(sweep->by[axis],
                         axis == AXIS_LAYER || axis == AXIS_POSITION);
    assert_false(sweep->layers.is_given);
    assert_false(sweep->positions.is_given);
    assert_true(sweep->labels_joint);
    assert_int_equal(sweep->base, RUN_CORRUPTED);
    assert_int_equal(sweep->value.kind, VALUE_CLEAN);
    assert_false(sweep->is_identity);
    assert_int_equal(sweep->n_metrics, 2);
    assert_int_equal(sweep->metrics[1], METRIC_PROB);
    assert_int_equal(sweep->select.first, 0);
    assert_int_equal(sweep->store.pairs, PAIRS_KEEP_ALL);
    assert_true(sweep->store.mean && sweep->store.sem && sweep->store.n);
    assert_int_equal(sweep->store.top, 1000);

    if (pairs_build(&pairs, &job, &inputs, &small_config, NULL, &err))
        fail_msg("%s", err.message);
    assert_int_equal(pairs.n, 1);
    assert_int_equal(pairs.n_groups, 1);
    assert_int_equal(pairs.max_tokens, 3);
    const struct pair *pair = &pairs.items[0];
    assert_string_equal(pair->id, "0");
    assert_string_equal(pair->group, "");
    assert_string_equal(pair->cluster, "0");
    assert_int_equal(pair->first_difference, 1);
    assert_int_equal(pair->n_answer, 1);
    assert_int_equal(pair->answer[0], 5);
    assert_int_equal(pair->wrong[0], 6);
    assert_int_equal(pair->n_labels, 1);
    assert_string_equal(pair->labels[0].name, "end");
    for (int run = 0; run < RUN_COUNT; run++) {
        assert_int_equal(pair->run[run].n_tokens, 3);
        assert_int_equal(pair->run[run].n_prompt, 3);
        assert_int_equal(pair->read[run].n, 1);
        assert_int_equal(pair->read[run].at[0], 2);
    }
    pairs_free(&pairs);
    job_free(&job);
    inputs_free(&inputs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_job_has_every_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

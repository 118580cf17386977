/* The job file: what is read, and the defaults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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

/* Parse `sweep` (one flow map) in a good job; the caller frees both. */
static const struct sweep *parse_sweep(struct job *job, struct inputs *inputs,
                                       const char *sweep)
{
    struct err err;
    char more[1024];
    snprintf(more, sizeof more, "sweeps: [%s]\n", sweep);
    if (job_text_parse_with(job, inputs, more, &err))
        fail_msg("%s: %s", sweep, err.message);
    return &job->sweeps[0];
}

static void values_and_bases_follow_their_defaults(void **state)
{
    (void)state;
    static const struct {
        const char *sweep;
        enum run base;
        enum value_kind value;
    } rows[] = {
        {"{site: z, by: [layer]}", RUN_CORRUPTED, VALUE_CLEAN},
        {"{site: z, by: [layer], base: clean}", RUN_CLEAN, VALUE_CORRUPTED},
        {"{site: z, by: [layer], base: clean, value: zero}", RUN_CLEAN,
         VALUE_ZERO},
        {"{site: z, by: [layer], value: corrupted, identity: true}",
         RUN_CORRUPTED, VALUE_CORRUPTED},
        {"{site: attn_scores, by: [layer], value: -inf}", RUN_CORRUPTED,
         VALUE_NEG_INF},
        {"{site: attn_scores, by: [layer], value: -.inf}", RUN_CORRUPTED,
         VALUE_NEG_INF},
        {"{site: attn_scores, by: [layer], value: zero}", RUN_CORRUPTED,
         VALUE_ZERO},
        {"{site: z, by: [layer], value: mean}", RUN_CORRUPTED, VALUE_MEAN},
        {"{site: z, by: [layer], value: resample}", RUN_CORRUPTED,
         VALUE_RESAMPLE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct job job;
        struct inputs inputs;
        const struct sweep *sweep = parse_sweep(&job, &inputs, rows[i].sweep);
        assert_int_equal(sweep->base, rows[i].base);
        assert_int_equal(sweep->value.kind, rows[i].value);
        job_free(&job);
        inputs_free(&inputs);
    }
}

static void means_and_resamples_are_read(void **state)
{
    (void)state;
    struct job job;
    struct inputs inputs;
    const struct value *value =
        &parse_sweep(&job, &inputs,
                     "{site: z, by: [layer], value: {mean: {run: corrupted, "
                     "within: group, per: none}}}")
             ->value;
    assert_int_equal(value->kind, VALUE_MEAN);
    assert_null(value->prompts);
    assert_int_equal(value->run, RUN_CORRUPTED);
    assert_int_equal(value->within, WITHIN_GROUP);
    assert_int_equal(value->per, PER_NONE);
    job_free(&job);
    inputs_free(&inputs);
    value = &parse_sweep(&job, &inputs,
                         "{site: z, by: [layer], value: {resample: {n: 3, "
                         "seed: 9, within: all}}}")
                 ->value;
    assert_int_equal(value->kind, VALUE_RESAMPLE);
    assert_int_equal(value->n, 3);
    assert_int_equal(value->seed, 9);
    assert_int_equal(value->run, RUN_CLEAN);
    assert_int_equal(value->within, WITHIN_ALL);
    job_free(&job);
    inputs_free(&inputs);
    value = &parse_sweep(&job, &inputs, "{site: z, by: [], value: resample}")
                 ->value;
    assert_int_equal(value->n, 10);
    assert_int_equal(value->within, WITHIN_GROUP);
    job_free(&job);
    inputs_free(&inputs);
}

static void subsets_are_sorted_and_distinct(void **state)
{
    (void)state;
    struct job job;
    struct inputs inputs;
    const struct sweep *sweep = parse_sweep(
        &job, &inputs,
        "{site: z, by: [layer, position], layers: [5, 1-3, 2], heads: 0-2, "
        "dims: 7, positions: [-1, 0-2, 1]}");
    static const int layers[] = {1, 2, 3, 5}, positions[] = {-1, 0, 1, 2};
    assert_int_equal(sweep->layers.n, 4);
    assert_memory_equal(sweep->layers.values, layers, sizeof layers);
    assert_int_equal(sweep->heads.n, 3);
    assert_int_equal(sweep->dims.n, 1);
    assert_int_equal(sweep->dims.values[0], 7);
    assert_int_equal(sweep->positions.n, 4);
    for (int i = 0; i < 4; i++) {
        assert_null(sweep->positions.items[i].label);
        assert_int_equal(sweep->positions.items[i].index, positions[i]);
    }
    job_free(&job);
    inputs_free(&inputs);
}

static void labels_are_an_axis_or_edited_together(void **state)
{
    (void)state;
    struct job job;
    struct inputs inputs;
    const struct sweep *sweep =
        parse_sweep(&job, &inputs,
                    "{site: z, by: [label], labels: [S2, end], "
                    "label_positions: each}");
    assert_int_equal(sweep->labels.n, 2);
    assert_string_equal(sweep->labels.items[0].label, "S2");
    assert_false(sweep->labels_joint);
    assert_false(sweep->positions.is_given);
    job_free(&job);
    inputs_free(&inputs);
    sweep =
        parse_sweep(&job, &inputs, "{site: z, by: [layer], labels: [S2, end]}");
    assert_false(sweep->labels.is_given);
    assert_int_equal(sweep->positions.n, 2);
    assert_string_equal(sweep->positions.items[1].label, "end");
    job_free(&job);
    inputs_free(&inputs);
    sweep = parse_sweep(&job, &inputs,
                        "{site: pattern, by: [head, dest, src], dest: [end], "
                        "src: [S2, 0]}");
    assert_string_equal(sweep->dest.items[0].label, "end");
    assert_int_equal(sweep->src.n, 2);
    assert_int_equal(sweep->src.items[1].index, 0);
    job_free(&job);
    inputs_free(&inputs);
}

static void lists_of_cells_have_the_one_axis_cell(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{site: z, heads: [L9H9, L10H0]}",
        "{site: z, by: [layer, head], heads: [L9H9, L10H0]}",
        "{site: z, by: [cell], heads: [L9H9, L10H0]}",
    };
    for (int i = 0; i < 3; i++) {
        struct job job;
        struct inputs inputs;
        const struct sweep *sweep = parse_sweep(&job, &inputs, texts[i]);
        for (int axis = 0; axis < AXIS_COUNT; axis++)
            assert_int_equal(sweep->by[axis], axis == AXIS_CELL);
        assert_int_equal(sweep->tuple_columns,
                         1u << AXIS_LAYER | 1u << AXIS_HEAD);
        assert_int_equal(sweep->n_tuples, 2);
        assert_int_equal(sweep->tuples[0].layer, 9);
        assert_int_equal(sweep->tuples[0].head, 9);
        assert_int_equal(sweep->tuples[1].layer, 10);
        assert_int_equal(sweep->tuples[1].head, 0);
        assert_int_equal(sweep->tuples[1].neuron, -1);
        assert_null(sweep->tuples[1].label);
        job_free(&job);
        inputs_free(&inputs);
    }
}

static void the_rest_of_the_top_level_is_read(void **state)
{
    (void)state;
    struct job job;
    struct inputs inputs;
    struct err err;
    const char *more =
        "title: T\nprepend_bos: false\nboth_ways: true\nalign: end\n"
        "min_gap: 0.5\nmemory: 2GiB\nskip_unchanged: false\n"
        "require: {clean: top1, margin: 1.5}\n"
        "store: {pairs: none, reduce: [mean], top: 7}\n"
        "sweeps: [{name: a, description: d, site: q, by: [head],\n"
        "  metrics: [top1, {name: loss, at: answer}],\n"
        "  select: {sample: 5, seed: 3, groups: [g, 7]}},\n"
        "  {name: b, site: q, by: [head], store: {top: 9}}]\n";
    if (job_text_parse_with(&job, &inputs, more, &err))
        fail_msg("%s", err.message);
    assert_string_equal(job.title, "T");
    assert_false(job.prepend_bos);
    assert_true(job.both_ways);
    assert_false(job.skip_unchanged);
    assert_int_equal(job.align, ALIGN_END);
    assert_true(job.min_gap == 0.5);
    assert_true(job.memory_bytes == (size_t)2 << 30);
    assert_int_equal(job.require.clean, REQUIRE_TOP1);
    assert_true(job.require.has_margin && job.require.margin == 1.5);
    const struct sweep *a = &job.sweeps[0], *b = &job.sweeps[1];
    assert_string_equal(a->description, "d");
    assert_int_equal(a->n_metrics, 2);
    assert_int_equal(a->metrics[1], METRIC_LOSS_ANSWER);
    assert_int_equal(a->select.sample, 5);
    assert_int_equal(a->select.seed, 3);
    assert_int_equal(a->select.n_groups, 2);
    assert_string_equal(a->select.groups[1], "7");
    assert_int_equal(a->store.pairs, PAIRS_KEEP_NONE);
    assert_true(a->store.mean && !a->store.sem && !a->store.n);
    assert_int_equal(a->store.top, 7);
    assert_int_equal(b->store.pairs, PAIRS_KEEP_ALL);
    assert_int_equal(b->store.top, 9);
    assert_int_equal(b->n_metrics, 1);
    job_free(&job);
    inputs_free(&inputs);
}

static void memory_sizes_have_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bytes;
    } rows[] = {
        {"1000", 1000},        {"16GB", 16000000000u},
        {"16G", 17179869184u}, {"16 GiB", 17179869184u},
        {"1.5MB", 1500000},    {"500MB", 500000000},
        {"2K", 2048},          {"1TiB", 1099511627776u},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct job job;
        struct inputs inputs;
        struct err err;
        char more[128];
        snprintf(more, sizeof more,
                 "memory: %s\nsweeps: [{site: z, by: [layer]}]\n",
                 rows[i].text);
        if (job_text_parse_with(&job, &inputs, more, &err))
            fail_msg("%s", err.message);
        assert_true(job.memory_bytes == rows[i].bytes);
        job_free(&job);
        inputs_free(&inputs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_job_has_every_default),
        cmocka_unit_test(values_and_bases_follow_their_defaults),
        cmocka_unit_test(means_and_resamples_are_read),
        cmocka_unit_test(subsets_are_sorted_and_distinct),
        cmocka_unit_test(labels_are_an_axis_or_edited_together),
        cmocka_unit_test(lists_of_cells_have_the_one_axis_cell),
        cmocka_unit_test(the_rest_of_the_top_level_is_read),
        cmocka_unit_test(memory_sizes_have_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

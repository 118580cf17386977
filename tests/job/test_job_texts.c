/* The texts made of a job (canonical, full), overrides, and damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/job/analysis.h"
#include "tests/job/job_text.h"

static void parse(struct job *job, struct inputs *inputs, const char *more)
{
    struct err err;
    if (job_text_parse_with(job, inputs, more, &err))
        fail_msg("%s: %s", more, err.message);
}

static void canonical_texts_have_every_default(void **state)
{
    (void)state;
    struct job job;
    struct inputs inputs;
    parse(&job, &inputs, "sweeps: [{site: z, by: [head, layer]}]\n");
    assert_string_equal(
        job.sweeps[0].canonical,
        "{\"name\": \"z\", \"site\": \"z\", \"by\": [\"layer\", \"head\"], "
        "\"base\": \"corrupted\", \"value\": \"clean\", \"identity\": false, "
        "\"metrics\": [\"logit_diff\"], \"select\": {}, \"store\": "
        "{\"pairs\": \"all\", \"reduce\": [\"mean\", \"sem\", \"n\"]}}");
    assert_string_equal(
        job.canonical,
        "{\"weights\": \"raw\", \"require\": {}, \"skip_unchanged\": true}");
    job_free(&job);
    inputs_free(&inputs);
}

/* Two spellings, and whether they compute the same. */
static void canonical_texts_tell_what_computes_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool is_same;
    } rows[] = {
        {"{site: z, by: [layer, head]}", "{by: [head, layer], site: z}", true},
        {"{site: z, by: [layer], layers: [3, 0-2]}",
         "{site: z, by: [layer], layers: 0-3}", true},
        {"{site: z, by: [layer]}",
         "{site: z, by: [layer], base: corrupted, value: clean}", true},
        {"{site: z, by: [layer]}",
         "{site: z, by: [layer], description: d, store: {top: 3}}", true},
        {"{site: z, by: [layer], value: mean}",
         "{site: z, by: [layer], value: {mean: {per: position}}}", true},
        {"{site: z, by: [layer], positions: [end]}",
         "{site: z, by: [layer], labels: end}", true},
        {"{site: z, heads: [L1H1]}", "{site: z, by: [cell], heads: [L1H1]}",
         true},
        {"{site: z, by: [layer], value: mean}",
         "{site: z, by: [layer], value: {mean: {per: none}}}", false},
        {"{site: z, by: [layer]}", "{site: z, by: [layer], base: clean}",
         false},
        {"{site: z, by: [layer]}", "{site: z, by: [layer], layers: [0]}",
         false},
        {"{site: z, by: [layer]}", "{site: z, by: [layer], metrics: [prob]}",
         false},
        {"{site: z, by: [layer]}", "{site: z, by: [layer], select: {first: 1}}",
         false},
        {"{site: z, by: [layer]}",
         "{site: z, by: [layer], store: {pairs: none}}", false},
        {"{site: z, by: [layer]}", "{name: y, site: z, by: [layer]}", false},
        {"{site: z, by: [layer], positions: [1]}",
         "{site: z, by: [layer], positions: ['S1']}", false},
        {"{site: z, by: [layer], base: noised}",
         "{site: z, by: [layer], base: noised, value: clean, noise: {at: "
         "subject, site: embed, std: 3sigma, samples: 10, seed: 1}}",
         true},
        {"{site: z, by: [layer], base: noised}",
         "{site: z, by: [layer], base: clean, value: zero}", false},
        {"{site: z, by: [layer], base: noised, hold: [mlp_out]}",
         "{site: z, by: [layer], base: noised, hold: mlp_out, hold_noise: "
         "same}",
         true},
        {"{site: z, by: [layer], base: noised, hold: [mlp_out]}",
         "{site: z, by: [layer], base: noised, hold: [attn_out]}", false},
        {"{site: z, by: [layer], base: noised, hold: [mlp_out]}",
         "{site: z, by: [layer], base: noised, hold: [mlp_out], hold_noise: "
         "rome}",
         false},
        {"{site: z, by: [layer], base: noised}",
         "{site: z, by: [layer], base: noised, noise: {seed: per_pair}}",
         false},
        {"{site: z, by: [layer], base: noised}",
         "{site: z, by: [layer], base: noised, noise: {std: 3}}", false},
        {"{name: e, edits: [{site: z, layer: 1}]}",
         "{name: e, edits: [{site: z, layer: [1], value: clean}]}", true},
        {"{name: e, edits: [{site: z, value: base}]}",
         "{name: e, edits: [{site: z, from_run: corrupted}]}", true},
        {"{name: e, edits: [{site: z}, {site: q}]}",
         "{name: e, edits: [{site: q}, {site: z}]}", false},
        {"{name: e, edits: [{site: z}]}",
         "{name: e, edits: [{site: z, from_layer: 1}]}", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct job a, b;
        struct inputs a_inputs, b_inputs;
        char more[512];
        snprintf(more, sizeof more, "sweeps: [%s]\n", rows[i].a);
        parse(&a, &a_inputs, more);
        snprintf(more, sizeof more, "sweeps: [%s]\n", rows[i].b);
        parse(&b, &b_inputs, more);
        bool is_same =
            strcmp(a.sweeps[0].canonical, b.sweeps[0].canonical) == 0;
        if (is_same != rows[i].is_same)
            fail_msg("%s\n%s", a.sweeps[0].canonical, b.sweeps[0].canonical);
        job_free(&a);
        job_free(&b);
        inputs_free(&a_inputs);
        inputs_free(&b_inputs);
    }
}

static void analyses_have_canonical_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"name\": \"logit_lens\", \"as\": \"logit_lens\", \"run\": "
        "\"both\", \"positions\": [\"end\"], \"mid\": true, \"scale\": "
        "\"cached\", \"top\": 10}",
        "{\"name\": \"attention\", \"as\": \"a\", \"run\": \"clean\", "
        "\"positions\": \"all\", \"layers\": [0, 1]}",
        "{\"name\": \"head_scores\", \"as\": \"head_scores\", \"n\": 10, "
        "\"length\": 50, \"seed\": 0}"};
    struct job job;
    struct inputs inputs;
    parse(&job, &inputs,
          "analyses: [{name: logit_lens, description: d}, {name: attention, "
          "as: a, layers: 0-1, run: clean}, {name: head_scores}]\n");
    assert_int_equal(job.n_sweeps, 0);
    for (int i = 0; i < 3; i++)
        assert_string_equal(job.analyses[i].canonical, texts[i]);
    job_free(&job);
    inputs_free(&inputs);
}

/* A job with most of the language. */
static const char whole_job[] =
    "title: \"a \\\"quoted\\\" title\\twith a tab\"\n"
    "prepend_bos: false\nmin_gap: 0.1\nalign: start\nmemory: 1GB\n"
    "require: {clean: top1, margin: -0.25}\nskip_unchanged: false\n"
    "sweeps:\n"
    "- {name: a, description: 'd: e', site: z, by: [layer, label],\n"
    "   labels: [end], label_positions: each, heads: [0-1]}\n"
    "- {name: b, site: z, heads: [L1H2, L0H1], positions: [1, end],\n"
    "   base: clean, value: {resample: {n: 2, seed: 18}}}\n"
    "- {name: c, site: mlp_post, neurons: [L1N2], value: zero}\n"
    "- {name: d, site: pattern, by: [head, dest], dest: [end, -1], src: 0-2,\n"
    "   base: clean, value: corrupted, select: {first: 1}}\n"
    "- {name: e, site: embed, by: [dim], value: {mean: {per: none}},\n"
    "   dims: [3], metrics: [prob, {name: loss, at: answer}]}\n"
    "- {name: f, site: attn_scores, by: [], value: -inf}\n"
    "- {name: g, site: z, index: cells.csv, value: {add: v.npy,\n"
    "   scale: [0.1, -2]}}\n"
    "- {name: h, site: mlp_out, by: [layer], base: noised, hold: [attn_out,\n"
    "   mlp_out], hold_noise: rome, noise: {at: [S1, end], std: 0.1,\n"
    "   samples: 3, seed: per_pair}, window: {width: 2}}\n"
    "- {name: i, site: resid_mid, by: [layer], base: noised, noise: {at: all,\n"
    "   site: mlp_out, every_layer: true, std: 0, seed: 4294967295}}\n"
    "- {name: j, base: clean, edits: [{site: z, layer: 0-1, heads: [1],\n"
    "   positions: [2, -1], value: corrupted}, {site: attn_scores, dest: 2,\n"
    "   src: [end], value: -inf}, {site: resid_pre, layer: 1, positions: [2],\n"
    "   from_run: base, from_layer: 0, from_position: [end]}]}\n"
    "analyses:\n"
    "- {name: logit_lens, as: l, description: 'd: e', mid: false, top: 3,\n"
    "   scale: own, run: clean, positions: [end, -2, 1]}\n"
    "- {name: decompose, run: corrupted, positions: all}\n"
    "- {name: neurons, top: 7}\n"
    "- {name: attention, heads: [L1H2, L0H1]}\n"
    "- {name: attention, as: m, layers: 0-1, heads: [2]}\n"
    "- {name: head_scores, n: 2, length: 3, seed: 4}\n";

static void add_files(struct inputs *inputs)
{
    static const char cells[] = "layer,position,head\n0,1,2\n1,0,0\n";
    static const char header[] =
        "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, "
        "'shape': (4,), }                                                  "
        "      \n";
    static const float values[4] = {1, 2, 3, 4};
    unsigned char npy[128 + sizeof values];
    memset(npy, ' ', sizeof npy);
    memcpy(npy, header, sizeof header - 1);
    memcpy(npy + 128, values, sizeof values);
    job_text_add(inputs, "cells.csv", cells, sizeof cells - 1);
    job_text_add(inputs, "v.npy", npy, sizeof npy);
}

static void the_full_text_reads_back_as_the_same_job(void **state)
{
    (void)state;
    struct err err = {0};
    char text[8192];
    struct job job, again;
    struct inputs inputs, again_inputs;
    snprintf(text, sizeof text,
             "model: m\nmetrics: [logit_diff]\n"
             "pairs:\n- {clean_tokens: [1, 2, 3, 4], corrupted_tokens: [1, 5, "
             "3, 4], answer_tokens: 7,\n   wrong_tokens: 8, positions: {S1: "
             "{clean: 1, corrupted: [1, 2]}}, id: \"\\u00e9\\n\"}\n%s",
             whole_job);
    job_text_open(&inputs, text);
    add_files(&inputs);
    if (job_parse(&job, &inputs, NULL, 0, &err)) fail_msg("%s", err.message);
    job_text_open(&again_inputs, job.full_text);
    add_files(&again_inputs);
    if (job_parse(&again, &again_inputs, NULL, 0, &err))
        fail_msg("%s\n%s", err.message, job.full_text);
    assert_string_equal(again.full_text, job.full_text);
    assert_string_equal(again.canonical, job.canonical);
    assert_string_equal(again.title, "a \"quoted\" title\twith a tab");
    assert_int_equal(again.n_sweeps, 10);
    for (int i = 0; i < job.n_sweeps; i++)
        assert_string_equal(again.sweeps[i].canonical, job.sweeps[i].canonical);
    assert_int_equal(again.n_analyses, 6);
    for (int i = 0; i < job.n_analyses; i++)
        assert_string_equal(again.analyses[i].canonical,
                            job.analyses[i].canonical);
    assert_string_equal(again.analyses[0].description, "d: e");
    assert_non_null(strstr(job.sweeps[6].canonical, "\"index\": \"sha256:"));
    assert_true(again.sweeps[6].by[AXIS_SCALE]);
    struct pairs pairs, again_pairs;
    if (pairs_build(&pairs, &job, &inputs, &small_config, NULL, &err) ||
        pairs_build(&again_pairs, &again, &again_inputs, &small_config, NULL,
                    &err))
        fail_msg("%s", err.message);
    assert_memory_equal(&pairs.digest, &again_pairs.digest,
                        sizeof pairs.digest);
    pairs_free(&pairs);
    pairs_free(&again_pairs);
    job_free(&job);
    job_free(&again);
    inputs_free(&inputs);
    inputs_free(&again_inputs);
}

static void overrides_replace_and_add_keys(void **state)
{
    (void)state;
    static const char *const overrides[] = {
        "min_gap=0.25",
        "require.margin=2",
        "sweeps.1.layers=[0]",
        "sweeps.0.select.first=1",
        "pairs.0.answer_tokens=9",
        "title=a=b",
    };
    struct err err = {0};
    struct job job;
    struct inputs inputs;
    struct pairs pairs;
    job_text_open(&inputs,
                  "model: m\nmin_gap: 1\npairs:\n- {clean_tokens: [1, 2], "
                  "answer_tokens: 7, wrong_tokens: 8}\nmetrics: [logit_diff]\n"
                  "sweeps:\n- {name: a, site: z, by: [layer], base: clean, "
                  "value: zero}\n- {name: b, site: z, by: [layer], base: "
                  "clean, value: zero}\n");
    if (job_parse(&job, &inputs, overrides, 6, &err) ||
        pairs_build(&pairs, &job, &inputs, &small_config, NULL, &err))
        fail_msg("%s", err.message);
    assert_true(job.min_gap == 0.25);
    assert_true(job.require.has_margin && job.require.margin == 2);
    assert_false(job.sweeps[0].layers.is_given);
    assert_int_equal(job.sweeps[1].layers.n, 1);
    assert_int_equal(job.sweeps[0].select.first, 1);
    assert_int_equal(pairs.items[0].answer[0], 9);
    assert_string_equal(job.title, "a=b");
    pairs_free(&pairs);
    job_free(&job);
    inputs_free(&inputs);
}

static void a_wrong_override_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"min_gap", "--set min_gap: expected KEY=VALUE, for example "
                    "min_gap=0.01"},
        {"=3", "--set =3: expected KEY=VALUE, for example min_gap=0.01"},
        {"min_gap=x", "--set min_gap=x: min_gap: found 'x', expected a number "
                      "of at least 0"},
        {"mingap=1", "--set mingap=1: unknown key 'mingap'; did you mean "
                     "'min_gap'?"},
        {"model.x=1", "--set model.x=1: 'x' stands for a key of what is a "
                      "string"},
        {"sweeps.1.layers=[0]", "--set sweeps.1.layers=[0]: '1' stands for an "
                                "item of a list of 1; expected a number from "
                                "0 to 0"},
        {"sweeps.first=1", "--set sweeps.first=1: 'first' stands for an item "
                           "of a list of 1; expected a number from 0 to 0"},
        {"sweeps..x=1", "--set sweeps..x=1: a name between two dots is empty"},
        {"require..x=1", "--set require..x=1: a name between two dots is "
                         "empty"},
        {"sweeps.0.layers=[9", "--set sweeps.0.layers=[9: the value: "
                               "while parsing a flow sequence: did not find "
                               "expected ',' or ']'"},
        {"sweeps.0.layers=[a]", "--set sweeps.0.layers=[a]: sweep 'z': layers: "
                                "found 'a', expected whole numbers of at least "
                                "0 and ranges such as 0-3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        struct job job;
        struct inputs inputs;
        job_text_open(&inputs, "model: m\npairs: [{clean_tokens: [1]}]\n"
                               "sweeps: [{site: z, by: [layer]}]\n");
        assert_int_equal(job_parse(&job, &inputs, &rows[i].text, 1, &err),
                         STATUS_INPUT);
        assert_string_equal(err.message, rows[i].says);
        job_free(&job);
        inputs_free(&inputs);
    }
}

/* What pairs lack for a sweep that --set wrote: no line of the file. */
static void a_sweep_by_override_is_named_without_a_line(void **state)
{
    (void)state;
    static const char *const text =
        "sweeps=[{site: z, by: [layer], positions: [7]}]";
    struct err err = {0};
    struct job job;
    struct inputs inputs;
    struct pairs pairs;
    job_text_open(&inputs,
                  "model: m\nmetrics: [kl_base]\nsweeps: []\npairs: "
                  "[{clean_tokens: [1, 2], corrupted_tokens: [1, 3]}]\n");
    if (job_parse(&job, &inputs, &text, 1, &err)) fail_msg("%s", err.message);
    assert_int_equal(
        pairs_build(&pairs, &job, &inputs, &small_config, NULL, &err),
        STATUS_INPUT);
    assert_string_equal(err.message,
                        "job.yaml: --set: sweep 'z': positions: found position "
                        "7, but the longest corrupted run has 2 tokens");
    job_free(&job);
    inputs_free(&inputs);
}

static void every_truncation_of_a_job_is_refused_or_read(void **state)
{
    (void)state;
    char text[4096], cut[4096];
    snprintf(text, sizeof text,
             "model: m\npairs:\n- {clean_tokens: [1, 2], corrupted_tokens: "
             "[1, 3], answer_tokens: 7, wrong_tokens: 8}\n%s",
             whole_job);
    size_t n_read = 0;
    for (size_t n = 0; n < strlen(text); n++) {
        struct job job;
        struct inputs inputs;
        struct pairs pairs;
        struct err err = {0};
        memcpy(cut, text, n);
        cut[n] = '\0';
        job_text_open(&inputs, cut);
        add_files(&inputs);
        if (job_parse(&job, &inputs, NULL, 0, &err)) {
            assert_true(err.message[0] != '\0');
            assert_int_equal(err.status, STATUS_INPUT);
        } else {
            n_read++;
            if (!pairs_build(&pairs, &job, &inputs, &small_config, NULL, &err))
                pairs_free(&pairs);
        }
        job_free(&job);
        inputs_free(&inputs);
    }
    assert_true(n_read > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_texts_have_every_default),
        cmocka_unit_test(canonical_texts_tell_what_computes_the_same),
        cmocka_unit_test(analyses_have_canonical_texts),
        cmocka_unit_test(the_full_text_reads_back_as_the_same_job),
        cmocka_unit_test(overrides_replace_and_add_keys),
        cmocka_unit_test(a_wrong_override_is_named),
        cmocka_unit_test(a_sweep_by_override_is_named_without_a_line),
        cmocka_unit_test(every_truncation_of_a_job_is_refused_or_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

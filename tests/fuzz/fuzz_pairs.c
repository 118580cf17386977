/* A .jsonl of pairs, and an index file, of any bytes: the bytes up to the
 * first NUL are the pairs, the rest is the index. */
#include <stdlib.h>
#include <string.h>

#include "tests/job/job_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every position of a pair is inside its run. */
static void check_positions(const struct positions *positions, int n_tokens)
{
    for (int i = 0; i < positions->n; i++)
        if (positions->at[i] < 0 || positions->at[i] >= n_tokens ||
            (i && positions->at[i] <= positions->at[i - 1]))
            abort();
}

static void check_pair(const struct pair *pair)
{
    for (int run = 0; run < RUN_COUNT; run++) {
        int n = pair->run[run].n_tokens;
        if (n > small_config.n_ctx || pair->run[run].n_prompt > n) abort();
        for (int i = 0; i < n; i++)
            if (pair->run[run].tokens[i] < 0 ||
                pair->run[run].tokens[i] >= small_config.n_vocab)
                abort();
        check_positions(&pair->read[run], n);
        if (n && pair->read[run].n == 0) abort();
        for (int i = 0; i < pair->n_labels; i++)
            check_positions(&pair->labels[i].run[run], n);
    }
}

static void build(const char *text, const uint8_t *lines, size_t n_lines,
                  const uint8_t *index, size_t n_index)
{
    struct err err = {0};
    struct inputs inputs;
    struct job job;
    struct pairs pairs;
    job_text_open(&inputs, text);
    job_text_add(&inputs, "p.jsonl", lines, n_lines);
    job_text_add(&inputs, "c.csv", index, n_index);
    if (!job_parse(&job, &inputs, NULL, 0, &err)) {
        if (!pairs_build(&pairs, &job, &inputs, &small_config, NULL, &err)) {
            for (int i = 0; i < pairs.n; i++)
                check_pair(&pairs.items[i]);
            pairs_free(&pairs);
        }
        job_free(&job);
    }
    if (err.status && !err.message[0]) abort();
    inputs_free(&inputs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size ? memchr(data, '\0', size) : NULL;
    size_t n = nul ? (size_t)(nul - data) : size;
    size_t rest = nul ? size - n - 1 : 0;
    build("{model: m, pairs: p.jsonl, metrics: [kl_base], align: end, "
          "both_ways: true, sweeps: [{site: z, by: [layer]}]}",
          data, n, data, 0);
    build("{model: m, pairs: p.jsonl, metrics: [kl_base], "
          "sweeps: [{site: z, by: [layer, label], base: clean, value: zero}, "
          "{name: i, site: z, index: c.csv, base: clean, value: zero}]}",
          data, n, nul ? nul + 1 : data, rest);
    return 0;
}

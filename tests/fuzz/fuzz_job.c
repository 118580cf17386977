/* A job file of any bytes; what parses is written out again, and its pairs
 * are built. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/job/job_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The full text must parse, to the same sweeps. */
static void check_full_text(const struct job *job)
{
    struct inputs inputs;
    struct job again;
    struct err err = {0};
    job_text_open(&inputs, job->full_text);
    if (job_parse(&again, &inputs, NULL, 0, &err)) abort();
    if (again.n_sweeps != job->n_sweeps) abort();
    for (int i = 0; i < job->n_sweeps; i++)
        if (strcmp(again.sweeps[i].canonical, job->sweeps[i].canonical) != 0)
            abort();
    job_free(&again);
    inputs_free(&inputs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct inputs inputs;
    struct job job;
    struct pairs pairs;
    job_text_open(&inputs, "");
    job_text_add(&inputs, "fuzzed.yaml", data, size);
    free(inputs.job);
    inputs.job = mem_strdup("fuzzed.yaml", &err);
    if (!err.status && !job_parse(&job, &inputs, NULL, 0, &err)) {
        check_full_text(&job);
        if (!pairs_build(&pairs, &job, &inputs, &small_config, NULL, &err))
            pairs_free(&pairs);
        job_free(&job);
    }
    if (err.status && !err.message[0]) abort();
    inputs_free(&inputs);
    return 0;
}

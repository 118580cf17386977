#include "tests/plan/planned.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/job/job_text.h"

static void ok(enum status status, const struct err *err)
{
    if (status) fail_msg("%s", err->message);
}

void planned_open(struct planned *out, const struct model_config *config,
                  const char *text, const char *const *files)
{
    struct err err = {0};
    struct digest model = {{1}};
    *out = (struct planned){0};
    job_text_open(&out->inputs, text);
    for (size_t i = 0; files && files[i]; i += 2)
        job_text_add(&out->inputs, files[i], files[i + 1],
                     strlen(files[i + 1]));
    ok(job_parse(&out->job, &out->inputs, NULL, 0, &err), &err);
    ok(pairs_build(&out->pairs, &out->job, &out->inputs, config, NULL, &err),
       &err);
    for (int s = 0; s < out->job.n_sweeps; s++)
        if (out->job.sweeps[s].value.prompts)
            ok(pairs_build_reference(
                   &out->references[s], &out->job, &out->inputs,
                   out->job.sweeps[s].value.prompts, config, NULL, &err),
               &err);
    ok(plan_open(&out->plan, &out->job, &out->pairs, out->references, config,
                 &model, &err),
       &err);
}

void planned_extend(struct planned *planned)
{
    struct err err = {0};
    ok(plan_extend(&planned->plan, &planned->record, &err), &err);
}

void planned_close(struct planned *planned)
{
    plan_free(&planned->plan);
    pairs_free(&planned->pairs);
    job_free(&planned->job);
    inputs_free(&planned->inputs);
    buf_free(&planned->record);
}

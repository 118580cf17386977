#include "tests/job/job_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

const struct model_config small_config = {.n_layer = 2,
                                          .n_head = 3,
                                          .d_model = 12,
                                          .d_head = 4,
                                          .d_mlp = 20,
                                          .n_ctx = 16,
                                          .n_vocab = 100,
                                          .bos = -1,
                                          .ln_eps = 1e-5f,
                                          .scale_attn = true,
                                          .is_tied = true};

static void check(bool is_good)
{
    if (is_good) return;
    fprintf(stderr, "a test could not make its inputs\n");
    abort();
}

void job_text_add(struct inputs *inputs, const char *path, const void *data,
                  size_t n)
{
    struct err err = {0};
    struct input *input = calloc(1, sizeof *input);
    check(input != NULL);
    input->path = mem_strdup(path, &err);
    input->data = calloc(n + 1, 1);
    check(input->path && input->data);
    memcpy(input->data, data, n);
    input->n = n;
    check(!digest_of(&input->digest, data, n, &err));
    check(!mem_grow(&inputs->items, &inputs->capacity, inputs->n + 1,
                    sizeof *inputs->items, "inputs", &err));
    inputs->items[inputs->n++] = input;
}

void job_text_open(struct inputs *out, const char *text)
{
    struct err err = {0};
    check(!inputs_open(out, "folder/job.yaml", &err));
    out->is_collecting = false;
    job_text_add(out, "job.yaml", text, strlen(text));
}

enum status job_text_parse(struct job *out, struct inputs *inputs,
                           const char *text, struct err *err)
{
    *err = (struct err){0};
    job_text_open(inputs, text);
    return job_parse(out, inputs, NULL, 0, err);
}

enum status job_text_parse_with(struct job *out, struct inputs *inputs,
                                const char *more, struct err *err)
{
    char text[8192];
    snprintf(text, sizeof text,
             "model: m\n"
             "metrics: [logit_diff]\n"
             "pairs:\n"
             "- {clean_tokens: [1, 2, 3, 4], corrupted_tokens: [1, 5, 3, 4],"
             " answer_tokens: 7, wrong_tokens: 8}\n"
             "%s",
             more);
    return job_text_parse(out, inputs, text, err);
}

#include <math.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/text_tokens.h"
#include "common/base/mem.h"
#include "common/model/forward.h"
#include "common/model/kernels.h"

static const char help[] =
    "usage: patchsweep next MODEL TEXT [options]\n"
    "\n"
    "The tokens that a model finds most probable after a text: rank, id, "
    "token,\n"
    "probability, logit. Pick pairs with it whose answers the model knows.\n"
    "\n"
    "  --bos, --no-bos   with the model's BOS token first (default), or not\n"
    "  -k N              so many tokens (default 20)\n"
    "\n"
    "example: patchsweep next models/demo \"Michelle Jones was\" -k 5\n";

struct candidate {
    float logit;
    int id;
};

/* Falling logits; the lowest id of a tie first. */
static int compare(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->logit != y->logit) return x->logit > y->logit ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static enum status print_next(const struct model *model, const float *logits,
                              int k, struct err *err)
{
    size_t n = (size_t)model->config.n_vocab;
    struct candidate *order = mem_calloc(n, sizeof *order, "the logits", err);
    if (!order) return err->status;
    for (size_t i = 0; i < n; i++)
        order[i] = (struct candidate){logits[i], (int)i};
    qsort(order, n, sizeof *order, compare);
    double total = kernels_logsumexp(logits, n);
    struct buf text = {0};
    command_print_banner(stdout, model->config.banner);
    printf("rank     id  probability     logit  token\n");
    for (int i = 0; i < k && (size_t)i < n; i++)
        printf("%4d %6d  %11.6f  %8.4f  %s\n", i + 1, order[i].id,
               exp((double)order[i].logit - total), (double)order[i].logit,
               text_token_quoted(&text, model->tokenizer, order[i].id));
    buf_free(&text);
    free(order);
    return STATUS_OK;
}

static enum status next(const struct model *model, const char *text,
                        bool with_bos, int k, struct err *err)
{
    int *ids = NULL;
    size_t n, n_vocab = (size_t)model->config.n_vocab;
    float *logits = NULL;
    if (text_tokens(&ids, &n, model, text, with_bos, err)) goto out;
    if (n == 0) {
        (void)err_set(err, STATUS_INPUT,
                      "the text is empty and --no-bos leaves no token");
        goto out;
    }
    if (forward_check_tokens(&model->config, ids, n, err)) goto out;
    logits = mem_calloc(n * n_vocab, sizeof *logits, "the logits", err);
    if (!logits || forward_run(&model->weights, ids, n, NULL, logits, err) ||
        print_next(model, logits + (n - 1) * n_vocab, k, err))
        goto out;
out:
    free(logits);
    free(ids);
    return err->status;
}

enum status cmd_next(int argc, char **argv, int *exit_status, struct err *err)
{
    (void)exit_status;
    bool is_help = false, is_done, with_bos = true;
    int k = 20;
    const char *values[2];
    const struct option_spec specs[] = {{"bos", 0, OPTION_SET, &with_bos},
                                        {"no-bos", 0, OPTION_UNSET, &with_bos},
                                        {"top", 'k', OPTION_COUNT, &k},
                                        {"help", 'h', OPTION_HELP, &is_help}};
    static const char *const names[] = {"MODEL", "TEXT"};
    const struct command_line line = {.command = "next",
                                      .specs = specs,
                                      .n_specs = 4,
                                      .names = names,
                                      .least = 2,
                                      .most = 2};
    struct model model;
    if (command_parse(&line, help, &is_help, argc, argv, values, &is_done,
                      err) ||
        is_done || model_files_open(&model, values[0], true, err))
        return err->status;
    (void)(next(&model, values[1], with_bos, k, err) == 0);
    model_files_close(&model);
    return err->status;
}

#include <stdlib.h>

#include "cli/command.h"
#include "cli/text_tokens.h"

static const char help[] =
    "usage: patchsweep tokenize MODEL TEXT [--bos]\n"
    "\n"
    "The tokens of a text as GPT-2's tokenizer sees it: position, id, token.\n"
    "The text \"<|endoftext|>\" is the special token, as in jobs.\n"
    "\n"
    "  --bos     with the model's BOS token first, as jobs run it by default\n"
    "\n"
    "example: patchsweep tokenize models/demo \" Jones\"\n";

enum status cmd_tokenize(int argc, char **argv, int *exit_status,
                         struct err *err)
{
    (void)exit_status;
    bool is_help = false, is_done, with_bos = false;
    const char *values[2];
    const struct option_spec specs[] = {{"bos", 0, OPTION_SET, &with_bos},
                                        {"help", 'h', OPTION_HELP, &is_help}};
    static const char *const names[] = {"MODEL", "TEXT"};
    const struct command_line line = {.command = "tokenize",
                                      .specs = specs,
                                      .n_specs = 2,
                                      .names = names,
                                      .least = 2,
                                      .most = 2};
    struct model model;
    int *ids = NULL;
    size_t n;
    if (command_parse(&line, help, &is_help, argc, argv, values, &is_done,
                      err) ||
        is_done || model_files_open(&model, values[0], false, err))
        return err->status;
    struct buf text = {0};
    if (text_tokens(&ids, &n, &model, values[1], with_bos, err) == STATUS_OK) {
        printf("position     id  token\n");
        for (size_t i = 0; i < n; i++)
            printf("%8zu %6d  %s\n", i, ids[i],
                   text_token_quoted(&text, model.tokenizer, ids[i]));
    }
    buf_free(&text);
    free(ids);
    model_files_close(&model);
    return err->status;
}

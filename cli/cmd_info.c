#include "cli/command.h"
#include "cli/model_files.h"

static const char help[] =
    "usage: patchsweep info MODEL\n"
    "\n"
    "What the model in a folder is: sizes, mathematics, tokenizer, and the\n"
    "digest of its weights by which results name it.\n"
    "\n"
    "example: patchsweep info models/demo\n";

static void print_info(const struct model *model, size_t bytes)
{
    const struct model_config *config = &model->config;
    char size[32], hex[DIGEST_HEX];
    command_bytes((double)bytes, size, sizeof size);
    digest_hex(hex, &model->digest);
    command_print_banner(stdout, config->banner);
    printf("%-12s %d\n", "layers", config->n_layer);
    printf("%-12s %d of %d\n", "heads", config->n_head, config->d_head);
    printf("%-12s %d\n", "d_model", config->d_model);
    printf("%-12s %d\n", "d_mlp", config->d_mlp);
    printf("%-12s %d\n", "positions", config->n_ctx);
    printf("%-12s %d\n", "vocabulary", config->n_vocab);
    printf("%-12s %s, layer norm eps %g\n", "activation",
           activation_name(config->activation), (double)config->ln_eps);
    printf("%-12s %s\n", "unembedding",
           config->is_tied ? "tied to the embedding" : "its own");
    if (config->bos >= 0)
        printf("%-12s %d\n", "bos", config->bos);
    else
        printf("%-12s none\n", "bos");
    if (model->tokenizer)
        printf("%-12s %d tokens, Unicode %s\n", "tokenizer",
               tokenizer_n_vocab(model->tokenizer),
               tokenizer_unicode_version(model->tokenizer));
    else
        printf("%-12s none: pairs give ids\n", "tokenizer");
    printf("%-12s %.1f million, %s as float32\n", "parameters",
           (double)bytes / 4e6, size);
    printf("%-12s %s\n", "sha256", hex);
}

enum status cmd_info(int argc, char **argv, int *exit_status, struct err *err)
{
    (void)exit_status;
    bool is_help = false, is_done;
    const char *folder;
    const struct option_spec specs[] = {{"help", 'h', OPTION_HELP, &is_help}};
    static const char *const names[] = {"MODEL"};
    const struct command_line line = {.command = "info",
                                      .specs = specs,
                                      .n_specs = 1,
                                      .names = names,
                                      .least = 1,
                                      .most = 1};
    struct model model;
    size_t bytes;
    if (command_parse(&line, help, &is_help, argc, argv, &folder, &is_done,
                      err) ||
        is_done || model_files_open(&model, folder, true, err))
        return err->status;
    if (weights_bytes(&bytes, &model.config, err) == STATUS_OK)
        print_info(&model, bytes);
    model_files_close(&model);
    return err->status;
}

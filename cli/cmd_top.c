#include <stdlib.h>

#include "cli/command.h"
#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/store/h5.h"
#include "common/store/top.h"

static const char help[] =
    "usage: patchsweep top OUT [NAME] [options]\n"
    "\n"
    "The cells with the largest mean effect over the pairs, strongest first,\n"
    "from OUT/results.h5: of one sweep, or of each. Of the analyses "
    "decompose,\n"
    "heads and head_scores the parts with the largest mean values.\n"
    "\n"
    "  -n, --number N     so many cells (default 10)\n"
    "  --metric NAME      by this metric (default: the sweep's first)\n"
    "\n"
    "example: patchsweep top out/michelle resid_post -n 20\n";

/* The file's warning about its model, where it has one. */
static enum status print_banner(const char *folder, struct err *err)
{
    char *banner = NULL, *path = file_join(folder, "results.h5", err);
    if (!path) return err->status;
    struct h5 *h5 = NULL;
    if (!file_exists(path))
        (void)err_set(err, STATUS_INPUT,
                      "there is no %s: patchsweep gather %s makes it", path,
                      folder);
    else
        h5 = h5_open(path, err);
    if (h5) {
        banner = h5_get_text(h5, "/", "banner");
        if (h5_close(h5, err) == STATUS_OK)
            command_print_banner(stdout, banner);
    }
    free(banner);
    free(path);
    return err->status;
}

enum status cmd_top(int argc, char **argv, int *exit_status, struct err *err)
{
    (void)exit_status;
    bool is_help = false, is_done;
    int n = 10;
    const char *metric = NULL, *values[2];
    const struct option_spec specs[] = {{"number", 'n', OPTION_COUNT, &n},
                                        {"metric", 0, OPTION_TEXT, &metric},
                                        {"help", 'h', OPTION_HELP, &is_help}};
    static const char *const names[] = {"OUT", "NAME"};
    const struct command_line line = {.command = "top",
                                      .specs = specs,
                                      .n_specs = 3,
                                      .names = names,
                                      .least = 1,
                                      .most = 2};
    if (command_parse(&line, help, &is_help, argc, argv, values, &is_done,
                      err) ||
        is_done)
        return err->status;
    struct buf table = {0};
    if (print_banner(values[0], err)) return err->status;
    if (top_print(&table, values[0], values[1], metric, n, err) == STATUS_OK &&
        buf_check(&table, "the table", err) == STATUS_OK)
        fwrite(table.data, 1, table.n, stdout);
    buf_free(&table);
    return err->status;
}

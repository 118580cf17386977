#include <stdlib.h>

#include "cli/command.h"
#include "common/base/buf.h"
#include "common/store/top.h"

static const char help[] =
    "usage: patchsweep top OUT [SWEEP] [options]\n"
    "\n"
    "The cells with the largest mean effect over the pairs, strongest first,\n"
    "from OUT/results.h5: of one sweep, or of each.\n"
    "\n"
    "  -n, --number N     so many cells (default 10)\n"
    "  --metric NAME      by this metric (default: the sweep's first)\n"
    "\n"
    "example: patchsweep top out/michelle resid_post -n 20\n";

enum status cmd_top(int argc, char **argv, int *exit_status, struct err *err)
{
    (void)exit_status;
    bool is_help = false, is_done;
    int n = 10;
    const char *metric = NULL, *values[2];
    const struct option_spec specs[] = {{"number", 'n', OPTION_COUNT, &n},
                                        {"metric", 0, OPTION_TEXT, &metric},
                                        {"help", 'h', OPTION_HELP, &is_help}};
    static const char *const names[] = {"OUT", "SWEEP"};
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
    if (top_print(&table, values[0], values[1], metric, n, err) == STATUS_OK &&
        buf_check(&table, "the table", err) == STATUS_OK)
        fwrite(table.data, 1, table.n, stdout);
    buf_free(&table);
    return err->status;
}

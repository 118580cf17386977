#include "cli/command.h"

enum status command_parse(const struct command_line *line, const char *help,
                          const bool *is_help, int argc, char **argv,
                          const char **values, bool *is_done, struct err *err)
{
    *is_done = false;
    if (options_parse(line, argc, argv, values, err)) return err->status;
    if (*is_help) {
        fputs(help, stdout);
        *is_done = true;
    }
    return STATUS_OK;
}

void command_print_banner(FILE *stream, const char *banner)
{
    if (banner && *banner) fprintf(stream, "*** %s ***\n", banner);
}

void command_bytes(double bytes, char *text, size_t n)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        bytes /= 1024;
        unit++;
    }
    snprintf(text, n, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

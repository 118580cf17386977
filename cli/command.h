/* command.h - the commands of the program, one file cmd_NAME.c each. */
#ifndef PATCHSWEEP_CLI_COMMAND_H
#define PATCHSWEEP_CLI_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/options.h"
#include "common/base/err.h"

/* code, name, what it does. All but run and verify live without MPI. */
#define COMMAND_LIST(X)                                                        \
    X(run, "compute a job's sweeps; run again on the same OUT to resume")      \
    X(verify, "whether a model gives what was published about GPT-2 small")    \
    X(plan, "what a job will cost, before it runs")                            \
    X(gather, "make results.h5 again from the journal")                        \
    X(status, "how far a run is, and who holds it")                            \
    X(top, "the strongest cells of a sweep")                                   \
    X(next, "a model's most probable next tokens")                             \
    X(tokenize, "a text's tokens and their ids")                               \
    X(info, "what a model is")

/* argv[0] is the command's name. *exit_status is set where the command has
 * one of its own (status --exit-code); a failure's is that of err. */
#define COMMAND_DECLARE(name, summary)                                         \
    enum status cmd_##name(int argc, char **argv, int *exit_status,            \
                           struct err *err) WARN_UNUSED;
COMMAND_LIST(COMMAND_DECLARE)
#undef COMMAND_DECLARE

/* Parse; where --help is asked for print help and set *is_done. */
enum status command_parse(const struct command_line *line, const char *help,
                          const bool *is_help, int argc, char **argv,
                          const char **values, bool *is_done,
                          struct err *err) WARN_UNUSED;

/* The model's warning, where it has one, above whatever follows. */
void command_print_banner(FILE *stream, const char *banner);

/* "1.5 GiB", "12.3 MiB" into text of n bytes. */
void command_bytes(double bytes, char *text, size_t n);

#endif

/* cmd_verify.h - as cmd_run.h: the command line, the checks and whether they
 * are about the model before MPI_Init, then the runs and their comparison. */
#ifndef PATCHSWEEP_CLI_CMD_VERIFY_H
#define PATCHSWEEP_CLI_CMD_VERIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/checks.h"
#include "common/base/err.h"
#include "common/transport/mpi_group.h"

struct verify_arguments {
    const char *model;
    const char *folder; /* of the runs; NULL: a temporary one */
    size_t memory_bytes;
    struct checks checks;
};

/* *is_done: help was printed and there is nothing more to do. Reads the checks
 * and the model's config.json; a model that they are not about is
 * STATUS_INPUT. Release with cmd_verify_free, also after a failure. */
enum status cmd_verify_parse(struct verify_arguments *out, int argc,
                             char **argv, bool *is_done,
                             struct err *err) WARN_UNUSED;
void cmd_verify_free(struct verify_arguments *arguments);

/* Collective over group; as cmd_run_execute. STATUS_DIFFERENT where a check
 * failed. */
enum status cmd_verify_execute(const struct verify_arguments *arguments,
                               struct group *group, double start_s,
                               bool *must_abort, int *exit_status,
                               struct err *err) WARN_UNUSED;

#endif

/* cmd_run.h - the command that runs under MPI, in two steps: the command line
 * before MPI_Init, the run after it. */
#ifndef PATCHSWEEP_CLI_CMD_RUN_H
#define PATCHSWEEP_CLI_CMD_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/options.h"
#include "common/base/err.h"
#include "common/transport/mpi_group.h"

struct run_arguments {
    const char *job, *folder, *model;
    struct option_list overrides;
    size_t memory_bytes; /* 0: the job's, else 80 % of the node's */
    double sync_s, time_limit_s;
    bool accept_change, break_lock, is_gathering;
};

/* *is_done: help was printed and there is nothing more to do. */
enum status cmd_run_parse(struct run_arguments *out, int argc, char **argv,
                          bool *is_done, struct err *err) WARN_UNUSED;

/* Collective over group: the whole run. start_s: clock_now_s() when the
 * program began. *must_abort: some rank or thread is still at work and cannot
 * be waited for, so MPI_Finalize would not return. *exit_status is the run's
 * on every rank; a failure's sentence is for rank 0 to print unless
 * must_abort. */
enum status cmd_run_execute(const struct run_arguments *arguments,
                            struct group *group, double start_s,
                            bool *must_abort, int *exit_status,
                            struct err *err) WARN_UNUSED;

#endif

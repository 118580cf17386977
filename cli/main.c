/* main.c - the program: which command, MPI for `run` and `verify`, exit
 * statuses. */
#include <mpi.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd_run.h"
#include "cli/cmd_verify.h"
#include "cli/command.h"
#include "cli/models.h"
#include "cli/signals.h"
#include "cli/version.h"
#include "common/base/clock.h"
#include "coordinator/serve.h"

static void print_usage(FILE *stream)
{
    fputs("usage: patchsweep COMMAND ...\n"
          "\n"
          "Activation-patching sweeps on GPT-2 models, on many cores.\n"
          "\n",
          stream);
#define PRINT_COMMAND(name, summary)                                           \
    fprintf(stream, "  %-9s %s\n", #name, summary);
    COMMAND_LIST(PRINT_COMMAND)
#undef PRINT_COMMAND
    fputs("\n"
          "patchsweep COMMAND --help tells more; patchsweep --version says\n"
          "what it was built from.\n"
          "\n"
          "example: mpirun -n 8 patchsweep run jobs/michelle.yaml -o out\n",
          stream);
}

static void complain(const struct err *err)
{
    fprintf(stderr, "patchsweep: %s\n", err->message);
}

/* Before MPI_Init every rank would say the same; the first is enough. */
static bool is_first_rank(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK",
                                        "PMI_RANK", "SLURM_PROCID"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *rank = getenv(names[i]);
        if (rank) return strcmp(rank, "0") == 0;
    }
    return true;
}

/* Ranks or threads are at work that cannot be waited for. */
static void end_at_once(int n_ranks, int exit_status)
{
    (void)fflush(NULL);
    if (n_ranks > 1) (void)MPI_Abort(MPI_COMM_WORLD, exit_status);
    _exit(exit_status);
}

/* A command between MPI_Init and MPI_Finalize, as cmd_run_execute. */
typedef enum status execute_under_mpi(const void *arguments,
                                      struct group *group, double start_s,
                                      bool *must_abort, int *exit_status,
                                      struct err *err);

static enum status execute_run(const void *arguments, struct group *group,
                               double start_s, bool *must_abort,
                               int *exit_status, struct err *err)
{
    return models_run(arguments, group, start_s, must_abort, exit_status, err);
}

static enum status execute_verify(const void *arguments, struct group *group,
                                  double start_s, bool *must_abort,
                                  int *exit_status, struct err *err)
{
    return cmd_verify_execute(arguments, group, start_s, must_abort,
                              exit_status, err);
}

static int run_under_mpi(execute_under_mpi *execute, const void *arguments,
                         double start_s)
{
    struct err err = {0};
    struct group *group = NULL;
    int provided = 0, exit_status = 1;
    bool must_abort = false;
    if (signals_install(&err)) {
        complain(&err);
        return status_exit(err.status);
    }
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) !=
        MPI_SUCCESS) {
        fputs("patchsweep: MPI_Init_thread failed\n", stderr);
        return 1;
    }
    if (provided < MPI_THREAD_FUNNELED) {
        fputs("patchsweep: this MPI does not support threads\n", stderr);
        (void)MPI_Finalize();
        return 1;
    }
    if (group_open(&group, &err)) {
        complain(&err);
        end_at_once(2, 1);
    }
    int rank = group_rank(group), n_ranks = group_size(group);
    enum status status =
        execute(arguments, group, start_s, &must_abort, &exit_status, &err);
    if (status != STATUS_OK && (rank == 0 || must_abort)) complain(&err);
    if (must_abort) end_at_once(n_ranks, exit_status);
    group_close(group);
    (void)MPI_Finalize();
    return exit_status;
}

enum status cmd_run(int argc, char **argv, int *exit_status, struct err *err)
{
    struct run_arguments arguments;
    bool is_done;
    double start_s = clock_now_s();
    if (cmd_run_parse(&arguments, argc, argv, &is_done, err) || is_done)
        return err->status;
    *exit_status = run_under_mpi(execute_run, &arguments, start_s);
    return STATUS_OK;
}

enum status cmd_verify(int argc, char **argv, int *exit_status, struct err *err)
{
    struct verify_arguments arguments;
    bool is_done;
    double start_s = clock_now_s();
    if (cmd_verify_parse(&arguments, argc, argv, &is_done, err) == STATUS_OK &&
        !is_done)
        *exit_status = run_under_mpi(execute_verify, &arguments, start_s);
    cmd_verify_free(&arguments);
    return err->status;
}

static const struct {
    const char *name;
    enum status (*execute)(int argc, char **argv, int *exit_status,
                           struct err *err);
} commands[] = {
#define COMMAND_ROW(name, summary) {#name, cmd_##name},
    COMMAND_LIST(COMMAND_ROW)
#undef COMMAND_ROW
};

static int dispatch(int argc, char **argv)
{
    struct err err = {0};
    int exit_status = 0;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, argv[1]) != 0) continue;
        if (commands[i].execute(argc - 1, argv + 1, &exit_status, &err)) {
            if (is_first_rank()) complain(&err);
            return status_exit(err.status);
        }
        return exit_status;
    }
    if (is_first_rank())
        fprintf(stderr,
                "patchsweep: unknown command '%s' (patchsweep --help lists "
                "them)\n",
                argv[1]);
    return status_exit(STATUS_USAGE);
}

int main(int argc, char **argv)
{
    int exit_status = 0;
    if (argc < 2) {
        print_usage(stderr);
        return status_exit(STATUS_USAGE);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        print_usage(stdout);
    else if (strcmp(argv[1], "--version") == 0)
        version_print(stdout);
    else
        exit_status = dispatch(argc, argv);
    if (fflush(stdout) != 0 && exit_status == 0) {
        fputs("patchsweep: cannot write to standard output\n", stderr);
        exit_status = 1;
    }
    return exit_status;
}

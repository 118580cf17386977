#include "cli/version.h"

#include <stdlib.h>
#include <time.h>

#include "build_info.h"
#include "common/model/kernels.h"
#include "common/store/runinfo.h"
#include "common/transport/mpi_group.h"

void version_print(FILE *stream)
{
    char mpi[128];
    group_library(mpi, sizeof mpi);
    fprintf(stream,
            "patchsweep %s\n"
            "revision  %s\n"
            "compiler  %s (%s)\n"
            "flags     %s\n"
            "MPI       %s\n"
            "HDF5      %s\n"
            "BLAS      %s, kernels %s; row loops %s\n",
            BUILD_VERSION, BUILD_REVISION, BUILD_COMPILER, BUILD_TYPE,
            BUILD_FLAGS, mpi, PATCHSWEEP_HDF5, kernels_blas_name(),
            kernels_blas_core(), kernels_rows_name());
}

void version_put_start(struct buf *out)
{
    char mpi[128], now[32] = "";
    time_t seconds = time(NULL);
    struct tm utc;
    if (gmtime_r(&seconds, &utc))
        (void)strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", &utc);
    group_library(mpi, sizeof mpi);
    const char *job = getenv("SLURM_JOB_ID");
    const char *nodes = getenv("SLURM_JOB_NODELIST");
    const char *restarts = getenv("SLURM_RESTART_COUNT"); /* unset: none */
    runinfo_put_text(out, RUNINFO_STARTED, now);
    if (job) runinfo_put_text(out, RUNINFO_SLURM_JOB_ID, job);
    if (nodes) runinfo_put_text(out, RUNINFO_SLURM_NODES, nodes);
    if (job)
        runinfo_put_count(out, RUNINFO_SLURM_RESTARTS,
                          restarts ? strtoll(restarts, NULL, 10) : 0);
    runinfo_put_text(out, RUNINFO_VERSION, BUILD_VERSION);
    runinfo_put_text(out, RUNINFO_GIT_REVISION, BUILD_REVISION);
    runinfo_put_text(out, RUNINFO_COMPILER, BUILD_COMPILER);
    runinfo_put_text(out, RUNINFO_FLAGS, BUILD_FLAGS);
    runinfo_put_text(out, RUNINFO_MPI, mpi);
    runinfo_put_text(out, RUNINFO_HDF5, PATCHSWEEP_HDF5);
    runinfo_put_text(out, RUNINFO_BLAS, kernels_blas_name());
}

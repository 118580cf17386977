/* runinfo.h - what a start of the program records about itself: the text of
 * JOURNAL_START and JOURNAL_END, and the columns of /run in results.h5.
 *
 * A text has one line "key = value" for each key it gives; a newline inside a
 * value becomes a blank. Keys may be left out: a text is then "", a number NaN
 * and a count -1 in results.h5. flops, compute_s and units_computed of a start
 * that left no END are summed from its results by gather. */
#ifndef PATCHSWEEP_COMMON_STORE_RUNINFO_H
#define PATCHSWEEP_COMMON_STORE_RUNINFO_H

#include <stdint.h>

#include "common/base/buf.h"

enum runinfo_kind { RUNINFO_TEXT, RUNINFO_COUNT, RUNINFO_NUMBER };

/* code, key, kind, units, long name. Times are UTC, "2024-05-01T12:00:00Z". */
#define RUNINFO_LIST(X)                                                        \
    X(RUNINFO_STARTED, "started", RUNINFO_TEXT, "1", "when it started, UTC")   \
    X(RUNINFO_HOSTS, "hosts", RUNINFO_TEXT, "1", "nodes, blank-separated")     \
    X(RUNINFO_RANKS, "ranks", RUNINFO_COUNT, "1", "MPI ranks")                 \
    X(RUNINFO_THREADS, "threads", RUNINFO_COUNT, "1", "BLAS threads a rank")   \
    X(RUNINFO_SLURM_JOB_ID, "slurm_job_id", RUNINFO_TEXT, "1", "Slurm job")    \
    X(RUNINFO_SLURM_NODES, "slurm_nodes", RUNINFO_TEXT, "1",                   \
      "Slurm's list of nodes")                                                 \
    X(RUNINFO_SLURM_RESTARTS, "slurm_restarts", RUNINFO_COUNT, "1",            \
      "times that Slurm had requeued the job")                                 \
    X(RUNINFO_VERSION, "version", RUNINFO_TEXT, "1", "version of patchsweep")  \
    X(RUNINFO_GIT_REVISION, "git_revision", RUNINFO_TEXT, "1",                 \
      "git revision it was built from")                                        \
    X(RUNINFO_COMPILER, "compiler", RUNINFO_TEXT, "1", "compiler")             \
    X(RUNINFO_FLAGS, "flags", RUNINFO_TEXT, "1", "compiler flags")             \
    X(RUNINFO_MPI, "mpi", RUNINFO_TEXT, "1", "MPI library")                    \
    X(RUNINFO_HDF5, "hdf5", RUNINFO_TEXT, "1", "HDF5 library")                 \
    X(RUNINFO_BLAS, "blas", RUNINFO_TEXT, "1", "BLAS library")                 \
    X(RUNINFO_BLAS_KERNEL, "blas_kernel", RUNINFO_TEXT, "1",                   \
      "kernels that BLAS chose, one a CPU type")                               \
    X(RUNINFO_GEMM_GFLOPS, "gemm_gflops", RUNINFO_NUMBER, "1e9 s-1",           \
      "rate of a plain 512 x 768 x 3072 product on one rank, mean over ranks") \
    X(RUNINFO_CPU, "cpu", RUNINFO_TEXT, "1", "CPU types of the nodes")         \
    X(RUNINFO_ENDED, "ended", RUNINFO_TEXT, "1", "when it ended, UTC")         \
    X(RUNINFO_ENDING, "ending", RUNINFO_TEXT, "1",                             \
      "how it ended; killed: it left no record of its end")                    \
    X(RUNINFO_CELLS_COMPUTED, "cells_computed", RUNINFO_COUNT, "1",            \
      "cells it computed")                                                     \
    X(RUNINFO_CELLS_UNCHANGED, "cells_unchanged", RUNINFO_COUNT, "1",          \
      "cells of its units that needed no computing")                           \
    X(RUNINFO_CELLS_FAILED, "cells_failed", RUNINFO_COUNT, "1",                \
      "cells of units that failed")                                            \
    X(RUNINFO_UNITS_COMPUTED, "units_computed", RUNINFO_COUNT, "1",            \
      "units it finished")                                                     \
    X(RUNINFO_FLOPS, "flops", RUNINFO_NUMBER, "1",                             \
      "floating-point operations, a multiply-add counts two")                  \
    X(RUNINFO_COMPUTE_S, "compute_s", RUNINFO_NUMBER, "s",                     \
      "time spent computing, summed over ranks")                               \
    X(RUNINFO_WALL_S, "wall_s", RUNINFO_NUMBER, "s", "wall-clock time")        \
    X(RUNINFO_BUSY, "busy", RUNINFO_NUMBER, "1",                               \
      "compute_s / (wall_s x ranks)")                                          \
    X(RUNINFO_EFFICIENCY, "efficiency", RUNINFO_NUMBER, "1",                   \
      "flops / (wall_s x ranks x gemm_gflops): the share of the time that "    \
      "plain products of all that had to be computed would take")

enum runinfo {
#define RUNINFO_ENUM(code, key, kind, units, long_name) code,
    RUNINFO_LIST(RUNINFO_ENUM)
#undef RUNINFO_ENUM
        RUNINFO_COUNT_OF_KEYS
};

const char *runinfo_key(enum runinfo key);

/* Append the line of a key, of its own kind. */
void runinfo_put_text(struct buf *out, enum runinfo key, const char *value);
void runinfo_put_count(struct buf *out, enum runinfo key, int64_t value);
void runinfo_put_number(struct buf *out, enum runinfo key, double value);

/* The value of a key in such a text: *n bytes of it; NULL where it is not
 * there. */
const char *runinfo_find(const char *text, enum runinfo key, size_t *n);

/* A copy of it, owned by the caller (free()); NULL where it is not there or
 * memory is short. */
char *runinfo_get(const char *text, enum runinfo key);

#endif

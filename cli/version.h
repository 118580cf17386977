/* version.h - what this program was built from and runs on. */
#ifndef PATCHSWEEP_CLI_VERSION_H
#define PATCHSWEEP_CLI_VERSION_H

#include <stdio.h>

#include "common/base/buf.h"

/* `patchsweep --version`. Needs no MPI_Init. */
void version_print(FILE *stream);

/* The lines of JOURNAL_START (runinfo.h) that are known before any worker has
 * joined: when, with what, under which Slurm job. */
void version_put_start(struct buf *out);

#endif

/* shared.h - one block of memory a node, which all its ranks map.
 *
 * Where a node has one rank the block is plain memory; else it is an MPI
 * shared-memory window. Open MPI keeps a window's bytes in a file of
 * /dev/shm (MCA parameter osc_sm_backing_directory, Open MPI 4.1). */
#ifndef PATCHSWEEP_COMMON_TRANSPORT_SHARED_H
#define PATCHSWEEP_COMMON_TRANSPORT_SHARED_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/transport/mpi_group.h"

struct shared;

/* bytes of zeroed memory, 64-byte aligned, the same on all ranks of a node.
 * Collective over the group. Too little room in the folder that backs the
 * window is STATUS_MEMORY with what to set. Release with shared_close. */
enum status shared_open(struct shared **out, struct group *group, size_t bytes,
                        struct err *err) WARN_UNUSED;

/* Collective over the node. */
void shared_close(struct shared *shared);

void *shared_data(const struct shared *shared);

/* Rank 0's block into the block of every other node, and then every rank of
 * a node sees it. Collective over the group. */
enum status shared_distribute(struct shared *shared,
                              struct err *err) WARN_UNUSED;

/* The folder that would back a window, and the bytes free there (0 where it
 * cannot be told). Not collective; needs no MPI. */
size_t shared_room(const char **folder);

#endif

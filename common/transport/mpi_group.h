/* mpi_group.h - the ranks of a run, and the few collective steps of start-up.
 *
 * Everything here is collective over all ranks unless said, may spin while
 * it waits, and is meant for start-up and the very end alone. Only the main
 * thread calls. The communicator is a duplicate of MPI_COMM_WORLD that
 * returns errors. */
#ifndef PATCHSWEEP_COMMON_TRANSPORT_MPI_GROUP_H
#define PATCHSWEEP_COMMON_TRANSPORT_MPI_GROUP_H

#include "common/base/buf.h"
#include "common/base/err.h"

struct group;

/* After MPI_Init_thread. Release with group_close (collective). */
enum status group_open(struct group **out, struct err *err) WARN_UNUSED;
void group_close(struct group *group);

/* Not collective. A node is the ranks that can share memory. */
int group_rank(const struct group *group);
int group_size(const struct group *group);
int group_node_rank(const struct group *group);
int group_node_size(const struct group *group);
int group_n_nodes(const struct group *group);

/* All ranks bring their status (err->status and sentence) and leave with the
 * same: OK, or that of the lowest failing rank, its sentence put after
 * "rank N: " where there is more than one rank. */
enum status group_agree(struct group *group, struct err *err) WARN_UNUSED;

/* Rank 0's bytes to all (appended to theirs, which should be empty). */
enum status group_broadcast(struct group *group, struct buf *bytes,
                            struct err *err) WARN_UNUSED;

/* The library's name and version into text of n bytes: "Open MPI v4.1.4".
 * Needs no MPI_Init. Not collective. */
void group_library(char *text, size_t n);

#endif

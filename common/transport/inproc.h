/* inproc.h - the transport between threads of one process: a star of one hub
 * (the coordinator) and any number of leaves (workers), each with an inbox
 * guarded by a mutex and a condition variable.
 *
 * In a run it joins rank 0's main thread with rank 0's own worker; in tests
 * it stands for MPI. */
#ifndef PATCHSWEEP_COMMON_TRANSPORT_INPROC_H
#define PATCHSWEEP_COMMON_TRANSPORT_INPROC_H

#include "common/transport/transport.h"

struct inproc;

/* A star with leaves 0 .. n_leaves-1. Owned by the caller: inproc_close, when
 * no thread uses an endpoint any more. */
enum status inproc_open(struct inproc **out, int n_leaves,
                        struct err *err) WARN_UNUSED;
void inproc_close(struct inproc *inproc);

/* The endpoints; they belong to the star and are closed with it
 * (transport_close on them does nothing). */
struct transport *inproc_hub(struct inproc *inproc);
struct transport *inproc_leaf(struct inproc *inproc, int leaf);

#endif

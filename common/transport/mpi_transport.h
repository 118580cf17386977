/* mpi_transport.h - the transport between ranks. Only the main thread uses
 * it. Nothing blocks: messages are sent with MPI_Isend from copies the
 * transport keeps, and received with MPI_Improbe and MPI_Imrecv, so that a
 * sender which is busy computing holds up nobody else. */
#ifndef PATCHSWEEP_COMMON_TRANSPORT_MPI_TRANSPORT_H
#define PATCHSWEEP_COMMON_TRANSPORT_MPI_TRANSPORT_H

#include "common/transport/mpi_group.h"
#include "common/transport/transport.h"

/* group is kept. self: rank 0's way to its own worker thread (the hub of an
 * inproc star with one leaf), kept; NULL on other ranks. Release with
 * transport_close after transport_flush. */
enum status mpi_transport_open(struct transport **out, struct group *group,
                               struct transport *self,
                               struct err *err) WARN_UNUSED;

#endif

/* lifeline.h - noticing that a rank has died, on whatever node and whatever it
 * was doing.
 *
 * MPI itself ends the run when a rank dies, or, told to go on
 * (docs/running.md), says nothing at all. So every rank keeps a TCP connection
 * to rank 0 on which nothing is sent between a greeting and a farewell: the
 * kernel closes it with the process, however that ends, and keep-alives find a
 * node that is gone (40 s). Rank 0 listens while ranks connect, on the loopback
 * alone where all share its node; the greeting holds a random number that only
 * the ranks were told.
 *
 * A rank that cannot connect (a firewall) is not watched: silence (serve.h) is
 * then what remains. Processes that are held (SIGSTOP) are not dead. */
#ifndef PATCHSWEEP_COMMON_TRANSPORT_LIFELINE_H
#define PATCHSWEEP_COMMON_TRANSPORT_LIFELINE_H

#include "common/transport/mpi_group.h"

struct lifeline;

/* What becomes of a run that lost a rank: called in a thread of its own while
 * the main thread may wait in MPI for ever, so it must end the process. On
 * rank 0: during start-up, with the rank that died; on the others: at any
 * time, with rank 0. name: "rank 3 (host, pid 12)". */
typedef void lifeline_lost(void *user, int rank, const char *name);

/* Collective over the group. user is handed to lost. Fails only where memory or
 * threads are short; *out stays NULL where there is one rank. Release with
 * lifeline_close. */
enum status lifeline_open(struct lifeline **out, struct group *group,
                          lifeline_lost *lost, void *user,
                          struct err *err) WARN_UNUSED;

/* On rank 0, when start-up is over: lost is not called any more;
 * lifeline_next_lost is asked instead. Returns how many ranks are not watched.
 * Nothing on other ranks. NULL is fine. */
int lifeline_begin_asking(struct lifeline *lifeline);

/* On rank 0: a rank that has died since it was last asked, or -1. Each is told
 * once. NULL is fine. */
int lifeline_next_lost(struct lifeline *lifeline);

/* Not collective: a rank that closes its end takes leave first, so that nobody
 * takes it for lost. NULL is fine. */
void lifeline_close(struct lifeline *lifeline);

#endif

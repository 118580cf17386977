/* node.h - what this machine is and has. */
#ifndef PATCHSWEEP_CLI_NODE_H
#define PATCHSWEEP_CLI_NODE_H

#include <stddef.h>

#include "common/transport/message.h"

/* Bytes of memory that the ranks of this node may use together: the least of
 * what is built in, the control group's limit and what Slurm gave. */
size_t node_memory(void);

/* Fill a HELLO with this process's host, CPU type, BLAS and build. */
void node_describe(struct message_hello *hello);

#endif

/* protocol.h - a whole run of the protocol with pretended units, over any
 * transport; what the tests of both transports share.
 *
 * The result of unit u is bytes that follow from u alone, from none to several
 * parts; every 17th unit fails. */
#ifndef PATCHSWEEP_TESTS_TRANSPORT_PROTOCOL_H
#define PATCHSWEEP_TESTS_TRANSPORT_PROTOCOL_H

#include <stdint.h>

#include "common/transport/transport.h"

enum { PROTOCOL_UNITS = 240, PROTOCOL_BLOCKS = 6, PROTOCOL_EXIT = 75 };

struct protocol_outcome {
    int answered[PROTOCOL_UNITS]; /* times a new answer came */
    int wrong;                    /* results with wrong bytes */
    int joined, left, failed;
    uint64_t units; /* that the workers say they computed */
    double seconds;
};

/* The worker's side, to the end. 0: all well. */
int protocol_work(struct transport *transport);

/* The coordinator's side; stop_after < 0: to the end, else a stop is wished
 * for when so many answers have come. */
int protocol_coordinate(struct transport *transport, int n_workers,
                        int stop_after, struct protocol_outcome *out);

#endif

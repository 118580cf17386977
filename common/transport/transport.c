#include "common/transport/transport.h"

#include <stdlib.h>

enum status transport_send(struct transport *transport, int peer,
                           const struct message *message, struct err *err)
{
    buf_clear(&transport->scratch);
    message_encode(&transport->scratch, message);
    if (buf_check(&transport->scratch, "a message", err)) return err->status;
    return transport->operations->send(transport, peer, transport->scratch.data,
                                       transport->scratch.n, err);
}

enum status transport_receive(struct transport *transport, int *peer,
                              struct message *out, bool *is_any,
                              struct err *err)
{
    const void *data = NULL;
    size_t n = 0;
    *is_any = false;
    if (transport->operations->receive(transport, peer, &data, &n, err))
        return err->status;
    if (n == 0) return STATUS_OK;
    if (message_decode(out, data, n, err))
        return err_context(err, "from rank %d", *peer);
    *is_any = true;
    return STATUS_OK;
}

void transport_rest(struct transport *transport, double *idle_s)
{
    const double least = 50e-6, most = 5e-3;
    *idle_s = *idle_s <= 0 ? least : *idle_s * 2;
    if (*idle_s > most) *idle_s = most;
    transport->operations->wait(transport, *idle_s);
}

enum status transport_flush(struct transport *transport, double seconds,
                            size_t *n_left, struct err *err)
{
    double idle_s = 0, waited_s = 0;
    for (;;) {
        if (transport->operations->unsent(transport, n_left, err))
            return err->status;
        if (*n_left == 0 || waited_s >= seconds) return STATUS_OK;
        transport_rest(transport, &idle_s);
        waited_s += idle_s;
    }
}

void transport_close(struct transport *transport)
{
    if (!transport) return;
    buf_free(&transport->scratch);
    transport->operations->close(transport);
}

#include "common/transport/inproc.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/mem.h"

struct letter {
    struct letter *next;
    int sender;
    size_t n;
    unsigned char data[];
};

struct endpoint {
    struct transport transport; /* first: a transport is its endpoint */
    struct inproc *inproc;
    int number; /* -1: the hub */
    pthread_mutex_t mutex;
    pthread_cond_t arrival;
    bool is_made; /* mutex and condition exist */
    struct letter *first, **last;
    struct letter *read; /* what receive handed out; owned */
};

struct inproc {
    int n_leaves;
    struct endpoint *endpoints; /* the leaves, then the hub; owned */
};

static enum status inproc_send(struct transport *transport, int peer,
                               const void *data, size_t n, struct err *err)
{
    struct endpoint *from = (struct endpoint *)transport;
    struct inproc *inproc = from->inproc;
    int to_number = from->number < 0 ? peer : inproc->n_leaves;
    if (to_number < 0 || to_number > inproc->n_leaves)
        return err_set(err, STATUS_INTERNAL, "no worker %d to send to", peer);
    struct endpoint *to = &inproc->endpoints[to_number];
    struct letter *letter = mem_calloc(1, sizeof *letter + n, "a message", err);
    if (!letter) return err->status;
    letter->sender = from->number < 0 ? 0 : from->number;
    letter->n = n;
    memcpy(letter->data, data, n);
    pthread_mutex_lock(&to->mutex);
    *to->last = letter;
    to->last = &letter->next;
    pthread_cond_signal(&to->arrival);
    pthread_mutex_unlock(&to->mutex);
    return STATUS_OK;
}

static enum status inproc_receive(struct transport *transport, int *peer,
                                  const void **data, size_t *n, struct err *err)
{
    (void)err;
    struct endpoint *self = (struct endpoint *)transport;
    free(self->read);
    pthread_mutex_lock(&self->mutex);
    self->read = self->first;
    if (self->first) {
        self->first = self->first->next;
        if (!self->first) self->last = &self->first;
    }
    pthread_mutex_unlock(&self->mutex);
    *n = self->read ? self->read->n : 0;
    *data = self->read ? self->read->data : NULL;
    if (self->read) *peer = self->read->sender;
    return STATUS_OK;
}

static void inproc_wait(struct transport *transport, double seconds)
{
    struct endpoint *self = (struct endpoint *)transport;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    double end = (double)until.tv_nsec * 1e-9 + seconds;
    until.tv_sec += (time_t)end;
    until.tv_nsec = (long)((end - (double)(time_t)end) * 1e9);
    pthread_mutex_lock(&self->mutex);
    while (!self->first)
        if (pthread_cond_timedwait(&self->arrival, &self->mutex, &until) != 0)
            break;
    pthread_mutex_unlock(&self->mutex);
}

static enum status inproc_unsent(struct transport *transport, size_t *n,
                                 struct err *err)
{
    (void)transport;
    (void)err;
    *n = 0;
    return STATUS_OK;
}

static void leave_to_the_star(struct transport *transport) { (void)transport; }

static const struct transport_operations operations = {
    .send = inproc_send,
    .receive = inproc_receive,
    .wait = inproc_wait,
    .unsent = inproc_unsent,
    .close = leave_to_the_star,
};

static enum status make_endpoint(struct endpoint *out, struct inproc *inproc,
                                 int number, struct err *err)
{
    out->transport.operations = &operations;
    out->inproc = inproc;
    out->number = number;
    out->last = &out->first;
    pthread_condattr_t attributes;
    bool is_made = pthread_condattr_init(&attributes) == 0;
    if (is_made) {
        is_made =
            pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
            pthread_cond_init(&out->arrival, &attributes) == 0;
        pthread_condattr_destroy(&attributes);
    }
    if (is_made && pthread_mutex_init(&out->mutex, NULL) != 0) {
        pthread_cond_destroy(&out->arrival);
        is_made = false;
    }
    out->is_made = is_made;
    if (!is_made)
        return err_set(err, STATUS_MEMORY, "no memory for a message queue");
    return STATUS_OK;
}

enum status inproc_open(struct inproc **out, int n_leaves, struct err *err)
{
    *out = NULL;
    struct inproc *inproc = mem_calloc(1, sizeof *inproc, "a transport", err);
    if (!inproc) return err->status;
    inproc->n_leaves = n_leaves;
    inproc->endpoints = mem_calloc(
        (size_t)n_leaves + 1, sizeof *inproc->endpoints, "a transport", err);
    if (!inproc->endpoints) goto out;
    for (int i = 0; i <= n_leaves; i++)
        if (make_endpoint(&inproc->endpoints[i], inproc, i < n_leaves ? i : -1,
                          err))
            goto out;
    *out = inproc;
    return STATUS_OK;
out:
    inproc_close(inproc);
    return err->status;
}

void inproc_close(struct inproc *inproc)
{
    if (!inproc) return;
    for (int i = 0; inproc->endpoints && i <= inproc->n_leaves; i++) {
        struct endpoint *endpoint = &inproc->endpoints[i];
        while (endpoint->first) {
            struct letter *next = endpoint->first->next;
            free(endpoint->first);
            endpoint->first = next;
        }
        free(endpoint->read);
        buf_free(&endpoint->transport.scratch);
        if (endpoint->is_made) {
            pthread_cond_destroy(&endpoint->arrival);
            pthread_mutex_destroy(&endpoint->mutex);
        }
    }
    free(inproc->endpoints);
    free(inproc);
}

struct transport *inproc_hub(struct inproc *inproc)
{
    return &inproc->endpoints[inproc->n_leaves].transport;
}

struct transport *inproc_leaf(struct inproc *inproc, int leaf)
{
    return &inproc->endpoints[leaf].transport;
}

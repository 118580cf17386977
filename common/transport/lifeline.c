#include "common/transport/lifeline.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/base/mem.h"

enum {
    HOST_BYTES = 64,
    TOKEN_BYTES = 16,
    NAME_BYTES = HOST_BYTES + 64,
    CONNECT_MS = 3000, /* for a rank to connect; then it is not watched */
    GREETING_S = 1,    /* for what a connection has to say */
    BACKLOG = 4096,
    LOOK_MS = 20 /* while the run starts */
};

/* Where rank 0 listens; its bytes are broadcast. Ranks of one run have one
 * architecture (message.h has the version check that comes later). */
struct address {
    char host[HOST_BYTES];
    unsigned char token[TOKEN_BYTES];
    uint16_t port; /* network order; 0: nobody listens */
};

struct greeting {
    unsigned char token[TOKEN_BYTES];
    char host[HOST_BYTES];
    uint64_t pid;
    int32_t rank;
};

struct lifeline {
    int rank, n_ranks;
    lifeline_lost *lost;
    void *user; /* of lost */
    struct address address;
    int listener;        /* rank 0; -1: closed */
    struct pollfd *ends; /* rank 0: one a rank; others: one, to rank 0 */
    char (*names)[NAME_BYTES];
    int n_taken, n_connected; /* connections; of ranks */
    int next;                 /* the rank to look at next */
    pthread_t thread;
    bool has_thread;
    atomic_bool is_ending;
};

static void describe(char name[NAME_BYTES], int rank, const char *host,
                     uint64_t pid)
{
    snprintf(name, NAME_BYTES, "rank %d (%.*s, pid %llu)", rank, HOST_BYTES - 1,
             host, (unsigned long long)pid);
}

/* Keep-alives find a peer whose node is gone: 10 s, then six times 5 s. */
static void keep_alive(int fd)
{
    static const struct {
        int level, name, value;
    } rows[] = {{SOL_SOCKET, SO_KEEPALIVE, 1},
                {IPPROTO_TCP, TCP_KEEPIDLE, 10},
                {IPPROTO_TCP, TCP_KEEPINTVL, 5},
                {IPPROTO_TCP, TCP_KEEPCNT, 6}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        (void)setsockopt(fd, rows[i].level, rows[i].name, &rows[i].value,
                         sizeof rows[i].value);
}

static bool set_blocking(int fd, bool is_blocking)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) return false;
    flags = is_blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    return fcntl(fd, F_SETFL, flags) == 0;
}

static int make_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0) (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

/* The peer has ended without a farewell; after one its end is closed here too.
 */
static bool is_lost(struct pollfd *end)
{
    char farewell;
    if (end->fd < 0 || !end->revents) return false;
    ssize_t n = recv(end->fd, &farewell, 1, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    close(end->fd);
    end->fd = -1;
    return n != 1;
}

/* Rank 0 */

static bool random_bytes(unsigned char *out, size_t n)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t got = read(fd, out, n);
    close(fd);
    return got == (ssize_t)n;
}

/* A connection a rank, beside what the program has open. */
static void allow_files(int n_ranks)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)n_ranks + 256;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Where anything fails nobody listens, and nobody is watched. */
static void begin_listening(struct lifeline *l, bool is_one_node)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t n = sizeof at;
    allow_files(l->n_ranks);
    at.sin_addr.s_addr = htonl(is_one_node ? INADDR_LOOPBACK : INADDR_ANY);
    l->listener = make_socket();
    if (l->listener >= 0 && set_blocking(l->listener, false) &&
        bind(l->listener, (struct sockaddr *)&at, n) == 0 &&
        listen(l->listener, BACKLOG) == 0 &&
        getsockname(l->listener, (struct sockaddr *)&at, &n) == 0 &&
        random_bytes(l->address.token, TOKEN_BYTES))
        l->address.port = at.sin_port;
}

/* Whoever it is: taken where it knows the token, is a rank and is the first
 * to say so. */
static void take_connection(struct lifeline *l, int fd)
{
    struct greeting greeting;
    struct timeval most = {.tv_sec = GREETING_S};
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    bool is_right =
        set_blocking(fd, true) &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most) == 0 &&
        recv(fd, &greeting, sizeof greeting, MSG_WAITALL) ==
            (ssize_t)sizeof greeting &&
        memcmp(greeting.token, l->address.token, TOKEN_BYTES) == 0 &&
        greeting.rank > 0 && greeting.rank < l->n_ranks &&
        l->ends[greeting.rank].fd < 0 && set_blocking(fd, false);
    if (!is_right) {
        close(fd);
        return;
    }
    greeting.host[HOST_BYTES - 1] = '\0';
    keep_alive(fd);
    l->ends[greeting.rank].fd = fd;
    describe(l->names[greeting.rank], greeting.rank, greeting.host,
             greeting.pid);
    l->n_connected++;
}

static void stop_listening(struct lifeline *l)
{
    if (l->listener >= 0) close(l->listener);
    l->listener = -1;
}

/* Strangers may connect too, but not hold up the run for ever. */
static void take_connections(struct lifeline *l)
{
    while (l->n_taken < 2 * l->n_ranks + 64) {
        int fd = accept(l->listener, NULL, NULL);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
        if (fd < 0) return;
        l->n_taken++;
        take_connection(l, fd);
    }
    stop_listening(l);
}

/* Start-up: take connections, and look whether one breaks. Slot 0 of the ends
 * is the listener's, since rank 0 has none to itself. */
static void *watch_start(void *user)
{
    struct lifeline *l = user;
    while (!l->is_ending) {
        l->ends[0].fd = l->listener;
        (void)poll(l->ends, (nfds_t)l->n_ranks, LOOK_MS);
        if (l->ends[0].revents) take_connections(l);
        l->ends[0].revents = 0;
        for (int rank = 1; rank < l->n_ranks && !l->is_ending; rank++)
            if (is_lost(&l->ends[rank])) l->lost(l->user, rank, l->names[rank]);
    }
    take_connections(l);
    stop_listening(l);
    l->ends[0] = (struct pollfd){.fd = -1};
    return NULL;
}

/* The other ranks */

/* A connected socket, or -1. */
static int connect_to(const struct sockaddr_in *to)
{
    int fd = make_socket(), error_number = 0;
    socklen_t n = sizeof error_number;
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    if (fd >= 0 && set_blocking(fd, false) &&
        (connect(fd, (const struct sockaddr *)to, sizeof *to) == 0 ||
         (errno == EINPROGRESS && poll(&wait, 1, CONNECT_MS) == 1)) &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error_number, &n) == 0 &&
        error_number == 0)
        return fd;
    if (fd >= 0) close(fd);
    return -1;
}

static int reach_rank_0(const struct address *address, const char *own_host)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = address->port};
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (address->port == 0) return -1;
    if (strcmp(own_host, address->host) == 0) {
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return connect_to(&to);
    }
    if (getaddrinfo(address->host, NULL, &hints, &found) != 0) return -1;
    int fd = -1;
    for (struct addrinfo *at = found; at && fd < 0; at = at->ai_next) {
        if (at->ai_addrlen != sizeof to) continue;
        memcpy(&to, at->ai_addr, sizeof to);
        to.sin_port = address->port;
        fd = connect_to(&to);
    }
    freeaddrinfo(found);
    return fd;
}

static void connect_rank(struct lifeline *l, const char *own_host)
{
    struct greeting greeting = {.pid = (uint64_t)getpid(), .rank = l->rank};
    memcpy(greeting.token, l->address.token, TOKEN_BYTES);
    memcpy(greeting.host, own_host, HOST_BYTES);
    int fd = reach_rank_0(&l->address, own_host);
    if (fd < 0) return;
    keep_alive(fd);
    /* A fresh connection has room for so little. */
    if (send(fd, &greeting, sizeof greeting, MSG_NOSIGNAL) !=
        (ssize_t)sizeof greeting) {
        close(fd);
        return;
    }
    l->ends[0].fd = fd;
}

static void *watch_rank_0(void *user)
{
    struct lifeline *l = user;
    while (!l->is_ending && l->ends[0].fd >= 0) {
        int n = poll(l->ends, 1, -1);
        if (n > 0 && !l->is_ending && is_lost(&l->ends[0]))
            l->lost(l->user, 0, l->names[0]);
    }
    return NULL;
}

/* Both */

static bool start_thread(struct lifeline *l, void *(*watch)(void *))
{
    sigset_t all, before; /* signals are for the main thread */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    l->has_thread = pthread_create(&l->thread, NULL, watch, l) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return l->has_thread;
}

static void end_thread(struct lifeline *l)
{
    if (!l->has_thread) return;
    l->is_ending = true;
    if (l->rank != 0 && l->ends[0].fd >= 0) /* wakes it */
        (void)shutdown(l->ends[0].fd, SHUT_RD);
    (void)pthread_join(l->thread, NULL);
    l->has_thread = false;
}

static enum status open_ends(struct lifeline *l, struct err *err)
{
    size_t n = l->rank == 0 ? (size_t)l->n_ranks : 1;
    l->ends = mem_calloc(n, sizeof *l->ends, "the lifelines", err);
    l->names = mem_calloc(n, sizeof *l->names, "the lifelines", err);
    if (!l->ends || !l->names) return err->status;
    for (size_t i = 0; i < n; i++)
        l->ends[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    return STATUS_OK;
}

enum status lifeline_open(struct lifeline **out, struct group *group,
                          lifeline_lost *lost, void *user, struct err *err)
{
    char own_host[HOST_BYTES] = "";
    struct buf bytes = {0};
    *out = NULL;
    if (group_size(group) == 1) return STATUS_OK;
    struct lifeline *l = mem_calloc(1, sizeof *l, "the lifelines", err);
    if (gethostname(own_host, sizeof own_host - 1) != 0) own_host[0] = '\0';
    if (l) {
        l->rank = group_rank(group);
        l->n_ranks = group_size(group);
        l->lost = lost;
        l->user = user;
        l->listener = -1;
    }
    if (l && open_ends(l, err) == STATUS_OK && l->rank == 0) {
        memcpy(l->address.host, own_host, HOST_BYTES);
        begin_listening(l, group_n_nodes(group) == 1);
        if (!start_thread(l, watch_start)) l->address.port = 0;
        buf_bytes(&bytes, &l->address, sizeof l->address);
    }
    if (group_broadcast(group, &bytes, err)) {
        lifeline_close(l);
        goto out;
    }
    if (l->rank != 0) {
        memcpy(&l->address, bytes.data, sizeof l->address);
        snprintf(l->names[0], NAME_BYTES, "rank 0 (%s)", l->address.host);
        connect_rank(l, own_host);
        if (l->ends[0].fd >= 0) (void)start_thread(l, watch_rank_0);
    }
    *out = l;
out:
    buf_free(&bytes);
    return err->status;
}

int lifeline_begin_asking(struct lifeline *l)
{
    if (!l || l->rank != 0) return 0;
    end_thread(l);
    return l->n_ranks - 1 - l->n_connected;
}

int lifeline_next_lost(struct lifeline *l)
{
    if (!l || l->rank != 0) return -1;
    if (l->next == 0 && poll(l->ends, (nfds_t)l->n_ranks, 0) <= 0) return -1;
    while (++l->next < l->n_ranks)
        if (is_lost(&l->ends[l->next])) return l->next;
    l->next = 0;
    return -1;
}

void lifeline_close(struct lifeline *l)
{
    if (!l) return;
    end_thread(l);
    stop_listening(l);
    for (int i = 0; l->ends && i < (l->rank == 0 ? l->n_ranks : 1); i++) {
        if (l->ends[i].fd < 0) continue;
        (void)send(l->ends[i].fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        close(l->ends[i].fd);
    }
    free(l->ends);
    free(l->names);
    free(l);
}

/* shim.c - a library to preload, which makes chosen calls of a program fail,
 * and its clocks jump.
 *
 * FAULT_CALL   name of the call: one of open write pwrite read pread fsync
 *              ftruncate rename fcntl (each with its 64-bit twin; fdatasync
 *              counts as fsync)
 * FAULT_PATH   only on files whose path contains this
 * FAULT_NTH    the n-th such call (from 1) is the first to fail
 * FAULT_TIMES  how many fail; 0: all from then on
 * FAULT_ERROR  the error number; "short": half of the bytes are written, and
 *              no error is told; "then": half are written, then ENOSPC
 * FAULT_FSIZE  bytes that a file may have (RLIMIT_FSIZE) from the first look at
 *              a file whose path contains FAULT_PATH: MPI comes up before
 * FAULT_AT     seconds after the first look at the time of day when it jumps
 * FAULT_JUMP   by how many seconds; the monotonic clock never jumps */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum fault { FAULT_NONE, FAULT_FAIL, FAULT_SHORT };

static atomic_int n_calls;

static long number(const char *name, long otherwise)
{
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : otherwise;
}

static enum fault decide(const char *call, const char *path)
{
    const char *wanted = getenv("FAULT_CALL"), *part = getenv("FAULT_PATH");
    const char *error = getenv("FAULT_ERROR");
    if (!wanted || !error || strcmp(wanted, call) != 0) return FAULT_NONE;
    if (part && !strstr(path, part)) return FAULT_NONE;
    long n = atomic_fetch_add(&n_calls, 1) + 1;
    long nth = number("FAULT_NTH", 1), times = number("FAULT_TIMES", 1);
    if (n < nth || (times > 0 && n >= nth + times)) return FAULT_NONE;
    if (strcmp(error, "short") == 0) return FAULT_SHORT;
    if (strcmp(error, "then") == 0) {
        if (n == nth) return FAULT_SHORT;
        errno = ENOSPC;
        return FAULT_FAIL;
    }
    errno = (int)number("FAULT_ERROR", EIO);
    return FAULT_FAIL;
}

static enum fault decide_fd(const char *call, int fd)
{
    const char *wanted = getenv("FAULT_CALL");
    if (!wanted || strcmp(wanted, call) != 0) return FAULT_NONE;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    return decide(call, path);
}

/* The next library's function of this name, as a pointer of `type`. */
#define NEXT(type, name)                                                       \
    static type next;                                                          \
    if (!next) {                                                               \
        void *found = dlsym(RTLD_NEXT, name);                                  \
        memcpy(&next, &found, sizeof next);                                    \
    }

typedef ssize_t write_call(int, const void *, size_t);
typedef ssize_t pwrite_call(int, const void *, size_t, off_t);
typedef ssize_t read_call(int, void *, size_t);
typedef ssize_t pread_call(int, void *, size_t, off_t);
typedef int fd_call(int);
typedef int truncate_call(int, off_t);
typedef int rename_call(const char *, const char *);
typedef int open_call(const char *, int, ...);
typedef int fcntl_call(int, int, ...);
typedef int clock_call(clockid_t, struct timespec *);

#define DEFINE_WRITE(name)                                                     \
    ssize_t name(int fd, const void *data, size_t n)                           \
    {                                                                          \
        NEXT(write_call *, #name)                                              \
        enum fault fault = decide_fd("write", fd);                             \
        if (fault == FAULT_FAIL) return -1;                                    \
        return next(fd, data, fault == FAULT_SHORT && n > 1 ? n / 2 : n);      \
    }
DEFINE_WRITE(write)

#define DEFINE_PWRITE(name)                                                    \
    ssize_t name(int fd, const void *data, size_t n, off_t at)                 \
    {                                                                          \
        NEXT(pwrite_call *, #name)                                             \
        enum fault fault = decide_fd("pwrite", fd);                            \
        if (fault == FAULT_FAIL) return -1;                                    \
        return next(fd, data, fault == FAULT_SHORT && n > 1 ? n / 2 : n, at);  \
    }
DEFINE_PWRITE(pwrite)
DEFINE_PWRITE(pwrite64)

ssize_t read(int fd, void *data, size_t n)
{
    NEXT(read_call *, "read")
    enum fault fault = decide_fd("read", fd);
    if (fault == FAULT_FAIL) return -1;
    return next(fd, data, fault == FAULT_SHORT && n > 1 ? n / 2 : n);
}

#define DEFINE_PREAD(name)                                                     \
    ssize_t name(int fd, void *data, size_t n, off_t at)                       \
    {                                                                          \
        NEXT(pread_call *, #name)                                              \
        enum fault fault = decide_fd("pread", fd);                             \
        if (fault == FAULT_FAIL) return -1;                                    \
        return next(fd, data, fault == FAULT_SHORT && n > 1 ? n / 2 : n, at);  \
    }
DEFINE_PREAD(pread)
DEFINE_PREAD(pread64)

#define DEFINE_SYNC(name)                                                      \
    int name(int fd)                                                           \
    {                                                                          \
        NEXT(fd_call *, #name)                                                 \
        return decide_fd("fsync", fd) ? -1 : next(fd);                         \
    }
DEFINE_SYNC(fsync)
DEFINE_SYNC(fdatasync)

#define DEFINE_TRUNCATE(name)                                                  \
    int name(int fd, off_t n)                                                  \
    {                                                                          \
        NEXT(truncate_call *, #name)                                           \
        return decide_fd("ftruncate", fd) ? -1 : next(fd, n);                  \
    }
DEFINE_TRUNCATE(ftruncate)
DEFINE_TRUNCATE(ftruncate64)

int rename(const char *from, const char *to)
{
    NEXT(rename_call *, "rename")
    return decide("rename", to) ? -1 : next(from, to);
}

static void limit_size(const char *path)
{
    const char *part = getenv("FAULT_PATH"), *bytes = getenv("FAULT_FSIZE");
    if (!part || !bytes || !strstr(path, part)) return;
    rlim_t most = strtoul(bytes, NULL, 10);
    (void)setrlimit(RLIMIT_FSIZE, &(struct rlimit){most, most});
}

#define DEFINE_OPEN(name)                                                      \
    int name(const char *path, int flags, ...)                                 \
    {                                                                          \
        NEXT(open_call *, #name)                                               \
        mode_t mode = 0;                                                       \
        if (flags & O_CREAT) {                                                 \
            va_list args;                                                      \
            va_start(args, flags);                                             \
            mode = va_arg(args, mode_t);                                       \
            va_end(args);                                                      \
        }                                                                      \
        limit_size(path);                                                      \
        return decide("open", path) ? -1 : next(path, flags, mode);            \
    }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)

#define DEFINE_FCNTL(name)                                                     \
    int name(int fd, int command, ...)                                         \
    {                                                                          \
        NEXT(fcntl_call *, #name)                                              \
        va_list args;                                                          \
        va_start(args, command);                                               \
        void *argument = va_arg(args, void *);                                 \
        va_end(args);                                                          \
        if ((command == F_SETLK || command == F_GETLK) &&                      \
            decide_fd("fcntl", fd))                                            \
            return -1;                                                         \
        return next(fd, command, argument);                                    \
    }
DEFINE_FCNTL(fcntl)
DEFINE_FCNTL(fcntl64)

/* Clocks */

static double jump_of(clockid_t clock)
{
    static _Atomic double first_s;
    const char *at = getenv("FAULT_AT"), *jump = getenv("FAULT_JUMP");
    struct timespec steady;
    if (!at || !jump || clock != CLOCK_REALTIME) return 0;
    NEXT(clock_call *, "clock_gettime")
    (void)next(CLOCK_MONOTONIC, &steady);
    double now_s = (double)steady.tv_sec + (double)steady.tv_nsec * 1e-9;
    double unset = 0;
    (void)atomic_compare_exchange_strong(&first_s, &unset, now_s);
    return now_s - first_s < strtod(at, NULL) ? 0 : strtod(jump, NULL);
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    NEXT(clock_call *, "clock_gettime")
    int code = next(clock, out);
    if (code == 0) out->tv_sec += (time_t)jump_of(clock);
    return code;
}

time_t time(time_t *out)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

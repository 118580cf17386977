#include "common/store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/file.h"

static const char lock_name[] = "lock", held_name[] = "lock.held";

void lock_describe(char who[LOCK_WHO_BYTES])
{
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
    const char *job = getenv("SLURM_JOB_ID");
    snprintf(who, LOCK_WHO_BYTES, "host %s, pid %ld%s%.64s",
             host[0] ? host : "unknown", (long)getpid(),
             job && *job ? ", slurm job " : "", job ? job : "");
}

/* The Slurm job in a text of lock_describe; "" where it has none. */
static const char *job_of(const char *who)
{
    static const char before[] = "slurm job ";
    const char *at = strstr(who, before);
    return at ? at + sizeof before - 1 : "";
}

static long long monotonic_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec;
}

static bool is_unsupported(int error_number)
{
    return error_number == ENOLCK || error_number == ENOSYS ||
           error_number == EOPNOTSUPP || error_number == EINVAL;
}

static int fcntl_lock(int fd, int command, struct flock *out)
{
    *out = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, command, out);
}

/* The text of the file, one line at most, without its newline. */
static void read_who(int fd, char who[LOCK_WHO_BYTES])
{
    ssize_t n = pread(fd, who, LOCK_WHO_BYTES - 1, 0);
    who[n > 0 ? n : 0] = '\0';
    who[strcspn(who, "\n")] = '\0';
}

static enum status write_who(int fd, const char *path, const char *who,
                             struct err *err)
{
    size_t n = strlen(who);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, who, n, 0) != (ssize_t)n ||
        pwrite(fd, "\n", 1, (off_t)n) != 1)
        return err_set_errno(err, STATUS_IO, errno, "cannot write %s", path);
    return STATUS_OK;
}

/* Does path still name the file that is open as fd? Remembers which it is. */
static bool is_same(struct lock *lock, int fd, const char *path)
{
    struct stat mine, there;
    if (fstat(fd, &mine) != 0 || stat(path, &there) != 0) return false;
    lock->device = mine.st_dev;
    lock->inode = mine.st_ino;
    return mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

/* By fcntl; *is_usable false where this file system cannot. */
static enum status take_fcntl(struct lock *lock, const char *path,
                              const char *who, bool break_lock, bool *is_usable,
                              struct err *err)
{
    *is_usable = true;
    for (;;) {
        struct flock request;
        int fd = file_open_own(path, O_RDWR | O_CREAT);
        if (fd < 0) return file_own_failed(path, errno, err);
        if (fcntl_lock(fd, F_SETLK, &request) == 0) {
            if (is_same(lock, fd, path)) {
                lock->fd = fd;
                return write_who(fd, path, who, err);
            }
            close(fd); /* somebody put another file there: that one counts */
            continue;
        }
        int error_number = errno;
        char holder[LOCK_WHO_BYTES];
        read_who(fd, holder);
        close(fd);
        *is_usable = !is_unsupported(error_number);
        if (!*is_usable) return STATUS_OK;
        if (error_number != EACCES && error_number != EAGAIN)
            return err_set_errno(err, STATUS_IO, error_number, "cannot lock %s",
                                 path);
        if (!break_lock)
            return err_set(err, STATUS_LOCKED,
                           "%s is held by another run: %s; wait for it or end "
                           "it",
                           path, holder[0] ? holder : "(it left no name)");
        /* A fresh file under the name: the old lock is of no use any more. */
        if (unlink(path) != 0 && errno != ENOENT)
            return err_set_errno(err, STATUS_IO, errno, "cannot break %s",
                                 path);
    }
}

/* Seconds since the file was beaten, by the file system's own clock: that of
 * another node may be off. -1 where it cannot be found out. */
static long long age_s(const char *path)
{
    char probe[PATH_MAX];
    struct stat held, now;
    int n = snprintf(probe, sizeof probe, "%s.clock.%ld", path, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof probe) return -1;
    (void)unlink(probe);
    int fd = open(probe, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) return -1;
    bool is_known = pwrite(fd, ".", 1, 0) == 1 && fstat(fd, &now) == 0 &&
                    stat(path, &held) == 0;
    close(fd);
    unlink(probe);
    return is_known ? (long long)(now.st_mtime - held.st_mtime) : -1;
}

/* true where the file was not touched, nor replaced, for LOCK_STALE_S. */
static bool is_quiet(const char *path)
{
    struct stat first, again;
    if (stat(path, &first) != 0) return true;
    for (int second = 0; second < LOCK_STALE_S; second++) {
        struct timespec wait = {.tv_sec = 1};
        nanosleep(&wait, NULL);
        if (stat(path, &again) != 0) return true;
        if (again.st_ino != first.st_ino ||
            again.st_mtim.tv_sec != first.st_mtim.tv_sec ||
            again.st_mtim.tv_nsec != first.st_mtim.tv_nsec)
            return false;
    }
    return true;
}

static enum status take_file(struct lock *lock, const char *path,
                             const char *who, bool break_lock, struct err *err)
{
    bool may_break = break_lock, may_wait = true;
    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) {
            lock->fd = fd;
            lock->is_file = true;
            (void)is_same(lock, fd, path);
            return write_who(fd, path, who, err);
        }
        if (errno != EEXIST)
            return err_set_errno(err, STATUS_IO, errno, "cannot create %s",
                                 path);
        char holder[LOCK_WHO_BYTES] = "";
        fd = file_open_own(path, O_RDONLY);
        if (fd < 0 && errno == ENOENT) continue; /* it was just released */
        if (fd >= 0) {
            read_who(fd, holder);
            close(fd);
        }
        const char *job = job_of(who);
        bool is_ours = *job && strcmp(job, job_of(holder)) == 0;
        if (!may_break && is_ours && may_wait) {
            may_break = is_quiet(path);
            may_wait = false;
        }
        if (!may_break) {
            char age[64] = "of unknown age";
            long long seconds = age_s(path);
            if (seconds >= 0) snprintf(age, sizeof age, "%lld s old", seconds);
            return err_set(err, STATUS_LOCKED,
                           "%s is held by another run: %s; its last sign of "
                           "life is %s; wait for it, end it, or, if it is "
                           "dead, use --break-lock",
                           path, holder[0] ? holder : "(it left no name)", age);
        }
        may_break = false;
        if (unlink(path) != 0 && errno != ENOENT)
            return err_set_errno(err, STATUS_IO, errno, "cannot break %s",
                                 path);
    }
}

enum status lock_take(struct lock *lock, const char *folder, const char *who,
                      bool break_lock, struct err *err)
{
    bool is_usable = true;
    char *held = NULL;
    *lock = (struct lock){.fd = -1};
    lock->path = file_join(folder, lock_name, err);
    held = file_join(folder, held_name, err);
    if (!lock->path || !held ||
        take_fcntl(lock, lock->path, who, break_lock, &is_usable, err))
        goto out;
    if (!is_usable) {
        free(lock->path);
        lock->path = held;
        held = NULL;
        if (take_file(lock, lock->path, who, break_lock, err)) goto out;
    }
    lock->last_beat_s = monotonic_s();
out:
    free(held);
    if (err->status) lock_release(lock);
    return err->status;
}

enum status lock_beat(struct lock *lock, struct err *err)
{
    long long now = monotonic_s();
    if (now - lock->last_beat_s < LOCK_BEAT_S) return STATUS_OK;
    lock->last_beat_s = now;
    struct stat there;
    bool is_there = stat(lock->path, &there) == 0;
    if (!is_there && errno != ENOENT) return STATUS_OK; /* ask again later */
    if (!is_there || there.st_dev != lock->device ||
        there.st_ino != lock->inode)
        return err_set(err, STATUS_LOCKED,
                       "%s was taken away from this run (--break-lock of "
                       "another); it must not write any more",
                       lock->path);
    if (lock->is_file && futimens(lock->fd, NULL) != 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot touch %s",
                             lock->path);
    return STATUS_OK;
}

bool lock_holder(const char *folder, struct buf *who)
{
    struct err err = {0};
    char text[LOCK_WHO_BYTES] = "";
    bool is_held = false;
    char *path = file_join(folder, lock_name, &err);
    int fd = path ? file_open_own(path, O_RDONLY) : -1;
    if (fd >= 0) {
        struct flock request;
        is_held =
            fcntl_lock(fd, F_GETLK, &request) == 0 && request.l_type != F_UNLCK;
        if (is_held) read_who(fd, text);
        close(fd);
    }
    free(path);
    path = is_held ? NULL : file_join(folder, held_name, &err);
    fd = path ? file_open_own(path, O_RDONLY) : -1;
    if (fd >= 0) {
        is_held = true;
        read_who(fd, text);
        close(fd);
    }
    free(path);
    if (is_held) buf_printf(who, "%s", text[0] ? text : "(it left no name)");
    return is_held;
}

void lock_release(struct lock *lock)
{
    struct stat there;
    if (lock->path && lock->fd >= 0) {
        bool is_mine = stat(lock->path, &there) == 0 &&
                       there.st_dev == lock->device &&
                       there.st_ino == lock->inode;
        if (lock->is_file && is_mine) unlink(lock->path);
        close(lock->fd);
    }
    free(lock->path);
    *lock = (struct lock){.fd = -1};
}

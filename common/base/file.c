#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"

enum status file_read(struct buf *out, const char *path, size_t most,
                      struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, STATUS_INPUT, errno, "cannot open %s", path);
    char chunk[1 << 16];
    size_t total = 0;
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            (void)err_set_errno(err, STATUS_IO, errno, "cannot read %s", path);
            break;
        }
        if (n == 0) break;
        total += (size_t)n;
        if (most && total > most) {
            (void)err_set(err, STATUS_INPUT,
                          "%s is longer than the %zu bytes allowed", path,
                          most);
            break;
        }
        buf_bytes(out, chunk, (size_t)n);
    }
    close(fd);
    if (err->status) return err->status;
    return buf_check(out, path, err);
}

enum status file_sync_folder(const char *folder, struct err *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot open folder %s",
                             folder);
    /* Some network file systems cannot sync a folder and say EINVAL. */
    if (fsync(fd) != 0 && errno != EINVAL)
        (void)err_set_errno(err, STATUS_IO, errno, "cannot sync folder %s",
                            folder);
    close(fd);
    return err->status;
}

static enum status write_all(int fd, const char *path, const char *data,
                             size_t n, struct err *err)
{
    while (n > 0) {
        ssize_t done = write(fd, data, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0)
            return err_set_errno(err, STATUS_IO, errno, "cannot write %s",
                                 path);
        data += done;
        n -= (size_t)done;
    }
    return STATUS_OK;
}

enum status file_write(const char *path, const void *data, size_t n,
                       struct err *err)
{
    char *folder = file_folder(path, err);
    struct buf name = {0};
    int fd = -1;
    buf_printf(&name, "%s.tmp.%ld", path, (long)getpid());
    char *temporary = buf_take_text(&name);
    if (!folder || !temporary) {
        (void)err_set(err, STATUS_MEMORY, "no memory to write %s", path);
        goto out;
    }
    (void)unlink(temporary); /* of a process that had our number */
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        (void)err_set_errno(err, STATUS_IO, errno, "cannot create %s",
                            temporary);
        goto out;
    }
    if (write_all(fd, path, data, n, err)) goto out;
    if (fdatasync(fd) != 0) {
        (void)err_set_errno(err, STATUS_IO, errno, "cannot sync %s", path);
        goto out;
    }
    int closed = close(fd);
    fd = -1;
    if (closed != 0 || rename(temporary, path) != 0) {
        (void)err_set_errno(err, STATUS_IO, errno, "cannot finish %s", path);
        goto out;
    }
    if (file_sync_folder(folder, err)) goto out;
out:
    if (fd >= 0) close(fd);
    if (err->status && temporary) unlink(temporary);
    buf_free(&name);
    free(temporary);
    free(folder);
    return err->status;
}

int file_open_own(const char *path, int flags)
{
    struct stat info;
    /* O_NONBLOCK: a pipe is not to hold us up. */
    int fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (fd < 0 || (fstat(fd, &info) == 0 && S_ISREG(info.st_mode))) return fd;
    close(fd);
    errno = ENXIO;
    return -1;
}

enum status file_own_failed(const char *path, int error_number, struct err *err)
{
    struct stat info;
    if (lstat(path, &info) == 0 && !S_ISREG(info.st_mode) &&
        !S_ISDIR(info.st_mode))
        return err_set(err, STATUS_IO,
                       "cannot open %s: it is a link or a device, and only a "
                       "plain file of the folder itself is written or read",
                       path);
    return err_set_errno(err, STATUS_IO, error_number, "cannot open %s", path);
}

bool file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

enum status file_make_folder(const char *path, struct err *err)
{
    char *copy = mem_strdup(path, err);
    if (!copy) return err->status;
    for (char *at = copy + 1;; at++) {
        if (*at != '/' && *at != '\0') continue;
        char end = *at;
        *at = '\0';
        if (mkdir(copy, 0777) != 0 && errno != EEXIST) {
            (void)err_set_errno(err, STATUS_IO, errno, "cannot make folder %s",
                                copy);
            break;
        }
        *at = end;
        if (end == '\0') break;
    }
    struct stat info;
    if (!err->status && (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)))
        (void)err_set(err, STATUS_IO, "%s is not a folder", path);
    free(copy);
    return err->status;
}

char *file_join(const char *folder, const char *name, struct err *err)
{
    if (!folder || !*folder || name[0] == '/') return mem_strdup(name, err);
    size_t bytes = strlen(folder) + strlen(name) + 2;
    char *path = mem_calloc(bytes, 1, "a path", err);
    if (path) snprintf(path, bytes, "%s/%s", folder, name);
    return path;
}

char *file_folder(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    char *folder = mem_strdup(slash ? path : ".", err);
    if (folder && slash) folder[slash == path ? 1 : slash - path] = '\0';
    return folder;
}

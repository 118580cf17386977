#include "common/store/fresh.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/file.h"

char *fresh_make(const char *path, struct err *err)
{
    for (int attempt = 0; attempt < 100; attempt++) {
        struct timespec now;
        struct buf name = {0};
        clock_gettime(CLOCK_REALTIME, &now);
        buf_printf(&name, "%s.tmp.%ld.%lx", path, (long)getpid(),
                   (unsigned long)now.tv_nsec);
        char *temporary = buf_take_text(&name);
        buf_free(&name);
        if (!temporary) {
            (void)err_set(err, STATUS_MEMORY, "no memory to write %s", path);
            return NULL;
        }
        int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) {
            close(fd);
            return temporary;
        }
        int error_number = errno;
        free(temporary);
        if (error_number != EEXIST) {
            (void)err_set_errno(err, STATUS_IO, error_number,
                                "cannot create a file beside %s", path);
            return NULL;
        }
    }
    (void)err_set(err, STATUS_IO, "cannot create a file beside %s", path);
    return NULL;
}

static enum status sync_file(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot open %s", path);
    if (fsync(fd) != 0)
        (void)err_set_errno(err, STATUS_IO, errno, "cannot sync %s", path);
    close(fd);
    return err->status;
}

enum status fresh_settle(const char *temporary, const char *path,
                         struct err *err)
{
    char *folder = file_folder(path, err);
    if (!folder || sync_file(temporary, err)) goto out;
    if (rename(temporary, path) != 0) {
        (void)err_set_errno(err, STATUS_IO, errno, "cannot rename %s to %s",
                            temporary, path);
        goto out;
    }
    if (file_sync_folder(folder, err)) goto out;
out:
    free(folder);
    return err->status;
}

/* file.h - whole files, paths, and writing that survives a crash. */
#ifndef PATCHSWEEP_COMMON_BASE_FILE_H
#define PATCHSWEEP_COMMON_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/err.h"

/* Append the content of path to out. A file of more than most bytes is an
 * error (0: no limit but the buffer's). */
enum status file_read(struct buf *out, const char *path, size_t most,
                      struct err *err) WARN_UNUSED;

/* Write n bytes to path so that a crash leaves the old file or the new one:
 * a temporary name beside it, fdatasync, rename, fsync of the folder. */
enum status file_write(const char *path, const void *data, size_t n,
                       struct err *err) WARN_UNUSED;

/* fsync the folder, after a rename in it. */
enum status file_sync_folder(const char *folder, struct err *err) WARN_UNUSED;

/* open() for a file of an output folder, which others may be able to write:
 * no symbolic link is followed, so that nothing outside the folder is touched,
 * and nothing but a plain file is opened. -1 with errno where it fails. */
int file_open_own(const char *path, int flags);

/* The sentence for it, from the errno. */
enum status file_own_failed(const char *path, int error_number,
                            struct err *err);

bool file_exists(const char *path);

/* Make a folder and its parents; one that exists is fine. */
enum status file_make_folder(const char *path, struct err *err) WARN_UNUSED;

/* folder + "/" + name, or name alone where it is absolute or folder is NULL
 * or empty. Owned by the caller. */
char *file_join(const char *folder, const char *name,
                struct err *err) WARN_UNUSED;

/* The folder part of path ("." where there is none). Owned by the caller. */
char *file_folder(const char *path, struct err *err) WARN_UNUSED;

#endif

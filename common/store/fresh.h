/* fresh.h - replace a file by one that was written whole: a temporary name
 * beside it, sync, rename. */
#ifndef PATCHSWEEP_COMMON_STORE_FRESH_H
#define PATCHSWEEP_COMMON_STORE_FRESH_H

#include "common/base/err.h"

/* A new empty file beside path, of a name that no other process takes; owned
 * by the caller. */
char *fresh_make(const char *path, struct err *err) WARN_UNUSED;

/* Sync the temporary file, give it its name, sync the folder. On a failure
 * the old file stays. */
enum status fresh_settle(const char *temporary, const char *path,
                         struct err *err) WARN_UNUSED;

#endif

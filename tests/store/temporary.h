/* temporary.h - a folder of one test program, removed at its end. */
#ifndef PATCHSWEEP_TESTS_STORE_TEMPORARY_H
#define PATCHSWEEP_TESTS_STORE_TEMPORARY_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TEMPORARY_PATH = 512 };

/* path := a new folder: under TMPDIR where that is set, else in memory (tests
 * sync thousands of times), else in /tmp. 0, or -1. */
static inline int temporary_make(char path[TEMPORARY_PATH])
{
    const char *parent = getenv("TMPDIR");
    if (!parent) parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(path, TEMPORARY_PATH, "%s/patchsweep-test-XXXXXX", parent);
    return mkdtemp(path) ? 0 : -1;
}

/* The path of a file in it; valid until the next call. */
static inline const char *temporary_file(const char *folder, const char *name)
{
    static char path[2 * TEMPORARY_PATH];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Remove the folder and the files in it (it has no folders). */
static inline void temporary_remove(const char *folder)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (entry->d_name[0] != '.')
            unlink(temporary_file(folder, entry->d_name));
    if (dir) closedir(dir);
    rmdir(folder);
}

#endif

/* results.c - results.h5 from beginning to end: temporary name, content,
 * sync, rename. */
#include "common/store/results.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/store/results_private.h"

/* A new empty file beside path, of a name that no other process takes; owned
 * by the caller. */
static char *make_temporary(const char *path, struct err *err)
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

/* The whole content but the root's attributes, which come last: they say
 * whether it is complete. */
static void write_content(struct results *results)
{
    const struct plan *plan = results->plan;
    results_index_build(results);
    results_job_write_job(results);
    results_pairs_write(results);
    if (!results_is_failed(results)) h5_make_group(results->h5, "sweeps");
    for (int s = 0; s < plan->job->n_sweeps && !results_is_failed(results);
         s++) {
        struct results_layout layout;
        results_coords_write(results, &layout, s);
        results_sweep_write(results, &layout);
        results_layout_free(&layout);
    }
    results_job_write_failures(results);
    if (results_is_failed(results)) return;
    struct results_summary *summary = &results->summary;
    summary->is_complete =
        summary->cells[CELL_MISSING] == 0 && summary->cells[CELL_FAILED] == 0;
    for (int p = 0; p < plan->pairs->n; p++)
        if (results->index.baseline_status[p] != CELL_COMPUTED)
            summary->is_complete = false;
    results_job_write_root(results);
    results_job_write_run(results); /* last: the rest is the same without it */
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

enum status results_write(const struct plan *plan,
                          const struct tokenizer *tokenizer,
                          struct journal *journal, const char *path,
                          const struct results_options *options,
                          struct results_summary *summary, struct err *err)
{
    struct results results = {.plan = plan,
                              .tokenizer = tokenizer,
                              .journal = journal,
                              .options = options,
                              .err = err};
    char *folder = file_folder(path, err);
    char *temporary = folder ? make_temporary(path, err) : NULL;
    if (!temporary) goto out;
    results.h5 = h5_create(temporary, err);
    if (!results.h5) goto out;
    write_content(&results);
    if (h5_close(results.h5, err)) goto out;
    if (sync_file(temporary, err)) goto out;
    if (rename(temporary, path) != 0) {
        (void)err_set_errno(err, STATUS_IO, errno, "cannot rename %s to %s",
                            temporary, path);
        goto out;
    }
    free(temporary);
    temporary = NULL;
    if (file_sync_folder(folder, err)) goto out;
    *summary = results.summary;
out:
    if (err->status && temporary) {
        unlink(temporary);
        (void)err_context(err, "%s is left as it was", path);
    }
    results_index_free(&results.index);
    doc_free(&results.full);
    free(temporary);
    free(folder);
    return err->status;
}

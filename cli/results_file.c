#include "cli/results_file.h"

#include <stdlib.h>

#include "common/base/file.h"

enum status results_file_open_journal(struct journal **out, const char *folder,
                                      struct err *err)
{
    *out = NULL;
    char *path = file_join(folder, "journal", err);
    if (!path) return err->status;
    if (!file_exists(path))
        (void)err_set(err, STATUS_INPUT, "%s holds no run: there is no %s",
                      folder, path);
    else
        (void)(journal_open_reader(out, path, err) == 0);
    free(path);
    return err->status;
}

enum status results_file_write(const char *folder, const struct study *study,
                               struct journal *journal,
                               struct results_summary *summary, struct err *err)
{
    const struct results_options options = {.store_limit = RESULTS_STORE_LIMIT};
    char *path = file_join(folder, "results.h5", err);
    if (!path) return err->status;
    enum status status = results_write(&study->plan, study->tokenizer, journal,
                                       path, &options, summary, err);
    free(path);
    return status;
}

enum status results_file_write_activations(
    const char *folder, const struct study *study, struct journal *journal,
    bool is_settling, struct activations_summary *summary, struct err *err)
{
    return activations_write(&study->plan, study->tokenizer, journal, folder,
                             is_settling, summary, err);
}

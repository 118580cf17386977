/* results_file.h - OUT/results.h5 from OUT/journal. */
#ifndef PATCHSWEEP_CLI_RESULTS_FILE_H
#define PATCHSWEEP_CLI_RESULTS_FILE_H

#include "common/plan/study.h"
#include "common/store/activations.h"
#include "common/store/results.h"

/* Open OUT/journal for reading; STATUS_INPUT where OUT holds no run. */
enum status results_file_open_journal(struct journal **out, const char *folder,
                                      struct err *err) WARN_UNUSED;

/* Write OUT/results.h5 anew. study: planned, extensions replayed. */
enum status results_file_write(const char *folder, const struct study *study,
                               struct journal *journal,
                               struct results_summary *summary,
                               struct err *err) WARN_UNUSED;

/* activations_write of activations.h; summary->units is 0 where the job keeps
 * none. */
enum status results_file_write_activations(const char *folder,
                                           const struct study *study,
                                           struct journal *journal,
                                           bool is_settling,
                                           struct activations_summary *summary,
                                           struct err *err) WARN_UNUSED;

#endif

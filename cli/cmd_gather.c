#include <stdlib.h>

#include "cli/command.h"
#include "cli/models.h"
#include "cli/results_file.h"
#include "cli/studies.h"
#include "cli/tally.h"

static const char help[] =
    "usage: patchsweep gather OUT\n"
    "\n"
    "Write OUT/results.h5 anew from OUT/journal, and OUT/activations.h5 from\n"
    "OUT/parts where the job keeps activations: of a run that is at work, "
    "that\n"
    "was killed, or that is done. Needs nothing but OUT.\n"
    "\n"
    "example: patchsweep gather out/michelle\n";

static enum status gather(void *user, const char *folder, const char *name,
                          bool is_begun, struct err *err)
{
    (void)user;
    (void)name;
    if (!is_begun) {
        printf("%s: not begun\n", folder);
        return STATUS_OK;
    }
    struct journal *journal = NULL;
    struct study study = {0};
    struct results_summary summary;
    struct activations_summary kept;
    if (results_file_open_journal(&journal, folder, err) ||
        studies_open_journal(&study, journal, err) ||
        results_file_write(folder, &study, journal, &summary, err) ||
        results_file_write_activations(folder, &study, journal, false, &kept,
                                       err))
        goto out;
    command_print_banner(stdout, study.config.banner);
    printf("%s/results.h5: %llu of %llu units%s\n", folder,
           (unsigned long long)summary.units_done,
           (unsigned long long)tally_live_units(&study.plan),
           summary.is_complete ? ", complete" : "");
    if (kept.units)
        printf("%s/activations.h5: %llu of %llu units%s\n", folder,
               (unsigned long long)kept.units_done,
               (unsigned long long)kept.units,
               kept.is_complete ? ", complete" : "");
    if (kept.units_lost)
        printf("%llu units were done, but what held their values is gone: run "
               "again to compute them anew\n",
               (unsigned long long)kept.units_lost);
    if (summary.units_failed)
        printf("%llu units failed: see /failures\n",
               (unsigned long long)summary.units_failed);
out:
    study_close(&study);
    journal_close(journal);
    return err->status;
}

enum status cmd_gather(int argc, char **argv, int *exit_status, struct err *err)
{
    (void)exit_status;
    bool is_help = false, is_done;
    const char *folder;
    const struct option_spec specs[] = {{"help", 'h', OPTION_HELP, &is_help}};
    static const char *const names[] = {"OUT"};
    const struct command_line line = {.command = "gather",
                                      .specs = specs,
                                      .n_specs = 1,
                                      .names = names,
                                      .least = 1,
                                      .most = 1};
    if (command_parse(&line, help, &is_help, argc, argv, &folder, &is_done,
                      err) ||
        is_done)
        return err->status;
    return models_visit(folder, gather, NULL, err);
}

/* models.h - a job over several models (`models`): one run after the other,
 * each in OUT/NAME with its own journal and files, NAME being the last part of
 * the model's path. OUT/models lists the names, one a line. */
#ifndef PATCHSWEEP_CLI_MODELS_H
#define PATCHSWEEP_CLI_MODELS_H

#include "cli/cmd_run.h"

struct models {
    int n;            /* 0: the job has one model, or --model chose one */
    char **names;     /* owned */
    char **overrides; /* "model=PATH", as --set takes it; owned */
};

/* The models of the job at path. A --model (not NULL) or a --set of `model`
 * leaves that one alone: n = 0. */
enum status models_open(struct models *out, const char *path, const char *model,
                        const struct option_list *overrides,
                        struct err *err) WARN_UNUSED;
void models_free(struct models *models);

/* *out: the --set options, with the one that chooses model i added. */
enum status models_choose(struct option_list *out, const struct models *models,
                          int i, const struct option_list *overrides,
                          struct err *err) WARN_UNUSED;

/* cmd_run_execute for every model. Goes on after failed units (the exit
 * status says so at the end), ends with the first run that is stopped or
 * fails otherwise. Collective over group. */
enum status models_run(const struct run_arguments *arguments,
                       struct group *group, double start_s, bool *must_abort,
                       int *exit_status, struct err *err) WARN_UNUSED;

/* What a command does with one output folder; name: of its model, NULL where
 * the job has but one; is_begun: it has a journal, or is that of one model. */
typedef enum status models_visitor(void *user, const char *folder,
                                   const char *name, bool is_begun,
                                   struct err *err);

/* Call visit for the output folder, or, where it is that of several models,
 * for the folder of each. Ends with the first failure. */
enum status models_visit(const char *folder, models_visitor *visit, void *user,
                         struct err *err) WARN_UNUSED;

#endif

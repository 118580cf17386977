#include "cli/cmd_verify.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/checks.h"
#include "cli/cmd_run.h"
#include "cli/command.h"
#include "common/base/file.h"
#include "common/base/mem.h"

static const char help[] =
    "usage: patchsweep verify MODEL [options]\n"
    "       mpirun -n RANKS patchsweep verify MODEL [options]\n"
    "\n"
    "Run again what was published about GPT-2 small and compare, number by\n"
    "number. MODEL is a folder with its files. A line a check: the numbers\n"
    "compared, and, where they differ most, what was expected, what was "
    "found,\n"
    "the difference and the tolerance.\n"
    "\n"
    "  -o, --output OUT     keep the runs in OUT; again on the same OUT "
    "resumes\n"
    "                       (default: a temporary folder; on several nodes "
    "OUT\n"
    "                       must be given, and seen by all)\n"
    "  --checks DIR         other checks: DIR/checks.yaml (docs/verify.md)\n"
    "  --memory SIZE        memory of all ranks on a node (default: 80 %)\n"
    "\n"
    "Exit: 0 all checks passed, 4 some failed, 2 MODEL is not the model that\n"
    "the checks are about, else as run.\n"
    "\n"
    "example: mpirun -n 8 patchsweep verify models/gpt2 -o out/verify\n";

/* The program's own checks: beside the installed program, else in its source
 * tree. Owned by the caller. */
static char *own_checks(struct err *err)
{
    char program[4096];
    char *folder = NULL, *checks = NULL;
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n > 0) {
        program[n] = '\0';
        folder = file_folder(program, err);
        checks =
            folder ? file_join(folder, PATCHSWEEP_VERIFY_FROM_BIN, err) : NULL;
        free(folder);
        if (!checks || file_exists(checks)) return checks;
        free(checks);
    }
    return mem_strdup(PATCHSWEEP_VERIFY_SOURCE, err);
}

/* The checks of a folder (NULL: the program's own), about this model. */
static enum status open_checks(struct checks *out, const char *folder,
                               const char *model, struct err *err)
{
    struct model_config config;
    char *own = folder ? NULL : own_checks(err);
    if (own) folder = own;
    if (folder && checks_open(out, folder, err) == STATUS_OK &&
        model_config_read(&config, model, err) == STATUS_OK &&
        checks_fit(out, &config, err))
        (void)err_context(err, "%s cannot be verified", model);
    free(own);
    return err->status;
}

enum status cmd_verify_parse(struct verify_arguments *out, int argc,
                             char **argv, bool *is_done, struct err *err)
{
    bool is_help = false;
    const char *checks = NULL;
    *out = (struct verify_arguments){0};
    const struct option_spec specs[] = {
        {"output", 'o', OPTION_TEXT, &out->folder},
        {"checks", 0, OPTION_TEXT, &checks},
        {"memory", 0, OPTION_BYTES, &out->memory_bytes},
        {"help", 'h', OPTION_HELP, &is_help}};
    static const char *const names[] = {"MODEL"};
    const struct command_line line = {.command = "verify",
                                      .specs = specs,
                                      .n_specs =
                                          (int)(sizeof specs / sizeof *specs),
                                      .names = names,
                                      .least = 1,
                                      .most = 1};
    if (command_parse(&line, help, &is_help, argc, argv, &out->model, is_done,
                      err) ||
        *is_done)
        return err->status;
    return open_checks(&out->checks, checks, out->model, err);
}

void cmd_verify_free(struct verify_arguments *arguments)
{
    checks_close(&arguments->checks);
}

/* Rank 0's; the others know the folder of the run alone. */
struct verification {
    const struct verify_arguments *arguments;
    const struct checks *checks; /* the arguments' */
    char *folder;                /* of the runs; owned */
    bool is_temporary;
    char *job_folder;   /* of the run under way; owned */
    const char *source; /* the last one printed */
    int n_passed, n_failed, n_told;
    bool has_failed_units;
};

static enum status open_folder(struct verification *v, int n_nodes,
                               struct err *err)
{
    const char *place = getenv("TMPDIR");
    if (v->arguments->folder) {
        v->folder = mem_strdup(v->arguments->folder, err);
        return err->status;
    }
    if (n_nodes > 1)
        return err_set(err, STATUS_USAGE,
                       "verify: on %d nodes give -o OUT, a folder that all "
                       "see",
                       n_nodes);
    v->folder = file_join(place && *place ? place : "/tmp",
                          "patchsweep-verify-XXXXXX", err);
    if (!v->folder) return err->status;
    if (!mkdtemp(v->folder))
        return err_set_errno(err, STATUS_IO, errno, "cannot make %s",
                             v->folder);
    v->is_temporary = true;
    return STATUS_OK;
}

/* A folder with all that is in it. */
static void remove_folder(const char *folder)
{
    struct err err = {0};
    DIR *entries = opendir(folder);
    const struct dirent *entry;
    while (entries && (entry = readdir(entries))) {
        char *path = file_join(folder, entry->d_name, &err);
        if (path && strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0 && unlink(path) != 0)
            remove_folder(path);
        free(path);
    }
    if (entries) (void)closedir(entries);
    (void)rmdir(folder);
}

/* What a run left in a temporary folder. */
static void end_job(struct verification *v)
{
    if (v->job_folder && v->is_temporary) remove_folder(v->job_folder);
    free(v->job_folder);
    v->job_folder = NULL;
}

static void close_verification(struct verification *v)
{
    end_job(v);
    if (v->is_temporary) (void)rmdir(v->folder);
    free(v->folder);
}

static void print_outcome(struct verification *v, const struct check *check,
                          const struct check_outcome *outcome)
{
    const char *word = outcome->is_passed   ? "ok"
                       : check->is_deciding ? "FAIL"
                                            : "differs";
    int *count = outcome->is_passed   ? &v->n_passed
                 : check->is_deciding ? &v->n_failed
                                      : &v->n_told;
    ++*count;
    if (!v->source || strcmp(v->source, check->source) != 0)
        printf("# %s\n", check->source);
    v->source = check->source;
    printf("%-7s  %-38s %7zu %12.6g %12.6g %11.2e %9.1e  %.*s\n", word,
           check->name, outcome->n, outcome->expected, outcome->found,
           outcome->difference, check->tolerance, (int)outcome->place.n,
           outcome->place.n ? (const char *)outcome->place.data : "");
}

/* Above the table. The digest tells a conversion, or another training run,
 * from the published file. */
static void print_head(const struct verification *v, struct h5 *h5)
{
    char *digest = h5_get_text(h5, "/", "digest_model");
    if (digest && v->checks->sha256) {
        bool is_same = strcmp(digest, v->checks->sha256) == 0;
        printf("weights  sha256 %s: %s\n", digest,
               is_same ? "the published file"
                       : "not the published file, which need not mean other "
                         "weights");
    }
    free(digest);
    printf("%-7s  %-38s %7s %12s %12s %11s %9s  %s\n", "", "check", "numbers",
           "expected", "found", "difference", "tolerance",
           "where they differ most");
}

/* Close the file that is open, if any, and open another of the run's. */
static enum status change_file(const struct verification *v, struct h5 **h5,
                               const char *file, struct err *err)
{
    struct h5 *old = *h5;
    *h5 = NULL;
    if (h5_close(old, err)) return err->status;
    char *path = file_join(v->job_folder, file, err);
    if (path) *h5 = h5_open(path, err);
    free(path);
    return err->status;
}

static enum status compare_job(struct verification *v, int job, struct err *err)
{
    struct h5 *h5 = NULL;
    const char *file = "";
    for (size_t i = 0; i < v->checks->n; i++) {
        const struct check *check = &v->checks->items[i];
        struct check_outcome outcome = {0};
        if (check->job != job) continue;
        if (strcmp(file, check->file) != 0 &&
            change_file(v, &h5, check->file, err))
            break;
        file = check->file;
        if (!v->source) print_head(v, h5);
        if (check_compare(&outcome, check, h5, err) == STATUS_OK &&
            !h5_is_failed(h5))
            print_outcome(v, check, &outcome);
        check_outcome_free(&outcome);
        if (err->status || h5_is_failed(h5)) break;
    }
    (void)fflush(stdout);
    return h5_close(h5, err);
}

/* Collective: rank 0 says whether a job follows, in which folder (ranks write
 * activations there themselves), or with which status all end. */
static enum status share_step(struct verification *v, struct group *group,
                              bool *is_going_on, int *exit_status,
                              struct err *err)
{
    struct buf bytes = {0};
    bool is_first = group_rank(group) == 0;
    if (is_first) {
        buf_u8(&bytes, *is_going_on);
        buf_i32(&bytes, *exit_status);
        if (*is_going_on) buf_text(&bytes, v->job_folder);
    }
    if (group_broadcast(group, &bytes, err) == STATUS_OK && !is_first) {
        struct cursor cursor = cursor_of(bytes.data, bytes.n);
        *is_going_on = cursor_u8(&cursor) != 0;
        *exit_status = cursor_i32(&cursor);
        if (*is_going_on) v->job_folder = cursor_text(&cursor, 4096);
    }
    buf_free(&bytes);
    return err->status;
}

/* Rank 0: what to run next. */
static enum status next_job(struct verification *v, size_t job,
                            struct run_arguments *run, struct err *err)
{
    const struct check_job *next = &v->checks->jobs[job];
    v->job_folder = file_join(v->folder, next->name, err);
    run->job = next->path;
    run->overrides = next->overrides;
    fprintf(stderr, "%s: %zu of %zu\n", next->name, job + 1, v->checks->n_jobs);
    return err->status;
}

static enum status count_failures(const struct verification *v, struct err *err)
{
    printf("%s, %s: %d passed, %d failed", v->checks->title, v->checks->model,
           v->n_passed, v->n_failed);
    if (v->n_told) printf(", %d differ that do not decide", v->n_told);
    printf("\n");
    if (v->n_failed == 0) return STATUS_OK;
    return err_set(err, STATUS_DIFFERENT, "%d of %d checks failed", v->n_failed,
                   v->n_passed + v->n_failed + v->n_told);
}

/* Rank 0: whether another job follows; where none does, the outcome in
 * *exit_status and err. */
static bool begin_step(struct verification *v, size_t job,
                       struct run_arguments *run, int *exit_status,
                       struct err *err)
{
    const int failed_units = status_exit(STATUS_UNITS_FAILED);
    if (!err->status && job < v->checks->n_jobs &&
        next_job(v, job, run, err) == STATUS_OK)
        return true;
    if (!err->status) (void)(count_failures(v, err) == 0);
    *exit_status = status_exit(err->status);
    if (v->has_failed_units &&
        (!err->status || err->status == STATUS_DIFFERENT))
        *exit_status = failed_units;
    return false;
}

/* Rank 0, after a run: what it gave, compared. Units that failed are told and
 * leave NaN, which no check passes. */
static void end_step(struct verification *v, size_t job, struct err *err)
{
    if (err->status == STATUS_UNITS_FAILED) {
        fprintf(stderr, "patchsweep: %s\n", err->message);
        v->has_failed_units = true;
        err_clear(err);
    }
    if (!err->status) (void)(compare_job(v, (int)job, err) == 0);
}

enum status cmd_verify_execute(const struct verify_arguments *arguments,
                               struct group *group, double start_s,
                               bool *must_abort, int *exit_status,
                               struct err *err)
{
    struct verification v = {.arguments = arguments,
                             .checks = &arguments->checks};
    struct run_arguments run = {.model = arguments->model,
                                .memory_bytes = arguments->memory_bytes,
                                .sync_s = 5,
                                .is_gathering = true};
    bool is_first = group_rank(group) == 0, is_going_on = true;
    struct err step_err = {0};
    *must_abort = false;
    *exit_status = 0;
    if (is_first) (void)(open_folder(&v, group_n_nodes(group), err) == 0);
    for (size_t job = 0; is_going_on && !*must_abort; job++) {
        if (is_first) is_going_on = begin_step(&v, job, &run, exit_status, err);
        if (share_step(&v, group, &is_going_on, exit_status, &step_err)) {
            *exit_status = status_exit(step_err.status);
            *err = step_err;
            break;
        }
        if (!is_going_on) break;
        run.folder = v.job_folder;
        (void)(cmd_run_execute(&run, group, start_s, must_abort, exit_status,
                               err) == 0);
        if (*must_abort) break;
        if (is_first)
            end_step(&v, job, err);
        else
            err_clear(err); /* rank 0 has it */
        end_job(&v);
    }
    close_verification(&v);
    return err->status;
}

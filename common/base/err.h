/* err.h - status codes and the sentence that goes with a failure.
 *
 * A fallible function returns enum status and takes `struct err *err` last.
 * The place that knows sets the sentence with err_set; callers add context on
 * the way up with err_context, so that a message reads from the outside in:
 *
 *   job ioi.yaml: line 7: model ../models/demo: tensor wte.weight: shape [..]
 *
 * Sentences are lower case, name the object, what was found and what was
 * expected, and have no newline. The first failure wins: err_set on an err
 * that already holds one leaves it alone. err may be NULL nowhere. */
#ifndef PATCHSWEEP_COMMON_BASE_ERR_H
#define PATCHSWEEP_COMMON_BASE_ERR_H

#include <stdarg.h>

/* code, exit status of the program, meaning. The exit statuses are part of
 * the documented surface: see docs/exit-status.md. */
#define STATUS_LIST(X)                                                         \
    X(STATUS_OK, 0, "done")                                                    \
    X(STATUS_INTERNAL, 1, "a fault of patchsweep itself")                      \
    X(STATUS_IO, 1, "a file or the file system failed")                        \
    X(STATUS_MEMORY, 1, "out of memory")                                       \
    X(STATUS_MPI, 1, "MPI or another rank failed")                             \
    X(STATUS_LOCKED, 1, "another run holds the output folder")                 \
    X(STATUS_DAMAGED, 1, "a file of the output folder is damaged")             \
    X(STATUS_USAGE, 2, "wrong command line")                                   \
    X(STATUS_INPUT, 2, "wrong job or input file")                              \
    X(STATUS_UNITS_FAILED, 3, "finished, but some units failed")               \
    X(STATUS_NUMERIC, 3, "a computed value is not finite")                     \
    X(STATUS_DIFFERENT, 4, "numbers are not those that were expected")         \
    X(STATUS_INCOMPLETE, 75, "incomplete: run again to resume")

enum status {
#define STATUS_ENUM(code, exit_status, meaning) code,
    STATUS_LIST(STATUS_ENUM)
#undef STATUS_ENUM
};

struct err {
    enum status status;
    char message[1024];
};

#define WARN_UNUSED       __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* Record a failure and return its status, so that a function may
 * `return err_set(...)`. A long sentence is cut at its end. */
enum status err_set(struct err *err, enum status status, const char *format,
                    ...) PRINTF_LIKE(3, 4);

/* As err_set, with ": " and the text of the C error number appended. */
enum status err_set_errno(struct err *err, enum status status, int error_number,
                          const char *format, ...) PRINTF_LIKE(4, 5);

/* Put "context: " before the recorded sentence; returns err->status. */
enum status err_context(struct err *err, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* Forget a failure that has been dealt with. */
void err_clear(struct err *err);

/* The exit status and the meaning of a code, from STATUS_LIST. */
int status_exit(enum status status);
const char *status_meaning(enum status status);

#endif

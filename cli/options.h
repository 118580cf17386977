/* options.h - the command line of one command, from a table. */
#ifndef PATCHSWEEP_CLI_OPTIONS_H
#define PATCHSWEEP_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

enum option_kind {
    OPTION_SET,      /* bool *: true */
    OPTION_UNSET,    /* bool *: false */
    OPTION_TEXT,     /* const char ** */
    OPTION_LIST,     /* struct option_list *: one more */
    OPTION_COUNT,    /* int *: 1 .. 10^9 */
    OPTION_NUMBER,   /* double *: > 0 */
    OPTION_BYTES,    /* size_t *: 8G, 512MiB, 16GB, as in jobs */
    OPTION_DURATION, /* double *, seconds: 90, 30m, 1.5h, 12:00, 1-12:00:00 */
    OPTION_HELP      /* bool *: -h, --help */
};

enum { OPTION_LIST_MOST = 64 };

struct option_list {
    const char *items[OPTION_LIST_MOST];
    int n;
};

struct option_spec {
    const char *name; /* without dashes */
    char letter;      /* 0: none */
    enum option_kind kind;
    void *out;
};

struct command_line {
    const char *command; /* for messages */
    const struct option_spec *specs;
    int n_specs;
    const char *const *names; /* of the arguments, for messages */
    int least, most;          /* arguments that are needed, and allowed */
};

/* Parse argv[1 .. argc-1]; arguments go to values[0 .. most-1] (borrowed from
 * argv), NULL where not given. Options and arguments may be mixed. Once
 * --help is seen nothing else is checked. STATUS_USAGE names what is wrong
 * and what was expected. */
enum status options_parse(const struct command_line *line, int argc,
                          char **argv, const char **values,
                          struct err *err) WARN_UNUSED;

/* The texts of OPTION_BYTES and OPTION_DURATION; false where they are none. */
bool options_parse_bytes(size_t *out, const char *text);
bool options_parse_duration(double *out, const char *text);

#endif

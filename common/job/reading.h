/* reading.h - typed values out of a document, with one form of message:
 *
 *   FILE: line N: WHERE: KEY: found FOUND, expected EXPECTED
 *
 * Used by the parsers of the job and of the pairs; not for others. Every
 * function returns the status of reading->err and does nothing where that
 * already holds a failure, so that callers may check once. A doc of NULL is
 * an absent key: the output stays as it is. */
#ifndef PATCHSWEEP_COMMON_JOB_READING_H
#define PATCHSWEEP_COMMON_JOB_READING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/doc.h"
#include "common/base/err.h"

struct reading {
    const char *file;
    int line;                     /* of nodes that know none (JSON) */
    char where[160];              /* "sweep 'heads'"; empty at the top */
    const char *const *overrides; /* a node of line -(i + 1) is from the i-th
                                   * --set; NULL where unknown */
    struct err *err;
};

/* r with ": name" after its WHERE, for what stands inside the map `name`. */
struct reading reading_inside(const struct reading *r, const char *name);

/* Record "FILE: line N: WHERE: KEY: sentence". key may be NULL. */
enum status reading_fail(const struct reading *r, const struct doc *doc,
                         const char *key, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* "found FOUND, expected EXPECTED", FOUND being doc. */
enum status reading_expect(const struct reading *r, const struct doc *doc,
                           const char *key, const char *expected);

/* Put "FILE: line N: WHERE: KEY: " before a failure recorded by someone
 * else. */
enum status reading_context(const struct reading *r, const struct doc *doc,
                            const char *key);

/* A string without NUL and not empty, or a whole number as its digits; owned
 * by the caller. */
enum status reading_text(const struct reading *r, const struct doc *doc,
                         const char *key, char **out);
/* A name of a group in the files: at most 64 letters, digits, _, - and ., not
 * beginning with a dot; owned by the caller. */
enum status reading_name(const struct reading *r, const struct doc *doc,
                         const char *key, char **out);
enum status reading_bool(const struct reading *r, const struct doc *doc,
                         const char *key, bool *out);
/* A whole number from least to most. */
enum status reading_whole(const struct reading *r, const struct doc *doc,
                          const char *key, int least, int most, int *out);
enum status reading_seed(const struct reading *r, const struct doc *doc,
                         const char *key, uint64_t *out);
/* A finite number that is at least least. */
enum status reading_number(const struct reading *r, const struct doc *doc,
                           const char *key, double least, double *out);
/* One of n words; *out is its index. */
enum status reading_choice(const struct reading *r, const struct doc *doc,
                           const char *key, const char *const *words, int n,
                           int *out);

/* A list, or one item that stands for a list of one: how many items, and
 * the i-th. */
size_t reading_n_items(const struct doc *doc);
const struct doc *reading_item(const struct doc *doc, size_t i);

/* "FILE: line N", or "FILE: --set" for the negative line of a node that a
 * --set replaced; returns out. */
enum { READING_PLACE = 320 };
const char *reading_place(char out[READING_PLACE], const char *file, int line);

/* What a document parser said of a text that is itself part of a line:
 * message without the parser's own "line N: ". */
const char *reading_why(const char *message);

/* Give doc and all below it this line. */
void reading_set_line(struct doc *doc, int line);

/* The word nearest to text by edit distance where one is near (a third of
 * the letters, at least one edit apart is allowed), or -1. */
int reading_nearest(const char *text, const char *const *words, int n);

#endif

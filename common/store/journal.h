/* journal.h - the truth of a run: an append-only file of checked records.
 *
 * Layout (little-endian):
 *   header   8 bytes "PSJOURN1", u32 version, u32 CRC-32 of the 12 before
 *   record   u32 kind, u32 bytes of payload, u64 sequence number (0, 1, ..),
 *            payload, u32 CRC-32 over all of that
 * A *mark* is a record written after a successful fdatasync: everything
 * before it was on disk. Damage after the last mark is cut and reported;
 * damage before it is an error that names the offset. A failed fdatasync ends
 * the run and is never retried. One writer (rank 0), which holds the lock;
 * any number of readers, which treat a bad tail as not yet written. */
#ifndef PATCHSWEEP_COMMON_STORE_JOURNAL_H
#define PATCHSWEEP_COMMON_STORE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum {
    JOURNAL_VERSION = 1,
    JOURNAL_HEADER_BYTES = 16,
    JOURNAL_RECORD_BYTES = 20,              /* of a record beside its payload */
    JOURNAL_MOST_BYTES = 1024 * 1024 * 1024 /* of a payload */
};

#define JOURNAL_RECORD_LIST(X)                                                 \
    X(JOURNAL_START, 1, "a start: text of key = value lines (runinfo.h)")      \
    X(JOURNAL_END, 2, "how a start ended: text of key = value lines")          \
    X(JOURNAL_EXTENSION, 3, "an extension record of plan.h")                   \
    X(JOURNAL_RESULT, 4, "a finished unit: bytes of result.h")                 \
    X(JOURNAL_FAILURE, 5, "a failed unit: u64 unit, text")                     \
    X(JOURNAL_MARK, 6, "everything before is on disk: u64 its own offset")     \
    X(JOURNAL_INPUTS, 7,                                                       \
      "the job and its files: bytes of inputs.h, overrides")                   \
    X(JOURNAL_HELD, 8, "activations.h5 holds units: an id, their numbers")

enum journal_record {
#define JOURNAL_ENUM(code, number, meaning) code = number,
    JOURNAL_RECORD_LIST(JOURNAL_ENUM)
#undef JOURNAL_ENUM
};

struct journal;

/* Open OUT/journal for writing, made where it is absent, its bad tail cut
 * (then *cut_bytes says how much, else 0). The caller holds the lock. */
enum status journal_open(struct journal **out, const char *path,
                         uint64_t *cut_bytes, struct err *err) WARN_UNUSED;

/* Open for reading only: a bad or incomplete tail is ignored. */
enum status journal_open_reader(struct journal **out, const char *path,
                                struct err *err) WARN_UNUSED;
void journal_close(struct journal *journal); /* NULL is fine; no sync */

/* Walk the records from the beginning, marks too. at is their place for
 * journal_read. The payload is valid during the call; the visitor may read
 * other records, or walk. A visitor's failure ends the walk. A reader sees
 * the records that were whole when the walk began; each walk looks anew. */
typedef enum status journal_visitor(void *user, enum journal_record kind,
                                    uint64_t at, const void *payload, size_t n,
                                    struct err *err);
enum status journal_walk(struct journal *journal, journal_visitor *visit,
                         void *user, struct err *err) WARN_UNUSED;

/* Read one record again by its place; *payload is owned by the journal and
 * valid until the next journal_read. */
enum status journal_read(struct journal *journal, uint64_t at,
                         const void **payload, size_t *n,
                         struct err *err) WARN_UNUSED;

/* Append; the bytes are with the kernel when it returns, on disk after
 * journal_sync. A write that fails, even half-way, is undone (the file is cut
 * back) and is an error; the journal may be used again after that. Where the
 * cut fails too the journal refuses everything that follows. */
enum status journal_append(struct journal *journal, enum journal_record kind,
                           const void *payload, size_t n,
                           struct err *err) WARN_UNUSED;

/* Where the next record will stand. */
uint64_t journal_end(const struct journal *journal);

/* fdatasync, then a mark. Nothing to do where nothing was appended. After a
 * failure the journal refuses everything that follows. */
enum status journal_sync(struct journal *journal, struct err *err) WARN_UNUSED;

/* "start", "result" ..: for messages and listings; NULL for no such kind. */
const char *journal_record_meaning(uint32_t kind);

#endif

/* part.h - the file of one unit's activations, OUT/parts/UNIT.part.
 *
 * Layout (little-endian):
 *   header   8 bytes "PSPARTS1", u64 unit, u64 first cell, u64 cells, 32 bytes
 *            key of the segment, u32 CRC-32 of the 64 before
 *   pieces   in the order of keep.h, each followed by its CRC-32
 *   end      u32 CRC-32 of all values together, which is the part's own (that
 *            of bytes with their CRCs among them is always the same), u32
 *            CRC-32 of everything before
 * It is written under a temporary name, synced, renamed, and its folder
 * synced, before the unit is reported: a part that is there is whole. */
#ifndef PATCHSWEEP_COMMON_PLAN_PART_H
#define PATCHSWEEP_COMMON_PLAN_PART_H

#include "common/plan/plan.h"

enum { PART_HEADER_BYTES = 68, PART_END_BYTES = 8, PART_CRC_BYTES = 4 };

/* "OUT/parts", and "OUT/parts/7.part"; owned by the caller. */
char *part_folder(const char *out, struct err *err) WARN_UNUSED;
char *part_path(const char *out, uint64_t unit, struct err *err) WARN_UNUSED;

/* Writing. Failures are sticky and come out of part_finish. */
struct part;
struct part *part_create(const char *out, const struct plan *plan,
                         const struct unit *unit, struct err *err) WARN_UNUSED;
void part_put(struct part *part, const void *data, size_t bytes);
void part_end_piece(struct part *part);
/* Closes and releases, in any case. A whole part of the same unit that is
 * there by now stays instead. */
enum status part_finish(struct part *part, uint64_t *bytes, uint32_t *crc,
                        struct err *err) WARN_UNUSED;
void part_abandon(struct part *part); /* NULL is fine */

/* Whether a whole part of the unit is there; its size and CRC. Reads all of
 * it. A failure to read is no part. */
bool part_is_there(const char *out, const struct plan *plan,
                   const struct unit *unit, uint64_t *bytes, uint32_t *crc);

/* Reading. */
struct part_reader {
    int fd; /* -1: closed */
    char *path;
};
/* is_absent: there is no such file (and no failure). */
enum status part_open(struct part_reader *reader, const char *out,
                      const struct plan *plan, const struct unit *unit,
                      uint64_t bytes, bool *is_absent,
                      struct err *err) WARN_UNUSED;
/* The piece of n bytes at offset, checked. */
enum status part_read(const struct part_reader *reader, uint64_t offset,
                      void *data, size_t n, struct err *err) WARN_UNUSED;
void part_close(struct part_reader *reader);

#endif

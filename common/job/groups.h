/* groups.h - `groups` and `mask` of a sweep: which components stand together,
 * and which groups a cell takes out.
 *
 * Components are the heads of z, the neurons of mlp_post or the entries of
 * mlp_out's vector. Groups are numbered from 0. A component in no group is
 * never edited, but with a mask of the kind `keep`, which edits all of them. */
#ifndef PATCHSWEEP_COMMON_JOB_GROUPS_H
#define PATCHSWEEP_COMMON_JOB_GROUPS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/doc.h"
#include "common/base/err.h"
#include "common/job/inputs.h"
#include "common/job/site.h"
#include "common/model/config.h"

struct reading;

enum groups_per { GROUPS_PER_LAYER, GROUPS_PER_MODEL };

/* word of the job language; a list or a file is PARTITION_LIST */
enum partition { PARTITION_CONTIGUOUS, PARTITION_RANDOM, PARTITION_LIST };

/* Components first .. last of a layer (-1: of every layer) in a group. */
struct group_range {
    int group, layer, first, last;
};

struct groups {
    bool is_given;
    enum groups_per per;
    enum partition partition;
    int n;         /* 0: every component is a group of its own */
    uint64_t seed; /* of PARTITION_RANDOM */
    char *file;    /* PARTITION_LIST: input file, NULL: inline; owned */
    struct group_range *ranges; /* PARTITION_LIST; owned */
    int n_ranges;
};

/* kind, word; what the rows of the mask are is its axis */
#define MASK_LIST(X)                                                           \
    X(MASK_EACH, "each")                                                       \
    X(MASK_ALL_BUT_EACH, "all_but_each")                                       \
    X(MASK_PAIRS, "pairs")                                                     \
    X(MASK_FRACTION, "fraction")                                               \
    X(MASK_PERMUTATIONS, "permutations")                                       \
    X(MASK_KEEP, "keep")

enum mask_kind {
#define MASK_ENUM(code, word) code,
    MASK_LIST(MASK_ENUM)
#undef MASK_ENUM
        MASK_KIND_COUNT
};

const char *mask_word(enum mask_kind kind);

struct mask {
    enum mask_kind kind;
    double fraction; /* MASK_FRACTION: share of the groups that is kept */
    int draws;       /* MASK_FRACTION: draws; MASK_PERMUTATIONS: permutations */
    bool is_per_pair;
    uint64_t seed;
};

/* Read `groups` and `mask`: both or neither must be given (each may be NULL).
 * Release with groups_free. */
enum status groups_read(const struct reading *r, const struct doc *groups,
                        const struct doc *mask, struct inputs *inputs,
                        struct groups *out, struct mask *out_mask);
void groups_free(struct groups *groups);

/* Append both, as JSON members, to the text of a sweep; file: what stands for
 * an input file, NULL where there is none. */
void groups_write(struct buf *out, const struct groups *groups,
                  const struct mask *mask, enum site site, const char *file);

/* Where groups.of says, or SITE_COUNT; a failure is recorded. */
enum site groups_site(const struct reading *r, const struct doc *groups);

/* The letter of a component in L9H9, L8N2744, L3D17. */
char groups_letter(enum site site);

/* Components of one layer. */
int groups_width(enum site site, const struct model_config *config);

/* How many groups there are; layers: of the universe, width: components of a
 * layer in it. */
int groups_count(const struct groups *groups, int layers, int width);

/* Rows of the mask: cells, draws or groups. May be larger than INT_MAX. */
int64_t mask_rows(const struct mask *mask, int n_groups);

/* How many groups a draw keeps: the share rounded down. */
int mask_kept(const struct mask *mask, int n_groups);

#endif

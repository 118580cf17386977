/* analysis.h - one entry of `analyses`: what is read off the unedited runs.
 * Definitions: docs/metrics.md; what a unit of one gives back:
 * common/plan/shape.h. */
#ifndef PATCHSWEEP_COMMON_JOB_ANALYSIS_H
#define PATCHSWEEP_COMMON_JOB_ANALYSIS_H

#include "common/job/job.h"

/* code, name */
#define ANALYSIS_LIST(X)                                                       \
    X(ANALYSIS_LOGIT_LENS, "logit_lens")                                       \
    X(ANALYSIS_DECOMPOSE, "decompose")                                         \
    X(ANALYSIS_HEADS, "heads")                                                 \
    X(ANALYSIS_NEURONS, "neurons")                                             \
    X(ANALYSIS_ATTENTION, "attention")                                         \
    X(ANALYSIS_EDGES, "edges")                                                 \
    X(ANALYSIS_HEAD_SCORES, "head_scores")

enum analysis_kind {
#define ANALYSIS_ENUM(code, name) code,
    ANALYSIS_LIST(ANALYSIS_ENUM)
#undef ANALYSIS_ENUM
        ANALYSIS_KIND_COUNT
};

const char *analysis_kind_name(enum analysis_kind kind);

/* The fields of other kinds are zero. */
struct analysis {
    char *name, *description; /* `as`; owned; description may be NULL */
    int line;
    enum analysis_kind kind;
    bool has_run[RUN_COUNT];
    struct places positions;     /* is_given false: all */
    bool has_mid;                /* logit_lens: the states between the layers'
                                  * attention and MLP too */
    bool is_own_scale;           /* logit_lens: LayerNorm anew for each state */
    int top;                     /* logit_lens: tokens; neurons: neurons */
    int steps;                   /* edges: of integrated gradients; 0: none */
    struct subset layers, heads; /* attention */
    struct cell_tuple *tuples;   /* attention: heads such as L9H9; owned */
    int n_tuples;                /* 0: layers x heads */
    int n, length;   /* head_scores: sequences, tokens that each repeats */
    uint64_t seed;   /* head_scores */
    char *canonical; /* as sweep.canonical; owned */
};

#endif

/* shape.h - what a unit of an analysis gives back, and how results.h5 lays
 * that out: one table for the worker that fills it, the check of a result and
 * gather.
 *
 * A unit's values are, for each pair of the block, for each run of the
 * analysis: its arrays one after the other, C order, NaN where the pair has
 * nothing there. Of head_scores: the arrays once. Of neurons, after that, for
 * each run: sums over the block's pairs of every neuron's logit_diff,
 * [position][layer][neuron], of the pairs whose logit_diff_remainder at that
 * position is a number. */
#ifndef PATCHSWEEP_COMMON_PLAN_SHAPE_H
#define PATCHSWEEP_COMMON_PLAN_SHAPE_H

#include "common/job/analysis.h"
#include "common/plan/plan.h"

/* Dimensions, as named in results.h5. */
#define SHAPE_DIMS(X)                                                          \
    X(DIM_STATE, "state")                                                      \
    X(DIM_COMPONENT, "component")                                              \
    X(DIM_LAYER, "layer")                                                      \
    X(DIM_HEAD, "head")                                                        \
    X(DIM_CELL, "cell")                                                        \
    X(DIM_DEST, "dest")                                                        \
    X(DIM_SRC, "src")                                                          \
    X(DIM_POSITION, "position")                                                \
    X(DIM_RANK, "rank")                                                        \
    X(DIM_SENDER, "sender")                                                    \
    X(DIM_RECEIVER, "receiver")

enum shape_dim {
#define SHAPE_DIM(code, name) code,
    SHAPE_DIMS(SHAPE_DIM)
#undef SHAPE_DIM
        SHAPE_DIM_COUNT
};

enum {
    ARRAY_ANSWER = 1 << 0, /* exists where a pair has an answer */
    ARRAY_WRONG = 1 << 1,  /* .. a wrong one too */
    ARRAY_WHOLE = 1 << 2,  /* whole numbers; -1 for none */
    ARRAY_MEAN = 1 << 3    /* means over pairs are taken */
};

/* code, kind, name, dimensions, flags, long_name */
#define SHAPE_ARRAYS(X)                                                        \
    X(LENS_LOGIT, ANALYSIS_LOGIT_LENS, "logit", "state position",              \
      ARRAY_ANSWER | ARRAY_MEAN, "logit of the answer at that state")          \
    X(LENS_LOGIT_DIFF, ANALYSIS_LOGIT_LENS, "logit_diff", "state position",    \
      ARRAY_WRONG | ARRAY_MEAN, "logit difference at that state")              \
    X(LENS_PROB, ANALYSIS_LOGIT_LENS, "prob", "state position",                \
      ARRAY_ANSWER | ARRAY_MEAN, "probability of the answer at that state")    \
    X(LENS_ANSWER_RANK, ANALYSIS_LOGIT_LENS, "answer_rank", "state position",  \
      ARRAY_ANSWER | ARRAY_MEAN, "rank of the answer at that state, from 1")   \
    X(LENS_TOP_TOKEN, ANALYSIS_LOGIT_LENS, "top_token", "state position rank", \
      ARRAY_WHOLE, "most probable tokens")                                     \
    X(LENS_TOP_PROB, ANALYSIS_LOGIT_LENS, "top_prob", "state position rank",   \
      0, "their probabilities")                                                \
    X(LENS_TOP_LOGIT, ANALYSIS_LOGIT_LENS, "top_logit", "state position rank", \
      0, "their logits")                                                       \
    X(DECOMPOSE_LOGIT, ANALYSIS_DECOMPOSE, "logit", "component position",      \
      ARRAY_ANSWER | ARRAY_MEAN, "what the component adds to the logit")       \
    X(DECOMPOSE_LOGIT_DIFF, ANALYSIS_DECOMPOSE, "logit_diff",                  \
      "component position", ARRAY_WRONG | ARRAY_MEAN,                          \
      "what the component adds to the logit difference")                       \
    X(HEADS_LOGIT, ANALYSIS_HEADS, "logit", "layer head position",             \
      ARRAY_ANSWER | ARRAY_MEAN, "what the head adds to the logit")            \
    X(HEADS_LOGIT_DIFF, ANALYSIS_HEADS, "logit_diff", "layer head position",   \
      ARRAY_WRONG | ARRAY_MEAN, "what the head adds to the logit difference")  \
    X(HEADS_LOGIT_REMAINDER, ANALYSIS_HEADS, "logit_remainder", "position",    \
      ARRAY_ANSWER | ARRAY_MEAN, "what all but the heads add to the logit")    \
    X(HEADS_LOGIT_DIFF_REMAINDER, ANALYSIS_HEADS, "logit_diff_remainder",      \
      "position", ARRAY_WRONG | ARRAY_MEAN,                                    \
      "what all but the heads add to the logit difference")                    \
    X(NEURONS_TOP_LAYER, ANALYSIS_NEURONS, "top_layer", "position rank",       \
      ARRAY_ANSWER | ARRAY_WHOLE, "layers of the strongest neurons")           \
    X(NEURONS_TOP_NEURON, ANALYSIS_NEURONS, "top_neuron", "position rank",     \
      ARRAY_ANSWER | ARRAY_WHOLE, "the strongest neurons")                     \
    X(NEURONS_TOP_LOGIT, ANALYSIS_NEURONS, "top_logit", "position rank",       \
      ARRAY_ANSWER, "what they add to the logit")                              \
    X(NEURONS_TOP_LOGIT_DIFF, ANALYSIS_NEURONS, "top_logit_diff",              \
      "position rank", ARRAY_WRONG, "what they add to the logit difference")   \
    X(NEURONS_LOGIT_REMAINDER, ANALYSIS_NEURONS, "logit_remainder",            \
      "position", ARRAY_ANSWER | ARRAY_MEAN,                                   \
      "what all but these neurons add to the logit")                           \
    X(NEURONS_LOGIT_DIFF_REMAINDER, ANALYSIS_NEURONS, "logit_diff_remainder",  \
      "position", ARRAY_WRONG | ARRAY_MEAN,                                    \
      "what all but these neurons add to the logit difference")                \
    X(ATTENTION_PATTERN, ANALYSIS_ATTENTION, "pattern", "cell dest src",       \
      ARRAY_MEAN, "attention paid by dest to src")                             \
    X(EDGES_LOGIT, ANALYSIS_EDGES, "logit", "sender receiver",                 \
      ARRAY_ANSWER | ARRAY_MEAN, "attribution of the edge to the logit")       \
    X(EDGES_LOGIT_DIFF, ANALYSIS_EDGES, "logit_diff", "sender receiver",       \
      ARRAY_WRONG | ARRAY_MEAN,                                                \
      "attribution of the edge to the logit difference")                       \
    X(SCORES_PREVIOUS, ANALYSIS_HEAD_SCORES, "previous_token", "layer head",   \
      0, "mean attention to the token before")                                 \
    X(SCORES_DUPLICATE, ANALYSIS_HEAD_SCORES, "duplicate_token", "layer head", \
      0, "mean attention to the same token's first occurrence")                \
    X(SCORES_INDUCTION, ANALYSIS_HEAD_SCORES, "induction", "layer head", 0,    \
      "mean attention to the token after the first occurrence")

enum shape_array {
#define SHAPE_ARRAY(code, kind, name, dims, flags, long_name) code,
    SHAPE_ARRAYS(SHAPE_ARRAY)
#undef SHAPE_ARRAY
        SHAPE_ARRAY_COUNT
};

struct shape_array_info {
    enum analysis_kind kind;
    const char *name, *dims, *long_name;
    unsigned flags;
};

extern const struct shape_array_info shape_arrays[SHAPE_ARRAY_COUNT];
const char *shape_dim_name(enum shape_dim dim);

/* The dimensions of an array, in order; returns how many. */
enum { SHAPE_MOST_DIMS = 3 };
int shape_array_dims(enum shape_array array,
                     enum shape_dim out[SHAPE_MOST_DIMS]);

struct shape {
    const struct analysis *analysis;
    int n_runs; /* 0: head_scores */
    enum run runs[RUN_COUNT];
    size_t extent[SHAPE_DIM_COUNT];
    int first, end;               /* enum shape_array: those of its kind */
    size_t at[SHAPE_ARRAY_COUNT]; /* where one begins in a run's values */
    size_t n_of[SHAPE_ARRAY_COUNT];
    size_t n_run;  /* values of one run of one pair */
    size_t n_sums; /* neurons: of one run */
};

/* The nodes of an edges analysis, numbered in the model's order. Senders:
 * input, then of each layer its heads and its MLP. Receivers: of each layer
 * its heads' queries, keys, values and its MLP, then logits. A sender's reach
 * begins after it: senders 0 .. shape_reach() - 1 reach a receiver. */
enum receiver_kind {
    RECEIVER_Q,
    RECEIVER_K,
    RECEIVER_V,
    RECEIVER_MLP,
    RECEIVER_LOGITS
};
struct receiver {
    enum receiver_kind kind;
    int layer, head; /* layer: L of logits */
};
size_t shape_sender(const struct model_config *config, int layer, int head);
size_t shape_receiver(const struct model_config *config,
                      const struct receiver *receiver);
size_t shape_reach(const struct model_config *config,
                   const struct receiver *receiver);

/* "input", "L3H1", "L3 MLP"; "L3H1 q", "L3 MLP", "logits". */
void shape_sender_name(char *text, size_t size,
                       const struct model_config *config, size_t sender);
void shape_receiver_name(char *text, size_t size,
                         const struct model_config *config, size_t receiver);

/* The longest prompt of all pairs. */
int shape_longest(const struct plan *plan);

/* longest: of the prompts that it is to hold: a block's, or all pairs'. */
void shape_open(struct shape *out, const struct plan *plan, int item,
                int longest);
void shape_open_block(struct shape *out, const struct plan *plan, int item,
                      int block);

/* The values of a unit over n pairs. */
size_t shape_unit_values(const struct shape *shape, int n_pairs);

/* Of all units of an analysis together. */
size_t shape_plan_values(const struct plan *plan, int item);

/* The position (of the run's tokens) that entry i of the axis position is; -1:
 * the pair has none. */
int shape_position(const struct analysis *analysis, const struct pair *pair,
                   enum run run, int i);

/* The head that cell i of an attention analysis is. */
void shape_cell(const struct shape *shape, int i, int *layer, int *head);

/* Whether a unit of the analysis fits a record; the message says what to
 * leave out. For plan_open. */
enum status shape_check(const struct plan *plan, int item,
                        struct err *err) WARN_UNUSED;

#endif

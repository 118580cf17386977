/* metric.h - what is measured at the read positions.
 *
 * Each is computed at every read position and averaged over them. a(nswer)
 * and w(rong) are sets of tokens: their logit is the mean of the logits,
 * their prob the sum, their logprob the log of that sum. p is the softmax
 * over the whole vocabulary. Definitions: docs/metrics.md. */
#ifndef PATCHSWEEP_COMMON_JOB_METRIC_H
#define PATCHSWEEP_COMMON_JOB_METRIC_H

#include <stdbool.h>

enum {
    METRIC_ANSWER = 1,      /* reads the pair's answer */
    METRIC_WRONG = 2,       /* reads the pair's wrong answer */
    METRIC_VOCAB = 4,       /* needs the logits of the whole vocabulary */
    METRIC_CLEAN = 8,       /* compares with the clean run's distribution */
    METRIC_RECOVERED = 16,  /* M_recovered is defined for it */
    METRIC_NO_GRADIENT = 32 /* constant, or at its minimum, at the base run */
};

/* code, name, units, flags, long name */
#define METRIC_LIST(X)                                                         \
    X(METRIC_LOGIT, "logit", "1", METRIC_ANSWER | METRIC_RECOVERED,            \
      "logit of the answer")                                                   \
    X(METRIC_LOGIT_DIFF, "logit_diff", "1",                                    \
      METRIC_ANSWER | METRIC_WRONG | METRIC_RECOVERED,                         \
      "logit of the answer minus logit of the wrong answer")                   \
    X(METRIC_PROB, "prob", "1",                                                \
      METRIC_ANSWER | METRIC_VOCAB | METRIC_RECOVERED,                         \
      "probability of the answer")                                             \
    X(METRIC_PROB_DIFF, "prob_diff", "1",                                      \
      METRIC_ANSWER | METRIC_WRONG | METRIC_VOCAB | METRIC_RECOVERED,          \
      "probability of the answer minus probability of the wrong answer")       \
    X(METRIC_LOGPROB, "logprob", "nat",                                        \
      METRIC_ANSWER | METRIC_VOCAB | METRIC_RECOVERED,                         \
      "log probability of the answer")                                         \
    X(METRIC_KL_CLEAN, "kl_clean", "nat", METRIC_VOCAB | METRIC_CLEAN,         \
      "KL(p_clean || p_patched)")                                              \
    X(METRIC_KL_BASE, "kl_base", "nat", METRIC_VOCAB | METRIC_NO_GRADIENT,     \
      "KL(p_base || p_patched)")                                               \
    X(METRIC_LOSS, "loss", "nat", METRIC_VOCAB,                                \
      "next-token cross-entropy, mean over the predicted positions")           \
    X(METRIC_LOSS_ANSWER, "loss_answer", "nat", METRIC_ANSWER | METRIC_VOCAB,  \
      "negative log probability of the answer")                                \
    X(METRIC_ANSWER_RANK, "answer_rank", "1",                                  \
      METRIC_ANSWER | METRIC_VOCAB | METRIC_NO_GRADIENT,                       \
      "rank of the answer, 1 = most probable, ties count against it")          \
    X(METRIC_ACCURACY, "accuracy", "1",                                        \
      METRIC_ANSWER | METRIC_WRONG | METRIC_NO_GRADIENT,                       \
      "1 where logit_diff > 0")                                                \
    X(METRIC_TOP1, "top1", "1", METRIC_VOCAB | METRIC_NO_GRADIENT,             \
      "id of the most probable token; the lowest id of a tie")

enum metric {
#define METRIC_ENUM(code, name, units, flags, long_name) code,
    METRIC_LIST(METRIC_ENUM)
#undef METRIC_ENUM
        METRIC_COUNT
};

const char *metric_name(enum metric metric);
const char *metric_units(enum metric metric);
const char *metric_long_name(enum metric metric);
unsigned metric_flags(enum metric metric);

/* METRIC_COUNT where no metric has this name. The job's form {name: loss,
 * at: answer} is METRIC_LOSS_ANSWER; loss alone or at: all is METRIC_LOSS. */
enum metric metric_find(const char *name);

#endif

/* pair_read.c - one pair as written: prompts, answers. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/job/job_keys.h"
#include "common/job/pair_parts.h"

void pair_free(struct pair *pair)
{
    free(pair->id);
    free(pair->group);
    free(pair->cluster);
    free(pair->answer);
    free(pair->wrong);
    free(pair->attribute);
    free(pair->subject);
    for (int run = 0; run < RUN_COUNT; run++) {
        free(pair->run[run].tokens);
        free(pair->read[run].at);
    }
    for (int i = 0; i < pair->n_labels; i++) {
        free(pair->labels[i].name);
        for (int run = 0; run < RUN_COUNT; run++)
            free(pair->labels[i].run[run].at);
    }
    free(pair->labels);
    *pair = (struct pair){0};
}

enum status pair_encode(const struct pair_reading *p, const struct doc *doc,
                        const char *key, int **ids, int *n_ids)
{
    if (p->r.err->status) return p->r.err->status;
    if (doc->kind != DOC_STRING)
        return reading_expect(&p->r, doc, key, "a text (quote a number)");
    if (doc->text_bytes == 0)
        return reading_fail(&p->r, doc, key, "found an empty text");
    if (!p->tokenizer)
        return reading_fail(&p->r, doc, key,
                            "found a text, but the model's folder has no "
                            "vocab.json and merges.txt: give token ids");
    int *encoded = NULL;
    size_t n = 0, room = 0, capacity = (size_t)*n_ids;
    if (tokenizer_encode(p->tokenizer, &encoded, &n, &room, doc->text,
                         doc->text_bytes, true, p->r.err))
        (void)reading_context(&p->r, doc, key);
    else if (n > INT_MAX / 2)
        (void)reading_fail(&p->r, doc, key, "more tokens than can be counted");
    else if (!mem_grow(ids, &capacity, capacity + n, sizeof **ids, key,
                       p->r.err)) {
        memcpy(*ids + *n_ids, encoded, n * sizeof *encoded);
        *n_ids += (int)n;
    }
    free(encoded);
    return p->r.err->status;
}

/* A list of ids (or one) appended to *ids. */
static enum status read_ids(const struct pair_reading *p, const struct doc *doc,
                            const char *key, int **ids, int *n_ids)
{
    if (p->r.err->status) return p->r.err->status;
    size_t n = reading_n_items(doc), capacity = (size_t)*n_ids;
    if (n == 0) return reading_fail(&p->r, doc, key, "the list is empty");
    if (mem_grow(ids, &capacity, (size_t)*n_ids + n, sizeof **ids, key,
                 p->r.err))
        return p->r.err->status;
    for (size_t i = 0; i < n; i++) {
        if (reading_whole(&p->r, reading_item(doc, i), key, 0,
                          p->config->n_vocab - 1, &(*ids)[*n_ids]))
            return p->r.err->status;
        (*n_ids)++;
    }
    return STATUS_OK;
}

static enum status add_bos(const struct pair_reading *p, const struct doc *doc,
                           const char *key, struct prompt *out)
{
    int bos = p->config->bos;
    if (bos < 0 && p->tokenizer) bos = tokenizer_end_of_text(p->tokenizer);
    if (bos < 0)
        return reading_fail(&p->r, doc, key,
                            "prepend_bos is true, but the model has no BOS "
                            "token; say prepend_bos: false");
    out->tokens = mem_calloc(1, sizeof *out->tokens, "tokens", p->r.err);
    if (!out->tokens) return p->r.err->status;
    out->tokens[0] = bos;
    out->n_tokens = 1;
    return STATUS_OK;
}

/* A prompt, given as text or as ids, or not at all. */
static enum status read_prompt(const struct pair_reading *p,
                               const struct doc *text, const struct doc *ids,
                               const char *key, const char *ids_key,
                               struct prompt *out)
{
    if (p->r.err->status || (!text && !ids)) return p->r.err->status;
    const struct doc *doc = text ? text : ids;
    if (text && ids)
        return reading_fail(&p->r, ids, ids_key, "%s is given too", key);
    if (ids) {
        if (ids->kind != DOC_LIST)
            return reading_expect(&p->r, ids, ids_key, "a list of token ids");
        if (read_ids(p, ids, ids_key, &out->tokens, &out->n_tokens))
            return p->r.err->status;
    } else {
        if (p->job->prepend_bos && add_bos(p, text, key, out))
            return p->r.err->status;
        if (pair_encode(p, text, key, &out->tokens, &out->n_tokens))
            return p->r.err->status;
    }
    for (int i = 0; i < out->n_tokens; i++)
        if (out->tokens[i] >= p->config->n_vocab)
            return reading_fail(&p->r, doc, key,
                                "found token %d, expected 0 to %d: the model "
                                "has %d",
                                out->tokens[i], p->config->n_vocab - 1,
                                p->config->n_vocab);
    out->n_prompt = out->n_tokens;
    return STATUS_OK;
}

/* "' Michelle' 15079, ' Jones' 5437" */
static char *name_tokens(const struct pair_reading *p, const int *ids, int n)
{
    enum { SHOWN = 8 };
    struct buf out = {0};
    for (int i = 0; i < n && i < SHOWN; i++) {
        buf_printf(&out, "%s'", i ? ", " : "");
        tokenizer_print(p->tokenizer, &out, ids[i]);
        buf_printf(&out, "' %d", ids[i]);
    }
    if (n > SHOWN) buf_printf(&out, ", ..");
    char *text = buf_take_text(&out);
    buf_free(&out);
    return text;
}

/* Whether " text" would be one token: the forgotten space. */
static bool is_one_with_space(const struct pair_reading *p,
                              const struct doc *doc)
{
    struct err err = {0};
    struct buf text = {0};
    int *ids = NULL;
    size_t n = 0, capacity = 0;
    buf_u8(&text, ' ');
    buf_bytes(&text, doc->text, doc->text_bytes);
    bool is_one =
        !text.is_failed &&
        !tokenizer_encode(p->tokenizer, &ids, &n, &capacity,
                          (const char *)text.data, text.n, true, &err) &&
        n == 1;
    free(ids);
    buf_free(&text);
    return is_one;
}

/* Append the one token of an answer. */
static enum status read_token(const struct pair_reading *p,
                              const struct doc *doc, const char *key, int **ids,
                              int *n_ids)
{
    int before = *n_ids;
    if (pair_encode(p, doc, key, ids, n_ids)) return p->r.err->status;
    int n = *n_ids - before;
    if (n == 1 && (*ids)[before] < p->config->n_vocab) return STATUS_OK;
    if (n == 1)
        return reading_fail(&p->r, doc, key,
                            "found token %d, expected 0 to %d: the model has "
                            "%d",
                            (*ids)[before], p->config->n_vocab - 1,
                            p->config->n_vocab);
    char *tokens = name_tokens(p, *ids + before, n);
    (void)reading_fail(&p->r, doc, key,
                       "found '%.60s', which is %d tokens (%.300s), expected "
                       "exactly one%s; several are an answer_sequence",
                       doc->text, n, tokens ? tokens : "",
                       is_one_with_space(p, doc)
                           ? " (with a space before it, it is one)"
                           : "");
    free(tokens);
    return p->r.err->status;
}

/* `answer` or `wrong`, as text or ids. */
static enum status read_answer(const struct pair_reading *p,
                               const struct doc *text, const struct doc *ids,
                               const char *key, const char *ids_key, int **out,
                               int *n)
{
    if (p->r.err->status) return p->r.err->status;
    if (text && ids)
        return reading_fail(&p->r, ids, ids_key, "%s is given too", key);
    if (ids && read_ids(p, ids, ids_key, out, n)) return p->r.err->status;
    if (text && reading_n_items(text) == 0)
        return reading_fail(&p->r, text, key, "the list is empty");
    for (size_t i = 0; text && i < reading_n_items(text); i++)
        if (read_token(p, reading_item(text, i), key, out, n))
            return p->r.err->status;
    for (int i = 0; i < *n; i++)
        for (int j = 0; j < i; j++)
            if ((*out)[i] == (*out)[j])
                return reading_fail(&p->r, text ? text : ids, key,
                                    "token %d is given twice", (*out)[i]);
    return STATUS_OK;
}

/* Append the answer_sequence to each run. */
static enum status read_sequence(const struct pair_reading *p,
                                 const struct doc *doc, struct pair *out)
{
    int *ids = NULL, n = 0;
    if (!doc || p->r.err->status) return p->r.err->status;
    if (out->n_answer || out->is_predicted || out->n_wrong)
        return reading_fail(&p->r, doc, "answer_sequence",
                            "it excludes answer and wrong");
    if (p->job->both_ways)
        return reading_fail(&p->r, doc, "answer_sequence",
                            "both_ways would swap it with a wrong answer, "
                            "which a sequence does not have");
    if (doc->kind == DOC_STRING)
        (void)pair_encode(p, doc, "answer_sequence", &ids, &n);
    else
        (void)read_ids(p, doc, "answer_sequence", &ids, &n);
    for (int run = 0; run < RUN_COUNT && !p->r.err->status; run++) {
        struct prompt *prompt = &out->run[run];
        size_t capacity = (size_t)prompt->n_tokens;
        if (!prompt->n_tokens) continue;
        if (mem_grow(&prompt->tokens, &capacity, capacity + (size_t)n,
                     sizeof *prompt->tokens, "tokens", p->r.err))
            break;
        memcpy(prompt->tokens + prompt->n_tokens, ids, (size_t)n * sizeof *ids);
        prompt->n_tokens += n;
    }
    out->n_sequence = n;
    free(ids);
    return p->r.err->status;
}

static enum status check_lengths(const struct pair_reading *p,
                                 const struct doc *doc, const struct pair *out)
{
    for (int run = 0; run < RUN_COUNT; run++)
        if (out->run[run].n_tokens > p->config->n_ctx)
            return reading_fail(&p->r, doc, run_name((enum run)run),
                                "found %d tokens, expected at most %d, the "
                                "positions of the model",
                                out->run[run].n_tokens, p->config->n_ctx);
    return STATUS_OK;
}

static int first_difference(const struct pair *pair)
{
    const struct prompt *clean = &pair->run[RUN_CLEAN];
    const struct prompt *other = &pair->run[RUN_CORRUPTED];
    if (!other->n_tokens || !clean->n_tokens) return -1;
    int n =
        clean->n_tokens < other->n_tokens ? clean->n_tokens : other->n_tokens;
    for (int i = 0; i < n; i++)
        if (clean->tokens[i] != other->tokens[i]) return i;
    return clean->n_tokens == other->n_tokens ? -1 : n;
}

static enum status read_prompts(const struct pair_reading *p,
                                const struct doc *doc, const struct keys *keys,
                                struct pair *out)
{
    const struct doc *const *at = keys->at;
    const struct doc *corrupted = at[KEY_PAIR_CORRUPTED];
    if (!corrupted) corrupted = at[KEY_PAIR_CORRUPTED_TOKENS];
    (void)read_prompt(p, at[KEY_PAIR_CLEAN], at[KEY_PAIR_CLEAN_TOKENS], "clean",
                      "clean_tokens", &out->run[RUN_CLEAN]);
    (void)read_prompt(p, at[KEY_PAIR_CORRUPTED], at[KEY_PAIR_CORRUPTED_TOKENS],
                      "corrupted", "corrupted_tokens",
                      &out->run[RUN_CORRUPTED]);
    if (p->r.err->status) return p->r.err->status;
    if (corrupted && p->job->is_prompts_only && !p->is_reference)
        return reading_fail(&p->r, corrupted, "corrupted",
                            "`prompts` are clean prompts alone; use `pairs`");
    if (!out->run[RUN_CLEAN].n_tokens && !(p->is_reference && corrupted))
        return reading_fail(&p->r, doc, NULL,
                            "the key clean is missing (a text; or "
                            "clean_tokens, token ids)");
    return STATUS_OK;
}

/* id, group and cluster, with their defaults. */
static enum status read_names(const struct pair_reading *p,
                              const struct keys *keys, int i, struct pair *out)
{
    const struct doc *group = keys->at[KEY_PAIR_GROUP];
    struct err *err = p->r.err;
    char number[16];
    snprintf(number, sizeof number, "%d", i);
    (void)reading_text(&p->r, keys->at[KEY_PAIR_ID], "id", &out->id);
    (void)reading_text(&p->r, keys->at[KEY_PAIR_CLUSTER], "cluster",
                       &out->cluster);
    if (group == &keys->fallback[KEY_PAIR_GROUP])
        out->group = mem_strdup("", err);
    else
        (void)reading_text(&p->r, group, "group", &out->group);
    if (!out->id && !err->status) out->id = mem_strdup(number, err);
    if (!out->cluster && !err->status) out->cluster = mem_strdup(out->id, err);
    return err->status;
}

static bool is_predicted(const struct doc *doc)
{
    return doc && doc->kind == DOC_STRING &&
           strcmp(doc->text, "predicted") == 0;
}

static enum status read_answers(const struct pair_reading *p,
                                const struct keys *keys, struct pair *out)
{
    const struct doc *const *at = keys->at;
    const struct doc *answer = at[KEY_PAIR_ANSWER];
    const struct doc *answer_ids = at[KEY_PAIR_ANSWER_TOKENS];
    out->is_predicted = is_predicted(answer);
    if (out->is_predicted && answer_ids)
        (void)reading_fail(&p->r, answer_ids, "answer_tokens",
                           "answer is given too");
    (void)read_answer(p, out->is_predicted ? NULL : answer,
                      out->is_predicted ? NULL : answer_ids, "answer",
                      "answer_tokens", &out->answer, &out->n_answer);
    (void)read_answer(p, at[KEY_PAIR_WRONG], at[KEY_PAIR_WRONG_TOKENS], "wrong",
                      "wrong_tokens", &out->wrong, &out->n_wrong);
    for (int i = 0; i < out->n_answer; i++)
        for (int j = 0; j < out->n_wrong; j++)
            if (out->answer[i] == out->wrong[j])
                (void)reading_fail(&p->r, NULL, "wrong",
                                   "token %d is the answer too", out->wrong[j]);
    return read_sequence(p, at[KEY_PAIR_ANSWER_SEQUENCE], out);
}

enum status pair_read(const struct pair_reading *p, const struct doc *doc,
                      int i, struct pair *out)
{
    static const char *const aligns[] = {"start", "end"};
    struct pair_reading inside = *p;
    struct keys keys;
    if (doc->line) inside.r.line = doc->line;
    snprintf(inside.r.where, sizeof inside.r.where, "pair %d", i);
    out->line = inside.r.line;
    if (keys_read(&keys, &inside.r, SCOPE_PAIR, doc)) return p->r.err->status;
    bool has_read = keys.at[KEY_PAIR_READ] != &keys.fallback[KEY_PAIR_READ];
    int align = (int)p->job->align - 1;
    if (read_names(&inside, &keys, i, out)) goto out;
    if (keys.at[KEY_PAIR_ID])
        snprintf(inside.r.where, sizeof inside.r.where, "pair '%.80s'",
                 out->id);
    (void)reading_choice(&inside.r, keys.at[KEY_PAIR_ALIGN], "align", aligns, 2,
                         &align);
    out->align = (enum align)(align + 1);
    (void)reading_text(&inside.r, keys.at[KEY_PAIR_ATTRIBUTE], "attribute",
                       &out->attribute);
    if (read_prompts(&inside, doc, &keys, out) ||
        read_answers(&inside, &keys, out) || check_lengths(&inside, doc, out))
        goto out;
    out->first_difference = first_difference(out);
    if (out->n_sequence && has_read)
        (void)reading_fail(&inside.r, keys.at[KEY_PAIR_READ], "read",
                           "an answer_sequence is read where it is predicted");
    if (!p->r.err->status &&
        !pair_read_labels(&inside, keys.at[KEY_PAIR_POSITIONS],
                          keys.at[KEY_PAIR_SUBJECT], out))
        (void)pair_read_read(&inside, keys.at[KEY_PAIR_READ], out);
out:
    keys_free(&keys);
    return p->r.err->status;
}

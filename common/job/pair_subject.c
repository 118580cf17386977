/* pair_subject.c - `subject`: the tokens a text covers, and the labels that
 * ROME averages over (first, middle, last subject token, first subsequent,
 * further, last token). */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/job/job_keys.h"
#include "common/job/pair_parts.h"

/* First and last token of the subject in a run; first -1: not there. */
struct range {
    int first, last;
};

/* The tokens of the prompt that overlap occurrence `which` (from 1) of text:
 * the bytes of the tokens one after the other are the prompt. */
static enum status find_text(const struct pair_reading *p,
                             const struct prompt *prompt, const char *text,
                             int which, struct range *out)
{
    struct buf bytes = {0};
    size_t text_bytes = strlen(text);
    size_t *end = mem_calloc((size_t)prompt->n_prompt, sizeof *end,
                             "token ends", p->r.err);
    *out = (struct range){-1, -1};
    if (!end) return p->r.err->status;
    for (int i = 0; i < prompt->n_prompt; i++) {
        size_t n = 0;
        const char *token =
            tokenizer_token(p->tokenizer, prompt->tokens[i], &n);
        if (token) buf_bytes(&bytes, token, n);
        end[i] = bytes.n;
    }
    if (buf_check(&bytes, "a prompt", p->r.err)) goto out;
    size_t from = 0;
    bool is_found = false;
    for (size_t at = 0; at + text_bytes <= bytes.n && !is_found;) {
        if (memcmp(bytes.data + at, text, text_bytes) != 0) {
            at++;
            continue;
        }
        from = at;
        is_found = --which == 0;
        at += text_bytes;
    }
    for (int i = 0; is_found && i < prompt->n_prompt; i++) {
        size_t start = i ? end[i - 1] : 0;
        if (start >= from + text_bytes || end[i] <= from) continue;
        if (out->first < 0) out->first = i;
        out->last = i;
    }
out:
    buf_free(&bytes);
    free(end);
    return p->r.err->status;
}

/* The ids of the subject by itself: its text without spaces before it. */
static enum status encode_alone(const struct pair_reading *p,
                                const struct doc *doc, const char *text,
                                struct pair *out)
{
    struct doc alone = *doc;
    while (*text == ' ')
        text++;
    alone.kind = DOC_STRING;
    alone.text = (char *)text;
    alone.text_bytes = strlen(text);
    return pair_encode(p, &alone, "subject", &out->subject, &out->n_subject);
}

/* Of a subject given by positions: the tokens there. */
static enum status copy_alone(const struct pair_reading *p, struct pair *out,
                              struct range range)
{
    int n = range.last - range.first + 1;
    out->subject =
        mem_calloc((size_t)n, sizeof *out->subject, "a subject", p->r.err);
    if (!out->subject) return p->r.err->status;
    memcpy(out->subject, out->run[RUN_CLEAN].tokens + range.first,
           (size_t)n * sizeof *out->subject);
    out->n_subject = n;
    return STATUS_OK;
}

/* [first, last] in both runs. */
static enum status read_range(const struct pair_reading *p,
                              const struct doc *doc, const struct pair *pair,
                              struct range out[RUN_COUNT])
{
    if (doc->n != 2)
        return reading_expect(&p->r, doc, "subject",
                              "two positions, [first, last]");
    for (int i = 0; i < 2; i++) {
        struct positions at[RUN_COUNT] = {{0}};
        (void)pair_read_positions(p, &doc->items[i], "subject", pair, RUN_COUNT,
                                  at);
        for (int run = 0; run < RUN_COUNT; run++) {
            if (at[run].n)
                *(i ? &out[run].last : &out[run].first) = at[run].at[0];
            free(at[run].at);
        }
        if (p->r.err->status) return p->r.err->status;
    }
    for (int run = 0; run < RUN_COUNT; run++)
        if (out[run].last < out[run].first)
            return reading_fail(&p->r, doc, "subject",
                                "it ends before it begins");
    return STATUS_OK;
}

/* Where the corrupted prompt lacks the text: the corresponding tokens. */
static struct range map_range(const struct pair *pair, struct range clean)
{
    struct range out = {
        pair_map_position(pair, RUN_CLEAN, RUN_CORRUPTED, clean.first),
        pair_map_position(pair, RUN_CLEAN, RUN_CORRUPTED, clean.last)};
    if (out.first < 0 || out.last < 0) out = (struct range){-1, -1};
    return out;
}

static enum status read_text(const struct pair_reading *p,
                             const struct doc *doc, struct pair *pair,
                             struct range out[RUN_COUNT])
{
    struct keys keys = {0};
    char *text = NULL;
    int occurrence = 1;
    if (doc->kind == DOC_MAP) {
        const struct reading inside = reading_inside(&p->r, "subject");
        if (keys_read(&keys, &inside, SCOPE_SUBJECT, doc))
            return p->r.err->status;
        (void)reading_whole(&inside, keys.at[KEY_SUBJECT_OCCURRENCE],
                            "occurrence", 1, INT_MAX, &occurrence);
        doc = keys.at[KEY_SUBJECT_TEXT];
    }
    if (reading_text(&p->r, doc, "subject", &text)) goto out;
    if (!p->tokenizer) {
        (void)reading_fail(&p->r, doc, "subject",
                           "found a text, but the model's folder has no "
                           "vocab.json and merges.txt: give [first, last]");
        goto out;
    }
    if (encode_alone(p, doc, text, pair)) goto out;
    for (int run = 0; run < RUN_COUNT; run++)
        if (pair->run[run].n_tokens &&
            find_text(p, &pair->run[run], text, occurrence, &out[run]))
            goto out;
    if (pair->run[RUN_CLEAN].n_tokens && out[RUN_CLEAN].first < 0)
        (void)reading_fail(
            &p->r, doc, "subject",
            "occurrence %d of '%.60s' is not in the clean prompt", occurrence,
            text);
    else if (pair->run[RUN_CLEAN].n_tokens &&
             pair->run[RUN_CORRUPTED].n_tokens && out[RUN_CORRUPTED].first < 0)
        out[RUN_CORRUPTED] = map_range(pair, out[RUN_CLEAN]);
out:
    free(text);
    keys_free(&keys);
    return p->r.err->status;
}

/* Add positions first .. last to the run of a label. */
static enum status fill(struct label *label, int run, int first, int last,
                        struct err *err)
{
    for (int at = first; at <= last; at++)
        if (positions_add(&label->run[run], at, err)) break;
    return err->status;
}

enum status pair_read_subject(const struct pair_reading *p,
                              const struct doc *doc, struct pair *out)
{
    static const char *const names[] = {"subject_first", "subject_middle",
                                        "subject_last",  "subject_next",
                                        "further",       "last"};
    enum { N_NAMES = sizeof names / sizeof *names };
    struct range range[RUN_COUNT] = {{-1, -1}, {-1, -1}};
    if (!doc || p->r.err->status) return p->r.err->status;
    if (doc->kind == DOC_LIST ? read_range(p, doc, out, range)
                              : read_text(p, doc, out, range))
        return p->r.err->status;
    if (!out->subject && range[RUN_CLEAN].first >= 0 &&
        copy_alone(p, out, range[RUN_CLEAN]))
        return p->r.err->status;
    for (int i = 0; i < N_NAMES; i++) {
        struct label *label = pair_add_label(p, doc, out, names[i]);
        if (!label) return p->r.err->status;
        for (int run = 0; run < RUN_COUNT; run++) {
            int first = range[run].first, last = range[run].last;
            int end = out->run[run].n_prompt - 1;
            const int from[N_NAMES] = {first,    first + 1, last,
                                       last + 1, last + 2,  end};
            const int to[N_NAMES] = {first,    last - 1, last,
                                     last + 1, end - 1,  end};
            if (first < 0 || (i == 3 && last == end)) continue;
            if (fill(label, run, from[i], to[i], p->r.err))
                return p->r.err->status;
        }
    }
    return STATUS_OK;
}

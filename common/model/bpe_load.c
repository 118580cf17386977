/* bpe_load.c - vocab.json and merges.txt into the tables of bpe.h.
 *
 * The files write a token's bytes as characters: the byte itself where
 * Latin-1 prints it (! to ~, U+00A1 to U+00AC, U+00AE to U+00FF), the other 68
 * bytes, in their order, as U+0100 to U+0143 (encoder.py: bytes_to_unicode). */
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/doc.h"
#include "common/base/mem.h"
#include "common/model/bpe.h"

enum { CHARACTERS = 0x144 };

/* A token as the files write it. */
struct word {
    const char *text; /* borrowed from the document */
    size_t n;
    int id;
};

struct loader {
    struct bpe *bpe;
    const char *vocab_name, *merges_name;
    struct doc doc;         /* vocab.json */
    struct word *words;     /* (n_vocab) in order of text */
    unsigned char *is_made; /* (n_vocab) some merge gives this token */
    char *joined;           /* the result of a merge */
    size_t joined_capacity;
};

static bool prints(int byte)
{
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
}

/* byte_of[character]: its byte, or -1. */
static void fill_characters(int byte_of[CHARACTERS])
{
    int next = 0x100;
    for (int character = 0; character < CHARACTERS; character++)
        byte_of[character] = -1;
    for (int byte = 0; byte < 256; byte++)
        byte_of[prints(byte) ? byte : next++] = byte;
}

/* Append the bytes that n bytes of (valid) UTF-8 stand for at out; their
 * number, or 0 where a character stands for none. */
static size_t decode(char *out, const int byte_of[CHARACTERS], const char *text,
                     size_t n)
{
    size_t used = 0;
    for (size_t i = 0; i < n;) {
        unsigned int first = (unsigned char)text[i++];
        if (first >= 0xc0 && i < n)
            first = (first & 0x1f) << 6 | ((unsigned char)text[i++] & 0x3f);
        /* a longer sequence is beyond the table, and refused, as a whole */
        if (first >= CHARACTERS || byte_of[first] < 0 ||
            (i < n && ((unsigned char)text[i] & 0xc0) == 0x80))
            return 0;
        out[used++] = (char)byte_of[first];
    }
    return used;
}

static int by_text(const void *a, const void *b)
{
    const struct word *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

/* The id of n bytes as the files write them, or -1. */
static int find(const struct loader *loader, const char *text, size_t n)
{
    struct word wanted = {.text = text, .n = n};
    const struct word *found =
        bsearch(&wanted, loader->words, (size_t)loader->bpe->n_vocab,
                sizeof *loader->words, by_text);
    return found ? found->id : -1;
}

/* bpe->n_vocab and words, with every id there exactly once; by_id[id] is the
 * entry of the document. */
static enum status read_ids(struct loader *loader, size_t **by_id,
                            struct err *err)
{
    const struct doc *doc = &loader->doc;
    const char *name = loader->vocab_name;
    if (doc->kind != DOC_MAP)
        return err_set(err, STATUS_INPUT,
                       "%s: expected a map from tokens to ids, found %s", name,
                       doc_kind_name(doc->kind));
    if (doc->n == 0 || doc->n > INT_MAX)
        return err_set(err, STATUS_INPUT,
                       "%s: expected 1 to %d tokens, found %zu", name, INT_MAX,
                       doc->n);
    loader->bpe->n_vocab = (int)doc->n;
    loader->words =
        mem_calloc(doc->n, sizeof *loader->words, "the vocabulary", err);
    loader->is_made = mem_calloc(doc->n, 1, "the vocabulary", err);
    *by_id = mem_calloc(doc->n, sizeof **by_id, "the vocabulary", err);
    if (!loader->words || !loader->is_made || !*by_id) return err->status;
    for (size_t i = 0; i < doc->n; i++) {
        const struct doc *value = &doc->items[i];
        if (value->kind != DOC_INT || value->integer < 0 ||
            value->integer >= loader->bpe->n_vocab)
            return err_set(err, STATUS_INPUT,
                           "%s: entry %zu: the id must be a whole number from "
                           "0 to %d (there are %zu tokens), found %s",
                           name, i + 1, loader->bpe->n_vocab - 1, doc->n,
                           value->kind == DOC_INT ? "another one"
                                                  : doc_kind_name(value->kind));
        size_t id = (size_t)value->integer;
        if ((*by_id)[id] != 0)
            return err_set(err, STATUS_INPUT,
                           "%s: entries %zu and %zu both have id %zu", name,
                           (*by_id)[id], i + 1, id);
        (*by_id)[id] = i + 1;
        loader->words[i] = (struct word){.text = doc->keys[i].text,
                                         .n = doc->keys[i].text_bytes,
                                         .id = (int)id};
    }
    qsort(loader->words, doc->n, sizeof *loader->words, by_text);
    return STATUS_OK;
}

static enum status read_vocabulary(struct loader *loader, const char *text,
                                   size_t n, struct err *err)
{
    struct bpe *bpe = loader->bpe;
    size_t *by_id = NULL;
    if (doc_parse_json(&loader->doc, loader->vocab_name, text, n, err) ||
        read_ids(loader, &by_id, err))
        goto out;
    size_t n_vocab = loader->doc.n, total = 0;
    for (size_t i = 0; i < n_vocab; i++)
        total += loader->doc.keys[i].text_bytes;
    bpe->bytes = mem_calloc(total, 1, "the vocabulary", err);
    bpe->at = mem_calloc(n_vocab + 1, sizeof *bpe->at, "the vocabulary", err);
    if (!bpe->bytes || !bpe->at) goto out;

    int byte_of[CHARACTERS];
    fill_characters(byte_of);
    for (int byte = 0; byte < 256; byte++)
        bpe->byte_id[byte] = -1;
    for (size_t id = 0; id < n_vocab; id++) {
        const struct doc *key = &loader->doc.keys[by_id[id] - 1];
        char *bytes = bpe->bytes + bpe->at[id];
        size_t n_bytes = decode(bytes, byte_of, key->text, key->text_bytes);
        if (n_bytes == 0) {
            (void)err_set(err, STATUS_INPUT,
                          "%s: the token of id %zu is empty, or has a "
                          "character that stands for no byte",
                          loader->vocab_name, id);
            goto out;
        }
        if (n_bytes == 1) bpe->byte_id[(unsigned char)*bytes] = (int)id;
        bpe->at[id + 1] = bpe->at[id] + n_bytes;
    }
    for (int byte = 0; byte < 256; byte++)
        if (bpe->byte_id[byte] < 0) {
            (void)err_set(err, STATUS_INPUT,
                          "%s: there is no token of the byte 0x%02X alone",
                          loader->vocab_name, (unsigned int)byte);
            goto out;
        }
    bpe->end_of_text = find(loader, "<|endoftext|>", 13);
out:
    free(by_id);
    return err->status;
}

/* Add the merge of line, n bytes without their end of line. */
static enum status read_merge(struct loader *loader, size_t line_number,
                              const char *line, size_t n, struct err *err)
{
    struct bpe *bpe = loader->bpe;
    const char *name = loader->merges_name;
    const char *space = n ? memchr(line, ' ', n) : NULL;
    size_t n_left = space ? (size_t)(space - line) : 0;
    size_t n_right = space ? n - n_left - 1 : 0;
    if (n_left == 0 || n_right == 0 || memchr(space + 1, ' ', n_right))
        return err_set(err, STATUS_INPUT,
                       "%s: line %zu: expected two tokens and one space "
                       "between them",
                       name, line_number);
    if (mem_grow(&loader->joined, &loader->joined_capacity, n, 1, "a merge",
                 err))
        return err->status;
    memcpy(loader->joined, line, n_left);
    memcpy(loader->joined + n_left, space + 1, n_right);
    struct bpe_merge merge = {
        .left = find(loader, line, n_left),
        .right = find(loader, space + 1, n_right),
        .result = find(loader, loader->joined, n_left + n_right),
    };
    if (merge.left < 0 || merge.right < 0 || merge.result < 0)
        return err_set(err, STATUS_INPUT, "%s: line %zu: %s is not in %s", name,
                       line_number,
                       merge.left < 0    ? "the left token"
                       : merge.right < 0 ? "the right token"
                                         : "the merged token",
                       loader->vocab_name);
    size_t slot = bpe_slot(bpe, merge.left, merge.right);
    if (bpe->slots[slot])
        return err_set(err, STATUS_INPUT,
                       "%s: line %zu: the same merge is given before", name,
                       line_number);
    bpe->merges[bpe->n_merges++] = merge;
    bpe->slots[slot] = (uint32_t)bpe->n_merges;
    loader->is_made[merge.result] = 1;
    return STATUS_OK;
}

static enum status read_merges(struct loader *loader, const char *text,
                               size_t n, struct err *err)
{
    struct bpe *bpe = loader->bpe;
    size_t n_lines = 1;
    for (size_t i = 0; i < n; i++)
        n_lines += text[i] == '\n';
    if (n_lines >= INT_MAX)
        return err_set(err, STATUS_INPUT, "%s: %zu lines are too many",
                       loader->merges_name, n_lines);
    bpe->n_slots = 2;
    while (bpe->n_slots < 2 * n_lines + 2)
        bpe->n_slots *= 2;
    bpe->merges = mem_calloc(n_lines, sizeof *bpe->merges, "merges", err);
    bpe->slots = mem_calloc(bpe->n_slots, sizeof *bpe->slots, "merges", err);
    if (!bpe->merges || !bpe->slots) return err->status;
    size_t line_number = 1;
    for (size_t at = 0; at < n; line_number++) {
        const char *line = text + at;
        const char *end = memchr(line, '\n', n - at);
        size_t n_line = end ? (size_t)(end - line) : n - at;
        at += n_line + 1;
        if (n_line > 0 && line[n_line - 1] == '\r') n_line--;
        if (line_number == 1 && n_line >= 8 && memcmp(line, "#version", 8) == 0)
            continue;
        if (read_merge(loader, line_number, line, n_line, err))
            return err->status;
    }
    return STATUS_OK;
}

/* Every token of more than a byte must come from a merge, but for special
 * ones, which are written <...>: a merges.txt that was cut short, or belongs
 * to another vocabulary, would give wrong tokens without a word. */
static enum status check_complete(const struct loader *loader, struct err *err)
{
    const struct bpe *bpe = loader->bpe;
    for (int id = 0; id < bpe->n_vocab; id++) {
        const char *bytes = bpe->bytes + bpe->at[id];
        size_t n = bpe->at[id + 1] - bpe->at[id];
        bool is_special = bytes[0] == '<' && bytes[n - 1] == '>';
        if (n > 1 && !loader->is_made[id] && !is_special)
            return err_set(err, STATUS_INPUT,
                           "%s: ends after %zu merges, of which none makes "
                           "token %d of %s",
                           loader->merges_name, bpe->n_merges, id,
                           loader->vocab_name);
    }
    return STATUS_OK;
}

enum status bpe_load(struct bpe *bpe, const char *vocab_name, const char *vocab,
                     size_t vocab_bytes, const char *merges_name,
                     const char *merges, size_t merges_bytes, struct err *err)
{
    struct loader loader = {
        .bpe = bpe, .vocab_name = vocab_name, .merges_name = merges_name};
    if (read_vocabulary(&loader, vocab, vocab_bytes, err) ||
        read_merges(&loader, merges, merges_bytes, err))
        goto out;
    (void)check_complete(&loader, err);
out:
    doc_free(&loader.doc);
    free(loader.words);
    free(loader.is_made);
    free(loader.joined);
    return err->status;
}

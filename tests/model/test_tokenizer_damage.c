/* Damaged and wrong tokenizer files, and no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/file.h"
#include "common/model/tokenizer.h"
#include "tests/base/fail_alloc.h"
#include "tests/model/small_vocabulary.h"

#define VOCAB  TEST_SOURCE_DIR "/models/demo/vocab.json"
#define MERGES TEST_SOURCE_DIR "/models/demo/merges.txt"

/* What tests start from: the small files, or the real ones. */
struct files {
    struct buf vocab, merges;
};

static void write_small(struct files *files)
{
    *files = (struct files){0};
    small_vocabulary_write(&files->vocab);
    small_merges_write(&files->merges);
}

static void free_files(struct files *files)
{
    buf_free(&files->vocab);
    buf_free(&files->merges);
}

/* Open copies of exactly that size, encode with what opens, close. A refusal
 * must be a sentence that names one of the two files. */
static enum status try_texts(const void *vocab, size_t n_vocab,
                             const void *merges, size_t n_merges,
                             struct err *err)
{
    *err = (struct err){0};
    char *vocab_copy = malloc(n_vocab + !n_vocab);
    char *merges_copy = malloc(n_merges + !n_merges);
    assert_true(vocab_copy && merges_copy);
    memcpy(vocab_copy, vocab, n_vocab);
    memcpy(merges_copy, merges, n_merges);
    struct tokenizer *tokenizer = tokenizer_open(
        "v.json", vocab_copy, n_vocab, "m.txt", merges_copy, n_merges, err);
    free(vocab_copy);
    free(merges_copy);
    if (tokenizer) {
        int *ids = NULL;
        size_t n_ids, capacity = 0;
        static const char text[] = "abaababcc<|endoftext|> it's\xff 12\n\n x";
        assert_int_equal(tokenizer_encode(tokenizer, &ids, &n_ids, &capacity,
                                          text, sizeof text - 1, true, err),
                         STATUS_OK);
        free(ids);
        tokenizer_close(tokenizer);
    } else {
        assert_int_equal(err->status, STATUS_INPUT);
        if (strncmp(err->message, "v.json: ", 8) != 0 &&
            strncmp(err->message, "m.txt: ", 7) != 0)
            fail_msg("%s", err->message);
    }
    return err->status;
}

static void every_truncation_of_the_vocabulary_is_refused(void **state)
{
    (void)state;
    struct files files;
    struct err err;
    write_small(&files);
    assert_int_equal(try_texts(files.vocab.data, files.vocab.n,
                               files.merges.data, files.merges.n, &err),
                     STATUS_OK);
    for (size_t n = 0; n < files.vocab.n - 1; n++) { /* the last is a newline */
        assert_int_equal(try_texts(files.vocab.data, n, files.merges.data,
                                   files.merges.n, &err),
                         STATUS_INPUT);
        assert_memory_equal(err.message, "v.json: line 1", 14);
    }
    free_files(&files);
}

static void every_truncation_of_the_merges_is_refused(void **state)
{
    (void)state;
    struct files files;
    struct err err;
    write_small(&files);
    for (size_t n = 0; n < files.merges.n - 1; n++) {
        assert_int_equal(try_texts(files.vocab.data, files.vocab.n,
                                   files.merges.data, n, &err),
                         STATUS_INPUT);
        assert_memory_equal(err.message, "m.txt: ", 7);
    }
    /* without its last newline it is whole */
    assert_int_equal(try_texts(files.vocab.data, files.vocab.n,
                               files.merges.data, files.merges.n - 1, &err),
                     STATUS_OK);
    free_files(&files);
}

/* Flip bits of one file, one at a time; how many flips were refused. */
static size_t flip(struct files *files, struct buf *file, size_t step)
{
    size_t n_refused = 0;
    for (size_t bit = 0; bit < 8 * file->n; bit += step) {
        struct err err;
        unsigned char mask = (unsigned char)(1u << bit % 8);
        file->data[bit / 8] ^= mask;
        n_refused +=
            try_texts(files->vocab.data, files->vocab.n, files->merges.data,
                      files->merges.n, &err) != STATUS_OK;
        file->data[bit / 8] ^= mask;
    }
    return n_refused;
}

static void every_flipped_bit_is_refused_or_read(void **state)
{
    (void)state;
    struct files files;
    write_small(&files);
    size_t n_merges = flip(&files, &files.merges, 1);
    size_t n_vocab = flip(&files, &files.vocab, 11);
    print_message("refused: %zu of %zu bits of merges.txt, %zu of %zu of "
                  "vocab.json\n",
                  n_merges, 8 * files.merges.n, n_vocab,
                  (8 * files.vocab.n + 10) / 11);
    assert_true(n_merges > 0 && n_vocab > 0);
    free_files(&files);
}

static void the_real_files_cut_short_are_refused(void **state)
{
    (void)state;
    struct files files = {0};
    struct err err = {0};
    assert_int_equal(file_read(&files.vocab, VOCAB, 0, &err), STATUS_OK);
    assert_int_equal(file_read(&files.merges, MERGES, 0, &err), STATUS_OK);
    for (size_t i = 0; i < 8; i++) {
        size_t n = files.vocab.n * i / 8 + i % 3;
        assert_int_equal(try_texts(files.vocab.data, n, files.merges.data,
                                   files.merges.n, &err),
                         STATUS_INPUT);
        n = files.merges.n * i / 8 + i % 3;
        assert_int_equal(try_texts(files.vocab.data, files.vocab.n,
                                   files.merges.data, n, &err),
                         STATUS_INPUT);
    }
    free_files(&files);
}

/* A change of one file: what it says instead of from, and the sentence. */
static const struct {
    bool is_merges;
    const char *from, *to, *sentence;
} wrong[] = {
    {false, "{", "[1]#", "v.json: line 1: "},
    {false, "\"\\u0100\": 255", "\"\\u0100\": 254",
     "v.json: entries 1 and 2 both have id 254"},
    {false, "\"\\u0100\": 255", "\"\\u0100\": -1",
     "v.json: entry 1: the id must be a whole number from 0 to 269 (there are "
     "270 tokens), found another one"},
    {false, "\"\\u0100\": 255", "\"\\u0100\": \"x\"",
     "v.json: entry 1: the id must be a whole number from 0 to 269 (there are "
     "270 tokens), found a string"},
    {false, "\"\\u0100\": 255", "\"\\u0144\": 255",
     "v.json: the token of id 255 is empty, or has a character that stands "
     "for no byte"},
    {false, "\"\\u0100\": 255", "\"\\u20ac\": 255",
     "v.json: the token of id 255 is empty, or has a character that stands "
     "for no byte"},
    {false, "\"\\u0100\": 255", "\"\": 255",
     "v.json: the token of id 255 is empty, or has a character that stands "
     "for no byte"},
    {false, "\"\\u0100\": 255", "\"\\u0101\": 255", "v.json: line 1: "},
    {false, "\"\\u0100\": 255", "\"<x>\": 255",
     "v.json: there is no token of the byte 0x00 alone"},
    {true, "a b\n", "\n",
     "m.txt: line 3: expected two tokens and one space between them"},
    {true, "a b\n", "a b c\n",
     "m.txt: line 3: expected two tokens and one space between them"},
    {true, "a b\n", "a \n",
     "m.txt: line 3: expected two tokens and one space between them"},
    {true, "a b\n", "xx b\n", "m.txt: line 3: the left token is not in v.json"},
    {true, "a b\n", "a xx\n",
     "m.txt: line 3: the right token is not in v.json"},
    {true, "a b\n", "a x\n",
     "m.txt: line 3: the merged token is not in v.json"},
    {true, "\nb a\n", "\na b\n",
     "m.txt: line 4: the same merge is given before"},
    {true, "c c\n", "",
     "m.txt: ends after 13 merges, of which none makes token 265 of v.json"},
    {true, "#version: 0.2\n", "#version: 0.2\n#version: 0.2\n",
     "m.txt: line 2: the left token is not in v.json"},
    /* these are right */
    {true, "#version: 0.2\n", "", NULL},
    {true, "#version: 0.2\n", "#version: 0.2\r\n", NULL},
    {true, "c c\n", "c c\r\n", NULL},
    {false, "<|endoftext|>", "<pad>", NULL},
};

static void a_wrong_file_is_told_by_name_and_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct files files;
        struct err err;
        write_small(&files);
        struct buf *file = wrong[i].is_merges ? &files.merges : &files.vocab;
        struct buf changed = {0};
        buf_u8(file, 0);
        const char *text = (const char *)file->data;
        const char *place = strstr(text, wrong[i].from);
        assert_non_null(place);
        buf_printf(&changed, "%.*s%s%s", (int)(place - text), text, wrong[i].to,
                   place + strlen(wrong[i].from));
        const struct buf *vocab = wrong[i].is_merges ? &files.vocab : &changed;
        const struct buf *merges =
            wrong[i].is_merges ? &changed : &files.merges;
        enum status status =
            try_texts(vocab->data, vocab->n, merges->data, merges->n, &err);
        const char *expected = wrong[i].sentence;
        assert_int_equal(status, expected ? STATUS_INPUT : STATUS_OK);
        if (expected && strncmp(err.message, expected, strlen(expected)) != 0)
            fail_msg("row %zu: %s", i, err.message);
        buf_free(&changed);
        free_files(&files);
    }
}

static void json_that_is_no_map_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"[]", "1", "null", "\"x\"", "{}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct err err;
        assert_int_equal(try_texts(texts[i], strlen(texts[i]), "", 0, &err),
                         STATUS_INPUT);
        assert_non_null(strstr(err.message, "expected"));
    }
}

/* Open, encode and close; *is_right: all succeeded with the right ids. */
static enum status use_once(const struct files *files, bool *is_right,
                            struct err *err)
{
    static const char text[] = "ccab x<|endoftext|>";
    static const int expected[] = {156, 261, 223, 135, 269};
    *is_right = false;
    int *ids = NULL;
    size_t n_ids = 0, capacity = 0;
    struct tokenizer *tokenizer = tokenizer_open(
        "v.json", (char *)files->vocab.data, files->vocab.n, "m.txt",
        (char *)files->merges.data, files->merges.n, err);
    if (tokenizer && !tokenizer_encode(tokenizer, &ids, &n_ids, &capacity, text,
                                       sizeof text - 1, true, err))
        *is_right = n_ids == 5 && memcmp(ids, expected, sizeof expected) == 0;
    free(ids);
    tokenizer_close(tokenizer);
    return err->status;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    struct files files;
    write_small(&files);
    size_t n_refused = 0, n_withstood = 0;
    for (size_t n = 1;; n++) {
        struct err err = {0};
        bool is_right;
        fail_alloc_start(n);
        enum status status = use_once(&files, &is_right, &err);
        bool is_reached = fail_alloc_stop();
        assert_int_equal(fail_alloc_live(), 0);
        /* without memory for compiled matching, it matches all the same */
        assert_true(status == STATUS_MEMORY || is_right);
        n_refused += status == STATUS_MEMORY;
        n_withstood += is_reached && is_right;
        if (!is_reached) break;
    }
    print_message("%zu allocations refused, %zu withstood\n", n_refused,
                  n_withstood);
    assert_true(n_refused > 270); /* a token has at least one of its own */
    assert_in_range(n_withstood, 0, 32);
    free_files(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_truncation_of_the_vocabulary_is_refused),
        cmocka_unit_test(every_truncation_of_the_merges_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused_or_read),
        cmocka_unit_test(the_real_files_cut_short_are_refused),
        cmocka_unit_test(a_wrong_file_is_told_by_name_and_place),
        cmocka_unit_test(json_that_is_no_map_is_refused),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

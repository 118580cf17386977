/* The tokenizer against two others (make_tokenizer_fixture.py) and against
 * the rule of OpenAI's encoder.py written out plainly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include <cmocka.h>

#include "common/base/file.h"
#include "common/model/tokenizer.h"
#include "tests/model/small_vocabulary.h"

#define FIXTURE TEST_SOURCE_DIR "/tests/model/tokenizer_fixture.bin.gz"
#define VOCAB   TEST_SOURCE_DIR "/models/demo/vocab.json"
#define MERGES  TEST_SOURCE_DIR "/models/demo/merges.txt"

static struct tokenizer *open_texts(const struct buf *vocab,
                                    const struct buf *merges)
{
    struct err err = {0};
    struct tokenizer *tokenizer =
        tokenizer_open("vocab.json", (char *)vocab->data, vocab->n,
                       "merges.txt", (char *)merges->data, merges->n, &err);
    if (!tokenizer) fail_msg("%s", err.message);
    return tokenizer;
}

/* The real vocabulary, once for all tests. */
static int open_real(void **state)
{
    struct err err = {0};
    struct buf vocab = {0}, merges = {0};
    if (file_read(&vocab, VOCAB, 0, &err) ||
        file_read(&merges, MERGES, 0, &err)) {
        print_error("%s\n", err.message);
        return -1;
    }
    *state = open_texts(&vocab, &merges);
    buf_free(&vocab);
    buf_free(&merges);
    return 0;
}

static int close_real(void **state)
{
    tokenizer_close(*state);
    return 0;
}

static struct tokenizer *open_small(void)
{
    struct buf vocab = {0}, merges = {0};
    small_vocabulary_write(&vocab);
    small_merges_write(&merges);
    struct tokenizer *tokenizer = open_texts(&vocab, &merges);
    buf_free(&vocab);
    buf_free(&merges);
    return tokenizer;
}

/* Token ids, kept from call to call. */
struct ids {
    int *at;
    size_t n, capacity;
};

static void encode(const struct tokenizer *tokenizer, struct ids *ids,
                   const char *text, size_t n, bool allow_special)
{
    struct err err = {0};
    if (tokenizer_encode(tokenizer, &ids->at, &ids->n, &ids->capacity, text, n,
                         allow_special, &err))
        fail_msg("%s", err.message);
}

static void check_decoded(const struct tokenizer *tokenizer,
                          const struct ids *ids, const char *text, size_t n)
{
    struct err err = {0};
    struct buf out = {0};
    assert_int_equal(tokenizer_decode(tokenizer, &out, ids->at, ids->n, &err),
                     STATUS_OK);
    assert_int_equal(out.n, n);
    if (n) assert_memory_equal(out.data, text, n);
    buf_free(&out);
}

static void read_gzip(struct buf *out, const char *path)
{
    gzFile file = gzopen(path, "rb");
    if (!file) fail_msg("cannot open %s", path);
    char chunk[1 << 16];
    for (int n; (n = gzread(file, chunk, sizeof chunk)) != 0;) {
        if (n < 0) fail_msg("cannot read %s", path);
        buf_bytes(out, chunk, (size_t)n);
    }
    gzclose(file);
}

static void every_text_of_the_fixture_gives_the_reference_ids(void **state)
{
    const struct tokenizer *tokenizer = *state;
    struct buf fixture = {0};
    read_gzip(&fixture, FIXTURE);
    struct cursor cursor = cursor_of(fixture.data, fixture.n);
    char *magic = cursor_text(&cursor, 100);
    char *versions = cursor_text(&cursor, 1000);
    assert_string_equal(magic, "patchsweep tokenizer fixture");
    uint32_t n_texts = cursor_u32(&cursor);
    struct ids ids = {0};
    size_t n_ids = 0;
    for (uint32_t i = 0; i < n_texts; i++) {
        bool allow_special = cursor_u8(&cursor) != 0;
        size_t n = cursor_u32(&cursor);
        const char *text = (const char *)cursor_bytes(&cursor, n);
        size_t n_expected = cursor_u32(&cursor);
        const unsigned char *expected = cursor_bytes(&cursor, 2 * n_expected);
        assert_false(cursor.is_bad);
        encode(tokenizer, &ids, text, n, allow_special);
        if (ids.n != n_expected)
            fail_msg("text %u: %zu tokens, expected %zu", i, ids.n, n_expected);
        for (size_t j = 0; j < ids.n; j++)
            if (ids.at[j] != (expected[2 * j] | expected[2 * j + 1] << 8))
                fail_msg("text %u, token %zu: %d", i, j, ids.at[j]);
        check_decoded(tokenizer, &ids, text, n);
        n_ids += ids.n;
    }
    assert_true(cursor_is_done(&cursor));
    assert_true(n_texts >= 10000);
    print_message("%u texts, %zu tokens equal; expected from %s; Unicode of "
                  "this PCRE2 %s\n",
                  n_texts, n_ids, versions,
                  tokenizer_unicode_version(tokenizer));
    free(ids.at);
    free(magic);
    free(versions);
    buf_free(&fixture);
}

static void the_vocabulary_is_gpt2s(void **state)
{
    const struct tokenizer *tokenizer = *state;
    assert_int_equal(tokenizer_n_vocab(tokenizer), 50257);
    assert_int_equal(tokenizer_end_of_text(tokenizer), 50256);
    size_t n;
    assert_memory_equal(tokenizer_token(tokenizer, 5335, &n), " Mary", 5);
    assert_int_equal(n, 5);
    assert_null(tokenizer_token(tokenizer, -1, &n));
    assert_null(tokenizer_token(tokenizer, 50257, &n));
    assert_int_equal(n, 0);
}

static void the_special_text_is_special_only_where_allowed(void **state)
{
    const struct tokenizer *tokenizer = *state;
    static const char text[] = "a<|endoftext|><|endoftext|";
    struct ids ids = {0};
    encode(tokenizer, &ids, text, sizeof text - 1, true);
    assert_int_equal(ids.at[1], 50256);
    check_decoded(tokenizer, &ids, text, sizeof text - 1);
    encode(tokenizer, &ids, text, sizeof text - 1, false);
    for (size_t i = 0; i < ids.n; i++)
        assert_int_not_equal(ids.at[i], 50256);
    check_decoded(tokenizer, &ids, text, sizeof text - 1);
    encode(tokenizer, &ids, text, 0, true);
    assert_int_equal(ids.n, 0);
    free(ids.at);
}

static void an_id_that_is_no_token_is_refused(void **state)
{
    struct err err = {0};
    struct buf out = {0};
    const int ids[] = {0, 50257};
    assert_int_equal(tokenizer_decode(*state, &out, ids, 2, &err),
                     STATUS_INPUT);
    assert_string_equal(err.message, "token 1: id 50257 is not one of the "
                                     "vocabulary's 0 to 50256");
    buf_free(&out);
}

static void tokens_print_as_text_that_tells_their_bytes(void **state)
{
    const struct tokenizer *tokenizer = *state;
    static const struct {
        const char *bytes, *printed;
        size_t n;
    } rows[] = {
        {" Mary", " Mary", 5},
        {"\n", "\\x0a", 1},
        {"\0", "\\x00", 1},
        {"\x7f", "\\x7f", 1},
        {"\\", "\\\\", 1},
        {"\xc3\xa9", "\xc3\xa9", 2},
        {"\xe2", "\\xe2", 1},
        {"\xc2\xa0", "\xc2\xa0", 2},
        {" \xf0\x9f", " \\xf0\\x9f", 3},
        {"\xe2\x80", "\\xe2\\x80", 2},
    };
    struct ids ids = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = {0};
        encode(tokenizer, &ids, rows[i].bytes, rows[i].n, false);
        for (size_t j = 0; j < ids.n; j++)
            tokenizer_print(tokenizer, &out, ids.at[j]);
        char *printed = buf_take_text(&out);
        assert_int_equal(ids.n, 1);
        assert_string_equal(printed, rows[i].printed);
        free(printed);
    }
    struct buf out = {0};
    tokenizer_print(tokenizer, &out, 50257);
    assert_int_equal(out.n, 0);
    buf_free(&out);
    free(ids.at);
}

static void only_well_formed_utf8_prints_as_itself(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *printed; /* between < and > */
    } rows[] = {
        {"\xc2\xa0\xdf\xbf", NULL}, /* first and last of each length */
        {"\xe0\xa0\x80\xef\xbf\xbf", NULL},
        {"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", NULL},
        {"\xed\x9f\xbf\xee\x80\x80", NULL}, /* around the surrogates */
        {"\xc1\xbf", "\\xc1\\xbf"},         /* overlong */
        {"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"},
        {"\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"}, /* surrogates */
        {"\xed\xbf\xbf", "\\xed\\xbf\\xbf"},
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* too high */
        {"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"},
        {"\x80\xbf", "\\x80\\xbf"}, /* continuation alone, and missing */
        {"\xc3(", "\\xc3("},
        {"\xe2\x82(", "\\xe2\\x82("},
        {"\xf0\x9f\x98(", "\\xf0\\x9f\\x98("},
        {"\xf0\x9f(", "\\xf0\\x9f("},
        {"\xc2\x9f\x1f", "\\xc2\\x9f\\x1f"}, /* control characters */
    };
    static const char special[] = "<|endoftext|>\": 269}\n";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf vocab = {0}, merges = {0}, out = {0};
        small_vocabulary_write(&vocab);
        small_merges_write(&merges);
        vocab.n -= sizeof special - 1;
        buf_printf(&vocab, "<");
        small_token_write(&vocab, rows[i].bytes, strlen(rows[i].bytes));
        buf_printf(&vocab, ">\": 269}");
        struct tokenizer *tokenizer = open_texts(&vocab, &merges);
        tokenizer_print(tokenizer, &out, 269);
        char expected[40];
        snprintf(expected, sizeof expected, "<%s>",
                 rows[i].printed ? rows[i].printed : rows[i].bytes);
        char *printed = buf_take_text(&out);
        assert_string_equal(printed, expected);
        free(printed);
        tokenizer_close(tokenizer);
        buf_free(&vocab);
        buf_free(&merges);
    }
}

/* encoder.py: find the pair of the lowest rank, merge it everywhere, again.
 * parts: n strings, each of at most 15 bytes; returns how many remain. */
static size_t merge_plainly(char (*parts)[16], size_t n)
{
    for (;;) {
        int lowest = SMALL_MERGES;
        for (size_t i = 0; i + 1 < n; i++)
            for (int rank = 0; rank < lowest; rank++)
                if (strcmp(parts[i], small_merges[rank][0]) == 0 &&
                    strcmp(parts[i + 1], small_merges[rank][1]) == 0)
                    lowest = rank;
        if (lowest == SMALL_MERGES) return n;
        size_t kept = 0;
        for (size_t i = 0; i < n; i++, kept++) {
            char part[32];
            bool is_pair = i + 1 < n &&
                           strcmp(parts[i], small_merges[lowest][0]) == 0 &&
                           strcmp(parts[i + 1], small_merges[lowest][1]) == 0;
            snprintf(part, sizeof part, "%s%s", parts[i],
                     is_pair ? parts[i + 1] : "");
            memcpy(parts[kept], part, sizeof *parts);
            i += is_pair;
        }
        n = kept;
    }
}

static void merging_by_heap_is_the_plain_rule(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = open_small();
    struct ids ids = {0};
    uint32_t random = 1;
    size_t n_merged = 0;
    for (int round = 0; round < 20000; round++) {
        char text[40], parts[40][16];
        size_t n = (size_t)round % sizeof text + 1;
        for (size_t i = 0; i < n; i++) {
            random = random * 1664525u + 1013904223u;
            text[i] = "aaabbbc"[(random >> 16) % 7];
            snprintf(parts[i], sizeof parts[i], "%c", text[i]);
        }
        size_t n_parts = merge_plainly(parts, n);
        encode(tokenizer, &ids, text, n, false);
        assert_int_equal(ids.n, n_parts);
        for (size_t i = 0; i < n_parts; i++) {
            size_t n_bytes;
            const char *bytes = tokenizer_token(tokenizer, ids.at[i], &n_bytes);
            assert_int_equal(n_bytes, strlen(parts[i]));
            assert_memory_equal(bytes, parts[i], n_bytes);
        }
        n_merged += n - n_parts;
    }
    assert_true(n_merged > 100000);
    free(ids.at);
    tokenizer_close(tokenizer);
}

static void every_pair_of_bytes_comes_back(void **state)
{
    struct ids ids = {0};
    for (int pair = 0; pair < 65536; pair++) {
        const char text[] = {(char)(pair >> 8), (char)pair};
        encode(*state, &ids, text, 2, false);
        assert_in_range(ids.n, 1, 2);
        check_decoded(*state, &ids, text, 2);
    }
    free(ids.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_text_of_the_fixture_gives_the_reference_ids),
        cmocka_unit_test(the_vocabulary_is_gpt2s),
        cmocka_unit_test(the_special_text_is_special_only_where_allowed),
        cmocka_unit_test(an_id_that_is_no_token_is_refused),
        cmocka_unit_test(tokens_print_as_text_that_tells_their_bytes),
        cmocka_unit_test(only_well_formed_utf8_prints_as_itself),
        cmocka_unit_test(merging_by_heap_is_the_plain_rule),
        cmocka_unit_test(every_pair_of_bytes_comes_back),
    };
    return cmocka_run_group_tests(tests, open_real, close_real);
}

/* SHA-256 by the vectors of FIPS 180-4, CRC-32 by its check value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/digest.h"
#include "tests/base/fail_alloc.h"

static void sha256_gives_the_published_digests(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hex;
    } rows[] = {
        {"",
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc",
         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct digest digest;
        struct err err = {0};
        char hex[DIGEST_HEX];
        assert_int_equal(
            digest_of(&digest, rows[i].text, strlen(rows[i].text), &err), 0);
        digest_hex(hex, &digest);
        assert_string_equal(hex, rows[i].hex);
    }
}

static void a_million_a_in_odd_pieces_give_the_published_digest(void **state)
{
    (void)state;
    char piece[997];
    memset(piece, 'a', sizeof piece);
    struct err err = {0};
    struct digest_stream *stream = digest_open(&err);
    assert_non_null(stream);
    for (size_t left = 1000000; left > 0;) {
        size_t n = left < sizeof piece ? left : sizeof piece;
        digest_add(stream, piece, n);
        digest_add(stream, piece, 0);
        left -= n;
    }
    struct digest digest;
    char hex[DIGEST_HEX];
    assert_int_equal(digest_close(stream, &digest, &err), STATUS_OK);
    digest_hex(hex, &digest);
    assert_string_equal(
        hex,
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void a_stream_can_be_released_without_a_digest(void **state)
{
    (void)state;
    struct err err = {0};
    struct digest_stream *stream = digest_open(&err);
    assert_non_null(stream);
    assert_int_equal(digest_close(stream, NULL, &err), STATUS_OK);
    fail_alloc_start(1);
    assert_null(digest_open(&err));
    assert_true(fail_alloc_stop());
    assert_int_equal(err.status, STATUS_MEMORY);
}

static void crc32_gives_its_check_value_whole_and_in_pieces(void **state)
{
    (void)state;
    static const char text[] = "123456789";
    assert_int_equal(crc32_of(0, text, 9), 0xcbf43926u);
    assert_int_equal(crc32_of(0, text, 0), 0);
    for (size_t n = 0; n <= 9; n++)
        assert_int_equal(crc32_of(crc32_of(0, text, n), text + n, 9 - n),
                         0xcbf43926u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_published_digests),
        cmocka_unit_test(a_million_a_in_odd_pieces_give_the_published_digest),
        cmocka_unit_test(a_stream_can_be_released_without_a_digest),
        cmocka_unit_test(crc32_gives_its_check_value_whole_and_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

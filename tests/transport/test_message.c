/* Messages: what goes in comes out, and nothing less or more is accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/transport/message.h"

enum { N_SAMPLES = 8 };

static void make_samples(struct message samples[N_SAMPLES])
{
    memset(samples, 0, N_SAMPLES * sizeof *samples);
    samples[0].kind = MESSAGE_HELLO;
    samples[0].as.hello.pid = 4711;
    samples[0].as.hello.threads = 1;
    samples[0].as.hello.gemm_flops = 94000000000;
    snprintf(samples[0].as.hello.host, MESSAGE_NAME_BYTES, "node-07");
    snprintf(samples[0].as.hello.cpu, MESSAGE_NAME_BYTES, "A CPU @ 2 GHz");
    snprintf(samples[0].as.hello.blas, MESSAGE_NAME_BYTES, "OpenBLAS Zen");
    snprintf(samples[0].as.hello.revision, MESSAGE_NAME_BYTES, "0123abcd");
    samples[1].kind = MESSAGE_ASSIGN;
    samples[1].as.assign.unit = UINT64_C(0x123456789abcdef0);
    message_fill_part(&samples[2], 7, "result", 6, 0);
    message_fill_part(&samples[3], 8, "", 0, 0);
    samples[4].kind = MESSAGE_FAILED;
    samples[4].as.failed.unit = 9;
    samples[4].as.failed.status = STATUS_NUMERIC;
    snprintf(samples[4].as.failed.sentence, MESSAGE_SENTENCE_BYTES,
             "cell 3 of pair x is not finite");
    samples[5].kind = MESSAGE_STOP;
    samples[5].as.stop.reason = 2;
    samples[6].kind = MESSAGE_BYE;
    samples[6].as.bye.units = 10;
    samples[6].as.bye.failed = 2;
    samples[7].kind = MESSAGE_LEAVE;
    samples[7].as.leave.exit_status = 75;
    samples[7].as.leave.at_once = 1;
}

static void a_message_comes_back_as_it_went(void **state)
{
    (void)state;
    struct message *samples = calloc(N_SAMPLES, sizeof *samples);
    struct message *back = calloc(1, sizeof *back);
    make_samples(samples);
    for (int i = 0; i < N_SAMPLES; i++) {
        struct buf bytes = {0}, again = {0};
        struct err err = {0};
        message_encode(&bytes, &samples[i]);
        assert_true(bytes.n <= MESSAGE_MAX_BYTES);
        assert_int_equal(message_decode(back, bytes.data, bytes.n, &err),
                         STATUS_OK);
        assert_int_equal(back->kind, samples[i].kind);
        message_encode(&again, back);
        assert_int_equal(again.n, bytes.n);
        assert_memory_equal(again.data, bytes.data, bytes.n);
        buf_free(&bytes);
        buf_free(&again);
    }
    struct err err = {0};
    struct buf bytes = {0};
    message_encode(&bytes, &samples[0]);
    assert_int_equal(message_decode(back, bytes.data, bytes.n, &err),
                     STATUS_OK);
    assert_string_equal(back->as.hello.host, "node-07");
    assert_int_equal(back->as.hello.pid, 4711);
    assert_int_equal(back->as.hello.gemm_flops, 94000000000);
    buf_free(&bytes);
    free(samples);
    free(back);
}

static void decode_rejects_every_truncation(void **state)
{
    (void)state;
    struct message *samples = calloc(N_SAMPLES, sizeof *samples);
    struct message *back = calloc(1, sizeof *back);
    make_samples(samples);
    for (int i = 0; i < N_SAMPLES; i++) {
        struct buf bytes = {0};
        message_encode(&bytes, &samples[i]);
        for (size_t n = 0; n < bytes.n; n++) {
            struct err err = {0};
            /* A copy of exactly n bytes, so that a sanitizer sees a read
             * beyond them. */
            unsigned char *cut = malloc(n + !n);
            memcpy(cut, bytes.data, n);
            assert_int_equal(message_decode(back, cut, n, &err), STATUS_MPI);
            free(cut);
        }
        struct err err = {0};
        buf_u8(&bytes, 0);
        assert_int_equal(message_decode(back, bytes.data, bytes.n, &err),
                         STATUS_MPI);
        buf_free(&bytes);
    }
    free(samples);
    free(back);
}

/* A truncation whose length field agrees with it. */
static void decode_rejects_short_fields(void **state)
{
    (void)state;
    struct message *samples = calloc(N_SAMPLES, sizeof *samples);
    struct message *back = calloc(1, sizeof *back);
    make_samples(samples);
    for (int i = 0; i < N_SAMPLES; i++) {
        struct buf bytes = {0};
        message_encode(&bytes, &samples[i]);
        for (size_t n = 12; n < bytes.n; n++) {
            struct err err = {0};
            unsigned char *cut = malloc(n);
            memcpy(cut, bytes.data, n);
            cut[8] = (unsigned char)((n - 12) & 0xff);
            cut[9] = (unsigned char)((n - 12) >> 8);
            assert_int_equal(message_decode(back, cut, n, &err), STATUS_MPI);
            free(cut);
        }
        buf_free(&bytes);
    }
    free(samples);
    free(back);
}

static void decode_rejects_other_versions_kinds_and_open_texts(void **state)
{
    (void)state;
    struct message *samples = calloc(N_SAMPLES, sizeof *samples);
    struct message *back = calloc(1, sizeof *back);
    make_samples(samples);
    struct buf bytes = {0};
    message_encode(&bytes, &samples[0]);
    static const size_t places[] = {3, 4, 7};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct err err = {0};
        bytes.data[places[i]] ^= 0x40;
        assert_int_equal(message_decode(back, bytes.data, bytes.n, &err),
                         STATUS_MPI);
        bytes.data[places[i]] ^= 0x40;
    }
    struct err err = {0};
    bytes.data[12 + 8 + 4 + 8 + MESSAGE_NAME_BYTES - 1] = 'x'; /* end of host */
    assert_int_equal(message_decode(back, bytes.data, bytes.n, &err),
                     STATUS_MPI);
    buf_free(&bytes);
    free(samples);
    free(back);
}

static void a_long_result_travels_in_parts(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,
                                   1,
                                   MESSAGE_PART_BYTES - 1,
                                   MESSAGE_PART_BYTES,
                                   MESSAGE_PART_BYTES + 1,
                                   5 * MESSAGE_PART_BYTES + 17};
    struct message *message = calloc(1, sizeof *message);
    struct assembly assembly = {0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i];
        unsigned char *data = malloc(n + 1);
        for (size_t j = 0; j < n; j++)
            data[j] = (unsigned char)(j * 31 + i);
        uint32_t count = message_parts(n);
        for (uint32_t part = 0; part < count; part++) {
            struct buf bytes = {0};
            struct err err = {0};
            bool is_whole;
            message_fill_part(message, 77 + i, data, n, part);
            message_encode(&bytes, message);
            assert_true(bytes.n <= MESSAGE_MAX_BYTES);
            buf_free(&bytes);
            assert_int_equal(
                assembly_add(&assembly, &message->as.result, &is_whole, &err),
                STATUS_OK);
            assert_int_equal(is_whole, part + 1 == count);
        }
        assert_int_equal(assembly.unit, 77 + i);
        assert_int_equal(assembly.bytes.n, n);
        if (n) assert_memory_equal(assembly.bytes.data, data, n);
        free(data);
    }
    assembly_free(&assembly);
    free(message);
}

static void parts_out_of_order_are_refused(void **state)
{
    (void)state;
    size_t n = 3 * MESSAGE_PART_BYTES;
    unsigned char *data = calloc(n, 1);
    struct message *message = calloc(1, sizeof *message);
    /* unit, part: the last of each row is wrong */
    static const int rows[][3][2] = {{{1, 1}, {-1, 0}},
                                     {{1, 0}, {1, 2}},
                                     {{1, 0}, {2, 1}},
                                     {{1, 0}, {1, 0}},
                                     {{1, 0}, {1, 1}, {1, 1}}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct assembly assembly = {0};
        struct err err = {0};
        for (int i = 0; i < 3 && rows[r][i][0] > 0; i++) {
            bool is_whole;
            message_fill_part(message, (uint64_t)rows[r][i][0], data, n,
                              (uint32_t)rows[r][i][1]);
            bool is_last = i == 2 || rows[r][i + 1][0] <= 0;
            assert_int_equal(
                assembly_add(&assembly, &message->as.result, &is_whole, &err),
                is_last ? STATUS_MPI : STATUS_OK);
        }
        assembly_free(&assembly);
    }
    free(message);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_comes_back_as_it_went),
        cmocka_unit_test(decode_rejects_every_truncation),
        cmocka_unit_test(decode_rejects_short_fields),
        cmocka_unit_test(decode_rejects_other_versions_kinds_and_open_texts),
        cmocka_unit_test(a_long_result_travels_in_parts),
        cmocka_unit_test(parts_out_of_order_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

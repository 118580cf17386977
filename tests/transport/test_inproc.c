/* The in-process transport, and the protocol over it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>

#include "common/base/clock.h"
#include "common/transport/inproc.h"
#include "coordinator/serve.h"
#include "tests/transport/protocol.h"

enum { MOST_WORKERS = 9 };

static void *work(void *transport)
{
    return protocol_work(transport) == 0 ? transport : NULL;
}

static void run(int n_workers, int stop_after, struct protocol_outcome *out)
{
    struct err err = {0};
    struct inproc *inproc;
    pthread_t threads[MOST_WORKERS];
    assert_int_equal(inproc_open(&inproc, n_workers, &err), STATUS_OK);
    for (int i = 0; i < n_workers; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, work, inproc_leaf(inproc, i)), 0);
    assert_int_equal(
        protocol_coordinate(inproc_hub(inproc), n_workers, stop_after, out), 0);
    for (int i = 0; i < n_workers; i++) {
        void *is_well;
        assert_int_equal(pthread_join(threads[i], &is_well), 0);
        assert_non_null(is_well);
    }
    inproc_close(inproc);
    assert_int_equal(out->joined, n_workers);
    assert_int_equal(out->left, n_workers);
    assert_int_equal(out->wrong, 0);
}

static void every_unit_comes_back_once_and_whole(void **state)
{
    (void)state;
    static const int workers[] = {1, 2, 5, 9};
    for (size_t i = 0; i < sizeof workers / sizeof *workers; i++) {
        struct protocol_outcome out;
        run(workers[i], -1, &out);
        for (int u = 0; u < PROTOCOL_UNITS; u++)
            assert_int_equal(out.answered[u], 1);
        assert_int_equal(out.failed, PROTOCOL_UNITS / 17);
        assert_int_equal(out.units + (uint64_t)out.failed, PROTOCOL_UNITS);
        printf("%d workers: %.3f s\n", workers[i], out.seconds);
    }
}

static void a_stop_drains(void **state)
{
    (void)state;
    for (int stop_after = 0; stop_after <= 40; stop_after += 20) {
        struct protocol_outcome out;
        int n = 0;
        run(3, stop_after, &out);
        for (int u = 0; u < PROTOCOL_UNITS; u++) {
            assert_true(out.answered[u] <= 1);
            n += out.answered[u];
        }
        assert_true(n >= stop_after && n < PROTOCOL_UNITS);
    }
}

static void waiting_ends_when_a_message_comes_or_time_is_over(void **state)
{
    (void)state;
    struct err err = {0};
    struct inproc *inproc;
    assert_int_equal(inproc_open(&inproc, 1, &err), STATUS_OK);
    struct transport *hub = inproc_hub(inproc);
    struct transport *leaf = inproc_leaf(inproc, 0);
    double start_s = clock_now_s();
    hub->operations->wait(hub, 0.05);
    assert_true(clock_now_s() - start_s >= 0.049);
    struct message *message = calloc(1, sizeof *message);
    message->kind = MESSAGE_BYE;
    assert_int_equal(transport_send(leaf, 0, message, &err), STATUS_OK);
    start_s = clock_now_s();
    hub->operations->wait(hub, 30);
    assert_true(clock_now_s() - start_s < 10);
    bool is_any;
    int peer = -1;
    assert_int_equal(transport_receive(hub, &peer, message, &is_any, &err),
                     STATUS_OK);
    assert_true(is_any);
    assert_int_equal(peer, 0);
    assert_int_equal(message->kind, MESSAGE_BYE);
    assert_int_equal(transport_receive(hub, &peer, message, &is_any, &err),
                     STATUS_OK);
    assert_false(is_any);
    /* What is not received is released with the star. */
    assert_int_equal(transport_send(hub, 0, message, &err), STATUS_OK);
    free(message);
    inproc_close(inproc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unit_comes_back_once_and_whole),
        cmocka_unit_test(a_stop_drains),
        cmocka_unit_test(waiting_ends_when_a_message_comes_or_time_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

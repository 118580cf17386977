/* The transport between ranks, the protocol over it, and the shared window.
 * Rank 0 coordinates and works in a second thread, as in a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <mpi.h>
#include <pthread.h>

#include "common/transport/inproc.h"
#include "common/transport/mpi_group.h"
#include "common/transport/mpi_transport.h"
#include "common/transport/shared.h"
#include "tests/transport/protocol.h"

static struct group *group;

static void *work(void *transport)
{
    return protocol_work(transport) == 0 ? transport : NULL;
}

static void the_protocol_runs_over_ranks(void **state)
{
    (void)state;
    struct err err = {0};
    struct transport *transport = NULL;
    if (group_rank(group) != 0) {
        assert_int_equal(mpi_transport_open(&transport, group, NULL, &err),
                         STATUS_OK);
        assert_int_equal(protocol_work(transport), 0);
        transport_close(transport);
        return;
    }
    struct inproc *inproc;
    pthread_t thread;
    void *is_well;
    struct protocol_outcome out;
    assert_int_equal(inproc_open(&inproc, 1, &err), STATUS_OK);
    assert_int_equal(
        mpi_transport_open(&transport, group, inproc_hub(inproc), &err),
        STATUS_OK);
    assert_int_equal(
        pthread_create(&thread, NULL, work, inproc_leaf(inproc, 0)), 0);
    assert_int_equal(
        protocol_coordinate(transport, group_size(group), -1, &out), 0);
    assert_int_equal(pthread_join(thread, &is_well), 0);
    assert_non_null(is_well);
    assert_int_equal(out.joined, group_size(group));
    assert_int_equal(out.left, group_size(group));
    assert_int_equal(out.wrong, 0);
    for (int u = 0; u < PROTOCOL_UNITS; u++)
        assert_int_equal(out.answered[u], 1);
    printf("%d ranks: %.3f s\n", group_size(group), out.seconds);
    transport_close(transport);
    inproc_close(inproc);
}

static void a_waiting_rank_uses_little_time(void **state)
{
    (void)state;
    struct err err = {0};
    struct transport *transport = NULL;
    assert_int_equal(mpi_transport_open(&transport, group, NULL, &err),
                     STATUS_OK);
    struct message *message = calloc(1, sizeof *message);
    struct timespec before, after;
    double idle_s = 0, waited_s = 0;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    while (waited_s < 1) {
        int peer;
        bool is_any;
        assert_int_equal(
            transport_receive(transport, &peer, message, &is_any, &err),
            STATUS_OK);
        assert_false(is_any);
        transport_rest(transport, &idle_s);
        waited_s += idle_s;
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    double cpu_s = (double)(after.tv_sec - before.tv_sec) +
                   1e-9 * (double)(after.tv_nsec - before.tv_nsec);
    printf("rank %d: %.2f %% of a core while waiting\n", group_rank(group),
           100 * cpu_s / waited_s);
    assert_true(cpu_s < 0.02 * waited_s);
    free(message);
    transport_close(transport);
}

static void all_ranks_agree_on_the_first_failure(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(group_agree(group, &err), STATUS_OK);
    int last = group_size(group) - 1, before = last > 0 ? last - 1 : 0;
    if (group_rank(group) >= before)
        (void)err_set(&err, STATUS_INPUT, "sentence of %d", group_rank(group));
    assert_int_equal(group_agree(group, &err), STATUS_INPUT);
    char expected[64];
    if (before > 0)
        snprintf(expected, sizeof expected, "rank %d: sentence of %d", before,
                 before);
    else
        snprintf(expected, sizeof expected, "sentence of 0");
    assert_string_equal(err.message, expected);
}

static void bytes_of_rank_0_reach_all(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 100003};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct err err = {0};
        struct buf bytes = {0};
        for (size_t j = 0; group_rank(group) == 0 && j < sizes[i]; j++)
            buf_u8(&bytes, (uint8_t)(j * 3));
        assert_int_equal(group_broadcast(group, &bytes, &err), STATUS_OK);
        assert_int_equal(bytes.n, sizes[i]);
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal(bytes.data[j], (uint8_t)(j * 3));
        buf_free(&bytes);
    }
}

static void a_window_is_aligned_and_holds_what_rank_0_wrote(void **state)
{
    (void)state;
    struct err err = {0};
    struct shared *shared = NULL;
    const size_t n = 1000003;
    if (shared_open(&shared, group, n, &err)) fail_msg("%s", err.message);
    unsigned char *data = shared_data(shared);
    assert_int_equal((uintptr_t)data % 64, 0);
    for (size_t i = 0; group_rank(group) == 0 && i < n; i++)
        data[i] = (unsigned char)(i * 11 + i / 256);
    if (shared_distribute(shared, &err)) fail_msg("%s", err.message);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(data[i], (unsigned char)(i * 11 + i / 256));
    shared_close(shared);
}

static void a_window_without_room_says_what_to_set(void **state)
{
    (void)state;
    if (group_node_size(group) == 1) skip(); /* plain memory, no window */
    struct err err = {0};
    struct shared *shared = NULL;
    const size_t too_much = (size_t)1 << 50;
    assert_int_equal(shared_open(&shared, group, too_much, &err),
                     STATUS_MEMORY);
    assert_null(shared);
    assert_non_null(strstr(err.message, "OMPI_MCA_osc_sm_backing_directory"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_ranks_agree_on_the_first_failure),
        cmocka_unit_test(bytes_of_rank_0_reach_all),
        cmocka_unit_test(the_protocol_runs_over_ranks),
        cmocka_unit_test(a_waiting_rank_uses_little_time),
        cmocka_unit_test(a_window_is_aligned_and_holds_what_rank_0_wrote),
        cmocka_unit_test(a_window_without_room_says_what_to_set),
    };
    struct err err = {0};
    int provided;
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) !=
        MPI_SUCCESS)
        return 1;
    int n_failed = 1;
    if (group_open(&group, &err) == STATUS_OK)
        n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    else
        fprintf(stderr, "%s\n", err.message);
    /* A failed rank leaves the others in the middle of the protocol. */
    if (n_failed) MPI_Abort(MPI_COMM_WORLD, 1);
    group_close(group);
    MPI_Finalize();
    return 0;
}

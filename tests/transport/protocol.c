#include "tests/transport/protocol.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "coordinator/serve.h"
#include "worker/loop.h"

static size_t result_bytes(uint64_t unit)
{
    if (unit % 40 == 3) return 3 * MESSAGE_PART_BYTES + (size_t)unit;
    return (size_t)(unit % 50) * 100;
}

static unsigned char result_byte(uint64_t unit, size_t i)
{
    return (unsigned char)(unit * 7 + i * 13 + (i >> 8));
}

static enum status compute(void *user, uint64_t unit, struct buf *out,
                           struct err *err)
{
    (void)user;
    struct timespec work = {.tv_nsec = 1000000 * (long)(unit % 3)};
    (void)nanosleep(&work, NULL);
    if (unit % 17 == 16)
        return err_set(err, STATUS_NUMERIC, "unit %llu is not finite",
                       (unsigned long long)unit);
    for (size_t i = 0; i < result_bytes(unit); i++)
        buf_u8(out, result_byte(unit, i));
    return STATUS_OK;
}

int protocol_work(struct transport *transport)
{
    struct err err = {0};
    struct message_hello hello = {.pid = 1, .host = "here"};
    struct worker worker = {
        .transport = transport, .hello = &hello, .compute = compute};
    struct message_leave leave = {0};
    if (worker_loop(&worker, &leave, &err))
        fprintf(stderr, "%s\n", err.message);
    return err.status || leave.exit_status != PROTOCOL_EXIT;
}

struct watch {
    struct protocol_outcome *out;
    int stop_after, n_answers;
};

static enum status joined(void *user, int worker,
                          const struct message_hello *hello, struct err *err)
{
    (void)worker;
    (void)err;
    struct watch *watch = user;
    watch->out->joined += strcmp(hello->host, "here") == 0;
    return STATUS_OK;
}

static enum status result(void *user, int worker, uint64_t unit, bool is_new,
                          const void *data, size_t n, struct err *err)
{
    (void)worker;
    (void)err;
    struct watch *watch = user;
    watch->n_answers++;
    if (is_new) watch->out->answered[unit]++;
    bool is_right = n == result_bytes(unit) && unit % 17 != 16;
    for (size_t i = 0; i < n && is_right; i++)
        is_right = ((const unsigned char *)data)[i] == result_byte(unit, i);
    if (!is_right) watch->out->wrong++;
    return STATUS_OK;
}

static enum status failed(void *user, int worker, uint64_t unit, bool is_new,
                          const struct message_failed *failure, struct err *err)
{
    (void)worker;
    (void)err;
    struct watch *watch = user;
    char expected[64];
    snprintf(expected, sizeof expected, "unit %llu is not finite",
             (unsigned long long)unit);
    watch->n_answers++;
    if (is_new) watch->out->answered[unit]++;
    if (strcmp(failure->sentence, expected) != 0) watch->out->wrong++;
    watch->out->failed++;
    return STATUS_OK;
}

static enum status left(void *user, int worker, const struct message_bye *bye,
                        struct err *err)
{
    (void)worker;
    (void)err;
    struct watch *watch = user;
    watch->out->left++;
    watch->out->units += bye->units;
    return STATUS_OK;
}

static enum status given_up(void *user, int worker,
                            enum scheduler_event_kind kind, double waited_s,
                            double usual_s, struct err *err)
{
    (void)user;
    (void)usual_s;
    return err_set(err, STATUS_MPI, "worker %d: event %d after %g s", worker,
                   (int)kind, waited_s);
}

static enum status tick(void *user, double now_s, enum serve_wish *wish,
                        struct err *err)
{
    (void)now_s;
    (void)err;
    struct watch *watch = user;
    if (watch->stop_after >= 0 && watch->n_answers >= watch->stop_after)
        *wish = SERVE_STOP;
    return STATUS_OK;
}

static double unit_flops(void *user, uint64_t unit)
{
    (void)user;
    return 1 + (double)(unit % 3);
}

int protocol_coordinate(struct transport *transport, int n_workers,
                        int stop_after, struct protocol_outcome *out)
{
    static const struct serve_callbacks callbacks = {joined, result,   failed,
                                                     left,   given_up, tick};
    struct err err = {0};
    struct scheduler_segment segments[PROTOCOL_BLOCKS];
    for (int i = 0; i < PROTOCOL_BLOCKS; i++)
        segments[i] = (struct scheduler_segment){
            .first_unit = (uint64_t)i * (PROTOCOL_UNITS / PROTOCOL_BLOCKS),
            .n_units = PROTOCOL_UNITS / PROTOCOL_BLOCKS,
            .flops = 100,
            .block = i};
    struct scheduler_work work = {.segments = segments,
                                  .n_segments = PROTOCOL_BLOCKS,
                                  .n_blocks = PROTOCOL_BLOCKS,
                                  .unit_flops = unit_flops};
    memset(out, 0, sizeof *out);
    struct watch watch = {.out = out, .stop_after = stop_after};
    struct scheduler *scheduler = NULL;
    struct serve serve = {.transport = transport,
                          .n_workers = n_workers,
                          .own_worker = -1,
                          .silent_s = 30,
                          .late_s = 30,
                          .callbacks = &callbacks,
                          .user = &watch};
    int n_silent = 0;
    double start_s = clock_now_s();
    if (scheduler_open(&scheduler, &work, n_workers, &err)) goto out;
    serve.scheduler = scheduler;
    if (serve_run(&serve, &n_silent, &err)) goto out;
    out->seconds = clock_now_s() - start_s;
    if (serve_leave(&serve, PROTOCOL_EXIT, false, &err)) goto out;
out:
    scheduler_close(scheduler);
    if (err.status) fprintf(stderr, "%s\n", err.message);
    return err.status ? (int)err.status : n_silent;
}

/* Room for activations, on disks of any size: statvfs is replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/statvfs.h>

#include <cmocka.h>

#include "coordinator/coordinator_parts.h"
#include "tests/job/job_text.h"
#include "tests/plan/planned.h"

static unsigned long blocks_free; /* of 1 KiB */

int __wrap_statvfs(const char *path, struct statvfs *out);
int __wrap_statvfs(const char *path, struct statvfs *out)
{
    (void)path;
    *out = (struct statvfs){.f_frsize = 1024, .f_bavail = blocks_free};
    return 0;
}

/* Sixteen prompts of 4 tokens, 12 floats each, of 2 layers: 6,144 bytes. */
static void open_job(struct planned *p)
{
    planned_open(p, &small_config,
                 "model: m\nprepend_bos: false\nmetrics: [loss]\nprompts:\n"
                 "- {clean_tokens: [1, 2, 3, 4]}\n"
                 "- {clean_tokens: [1, 2, 3, 5]}\n"
                 "- {clean_tokens: [1, 2, 3, 6]}\n"
                 "- {clean_tokens: [1, 2, 3, 7]}\n"
                 "- {clean_tokens: [1, 2, 3, 8]}\n"
                 "- {clean_tokens: [1, 2, 3, 9]}\n"
                 "- {clean_tokens: [1, 2, 4, 4]}\n"
                 "- {clean_tokens: [1, 2, 4, 5]}\n"
                 "- {clean_tokens: [1, 2, 4, 6]}\n"
                 "- {clean_tokens: [1, 2, 4, 7]}\n"
                 "- {clean_tokens: [1, 2, 4, 8]}\n"
                 "- {clean_tokens: [1, 2, 4, 9]}\n"
                 "- {clean_tokens: [1, 2, 5, 4]}\n"
                 "- {clean_tokens: [1, 2, 5, 5]}\n"
                 "- {clean_tokens: [1, 2, 5, 6]}\n"
                 "- {clean_tokens: [1, 2, 5, 7]}\n"
                 "activations:\n- {hooks: 'blocks.*.hook_resid_pre'}\n",
                 NULL);
    planned_extend(p);
}

static enum status check(struct coordinator *c, bool is_gathering,
                         unsigned long blocks, struct err *err)
{
    *err = (struct err){0};
    blocks_free = blocks;
    return coordinator_check_room(c, is_gathering, err);
}

static void a_run_that_needs_more_than_there_is_does_not_start(void **unused)
{
    (void)unused;
    struct planned p;
    struct err err;
    unsigned char done[8] = {0};
    const struct coordinator_options options = {.folder = "out"};
    struct coordinator c = {.options = &options, .done = done};
    open_job(&p);
    c.plan = &p.plan;
    assert_int_equal(p.plan.segments[2].kind, UNIT_EXPORT);
    /* 6 KiB in parts, and as much again for the file */
    assert_int_equal(check(&c, true, 12, &err), 0);
    assert_int_equal(check(&c, true, 11, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "need about 1.144e-05 GiB"));
    assert_non_null(strstr(err.message, "out has 1.049e-05 GiB free"));
    assert_int_equal(check(&c, false, 6, &err), 0);
    assert_int_equal(check(&c, false, 5, &err), STATUS_INPUT);
    /* one of the two blocks is done */
    uint64_t first = p.plan.segments[2].first_unit;
    done[first / 8] |= (unsigned char)(1u << (first % 8));
    assert_int_equal(check(&c, true, 9, &err), 0);
    assert_int_equal(check(&c, true, 8, &err), STATUS_INPUT);
    /* all is done: nothing more is needed */
    memset(done, 0xff, sizeof done);
    assert_int_equal(check(&c, true, 0, &err), 0);
    planned_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_that_needs_more_than_there_is_does_not_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

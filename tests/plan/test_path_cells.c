/* Cells of path patching: which are run, what the carrying pass does, and what
 * a cell takes from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/plan/path.h"
#include "tests/job/job_text.h"
#include "tests/plan/planned.h"

/* Two layers, three heads; the runs differ at 1 of 5 tokens; read at 4. */
#define PAIRS                                                                  \
    "model: m\nprepend_bos: false\nmetrics: [logit_diff]\npairs:\n"            \
    "- {clean_tokens: [1, 2, 3, 4, 5], corrupted_tokens: [1, 9, 3, 4, 5],\n"   \
    "   answer_tokens: 7, wrong_tokens: 8, positions: {S: 1, T: 3}}\n"         \
    "- {clean_tokens: [4, 3, 9], corrupted_tokens: [4, 3, 5],\n"               \
    "   answer_tokens: 6, wrong_tokens: 2, positions: {S: 2}}\n"

static void open_path(struct planned *p, const char *head, const char *sweep)
{
    char text[2048];
    snprintf(text, sizeof text, "%s" PAIRS "sweeps:\n- {%s}\n", head, sweep);
    planned_open(p, &small_config, text, NULL);
    planned_extend(p);
}

static enum cell_status status_of(const struct planned *p, int pair, int sender,
                                  int receiver)
{
    const struct grid *grid = &p->plan.grids[0];
    const int index[PLAN_MAX_AXES] = {sender, receiver};
    return plan_cell_status(&p->plan, 0, pair, 0, grid_cell(grid, index));
}

static void points_are_named_in_order(void **unused)
{
    (void)unused;
    struct planned p;
    open_path(&p, "",
              "path: {send: {site: z, by: [layer, head, position], positions: "
              "[S, 3]}, receive: {site: [logits, k, q], heads: [L1H2, L0H1]}}");
    static const char *const senders[] = {
        "z.L0H0@S", "z.L0H1@S", "z.L0H2@S", "z.L0H0@3", "z.L0H1@3", "z.L0H2@3",
        "z.L1H0@S", "z.L1H1@S", "z.L1H2@S", "z.L1H0@3", "z.L1H1@3", "z.L1H2@3"};
    static const char *const receivers[] = {"q.L1H2", "q.L0H1", "k.L1H2",
                                            "k.L0H1", "logits"};
    const struct grid *grid = &p.plan.grids[0];
    assert_int_equal(grid->n_axes, 2);
    assert_int_equal(grid->axes[0].axis, AXIS_SENDER);
    assert_int_equal(grid->axes[0].n, 12);
    assert_int_equal(grid->axes[1].axis, AXIS_RECEIVER);
    assert_int_equal(grid->axes[1].n, 5);
    for (int i = 0; i < 12; i++)
        assert_string_equal(grid->axes[0].labels[i], senders[i]);
    for (int i = 0; i < 5; i++)
        assert_string_equal(grid->axes[1].labels[i], receivers[i]);
    planned_close(&p);
}

static void a_receiver_must_come_after_its_sender(void **unused)
{
    (void)unused;
    struct planned p;
    open_path(&p, "",
              "path: {send: {site: mlp_out}, receive: {site: [q, logits], by: "
              "[layer]}}");
    /* senders 0 and 1, receivers q.L0, q.L1, logits */
    assert_int_equal(status_of(&p, 0, 0, 0), CELL_NOT_APPLICABLE);
    assert_int_equal(status_of(&p, 0, 0, 1), CELL_COMPUTED);
    assert_int_equal(status_of(&p, 0, 0, 2), CELL_COMPUTED);
    assert_int_equal(status_of(&p, 0, 1, 1), CELL_NOT_APPLICABLE);
    assert_int_equal(status_of(&p, 0, 1, 2), CELL_COMPUTED);
    planned_close(&p);
}

/* A change stays at its position until it is received. */
static void a_change_reaches_its_own_position_alone(void **unused)
{
    (void)unused;
    struct planned p;
    open_path(&p, "",
              "path: {send: {site: z, by: [layer, position], layers: [0], "
              "positions: [0, S, T, end]}, receive: {site: [q, v, logits], by: "
              "[layer, position], layers: [1], positions: [S, T, end]}}");
    static const enum cell_status expected[4][7] = {
        /* q at S, T, end; v at S, T, end; logits. Nothing differs at 0; the
         * last layer's queries matter at the read position alone */
        {CELL_UNCHANGED, CELL_UNCHANGED, CELL_UNCHANGED, CELL_UNCHANGED,
         CELL_UNCHANGED, CELL_UNCHANGED, CELL_UNCHANGED},
        {CELL_UNCHANGED, CELL_UNCHANGED, CELL_UNCHANGED, CELL_COMPUTED,
         CELL_UNCHANGED, CELL_UNCHANGED, CELL_UNCHANGED},
        {CELL_UNCHANGED, CELL_UNCHANGED, CELL_UNCHANGED, CELL_UNCHANGED,
         CELL_COMPUTED, CELL_UNCHANGED, CELL_UNCHANGED},
        {CELL_UNCHANGED, CELL_UNCHANGED, CELL_COMPUTED, CELL_UNCHANGED,
         CELL_UNCHANGED, CELL_COMPUTED, CELL_COMPUTED}};
    for (int s = 0; s < 4; s++)
        for (int r = 0; r < 7; r++)
            assert_int_equal(status_of(&p, 0, s, r), expected[s][r]);
    /* the second pair has no T */
    assert_int_equal(status_of(&p, 1, 2, 0), CELL_NOT_APPLICABLE);
    assert_int_equal(status_of(&p, 1, 1, 1), CELL_NOT_APPLICABLE);
    assert_int_equal(status_of(&p, 1, 1, 3), CELL_COMPUTED); /* S is the end */
    planned_close(&p);
    open_path(&p, "skip_unchanged: false\n",
              "path: {send: {site: z, by: [layer, position], layers: [0], "
              "positions: [0, S]}, receive: {site: [q, logits], by: [layer]}}");
    assert_int_equal(status_of(&p, 0, 0, 0), CELL_NOT_APPLICABLE);
    for (int r = 1; r < 3; r++)
        assert_int_equal(status_of(&p, 0, 0, r), CELL_COMPUTED);
    planned_close(&p);
}

/* What cells of one sender share, and the edits that one of them makes. */
static void a_cell_takes_what_its_carrying_pass_captures(void **unused)
{
    (void)unused;
    struct planned p;
    struct arena arena = {0};
    struct err err = {0};
    struct path_carry carry;
    struct edit_list edits;
    enum cell_status status;
    open_path(&p, "",
              "path: {kind: direct, send: {site: z}, receive: {site: [q, v]}}");
    const struct plan *plan = &p.plan;
    uint64_t n = path_cells_of_sender(&plan->grids[0]);
    assert_int_equal(n, 12);
    /* sender L0H1: all its cells */
    if (path_fill_carry(&carry, plan, 0, 0, 0, n, n, NULL, &arena, &err))
        fail_msg("%s", err.message);
    assert_int_equal(carry.edits.freeze, FREEZE_ATTENTION | FREEZE_MLP);
    assert_int_equal(carry.edits.n, 1);
    assert_int_equal(carry.edits.items[0].heads.n, 1);
    assert_int_equal(carry.edits.items[0].heads.at[0], 1);
    assert_int_equal(carry.edits.items[0].rows.n, 4); /* from the difference */
    assert_int_equal(carry.n_captures, 2);            /* q and v of layer 1 */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(carry.captures[i].site, i ? SITE_V : SITE_Q);
        assert_int_equal(carry.captures[i].layer, 1);
        assert_int_equal(carry.captures[i].rows.n, 4);
    }
    /* and q.L1H2 of it */
    if (plan_cell(&status, &edits, plan, 0, 0, 0, n + 5, NULL, &arena, &err))
        fail_msg("%s", err.message);
    assert_int_equal(status, CELL_COMPUTED);
    assert_int_equal(edits.freeze, 0);
    assert_int_equal(edits.n, 1);
    assert_int_equal(edits.items[0].source, EDIT_FROM_CAPTURE);
    assert_int_equal(edits.items[0].site, SITE_Q);
    assert_int_equal(edits.items[0].layer, 1);
    assert_int_equal(edits.items[0].heads.at[0], 2);
    assert_int_equal(edits.items[0].rows.n, 1); /* the one that is read */
    assert_int_equal(edits.items[0].rows.at[0], 4);
    /* a sender of the last layer reaches none of them */
    if (path_fill_carry(&carry, plan, 0, 0, 0, 3 * n, n, NULL, &arena, &err))
        fail_msg("%s", err.message);
    assert_int_equal(carry.n_captures, 0);
    arena_free(&arena);
    planned_close(&p);
}

/* Together: edits by layer and site, whatever the order of the lists. */
static void ends_that_are_no_axis_are_taken_together(void **unused)
{
    (void)unused;
    struct planned p;
    struct arena arena = {0};
    struct err err = {0};
    struct path_carry carry;
    struct edit_list edits;
    enum cell_status status = CELL_MISSING;
    open_path(&p, "",
              "path: {send: {site: mlp_post, neurons: [L1N3, L0N2, L0N1]}, "
              "receive: {site: [v, q], heads: [L1H0, L1H2, L0H0]}}, by: []");
    const struct plan *plan = &p.plan;
    assert_int_equal(plan->grids[0].n_cells, 1);
    if (path_fill_carry(&carry, plan, 0, 0, 0, 0, 1, NULL, &arena, &err) ||
        plan_cell(&status, &edits, plan, 0, 0, 0, 0, NULL, &arena, &err))
        fail_msg("%s", err.message);
    assert_int_equal(status, CELL_COMPUTED);
    assert_int_equal(carry.edits.freeze, FREEZE_ATTENTION);
    for (int i = 1; i < carry.edits.n; i++)
        assert_true(carry.edits.items[i].layer >=
                    carry.edits.items[i - 1].layer);
    assert_int_equal(carry.edits.items[0].layer, 0);
    assert_int_equal(edits.n, 4); /* L0H0 is before every change */
    for (int i = 0; i < 4; i++) {
        assert_int_equal(edits.items[i].layer, 1);
        assert_int_equal(edits.items[i].site, i < 2 ? SITE_Q : SITE_V);
    }
    arena_free(&arena);
    planned_close(&p);
}

/* The cells of a sender share its pass: it is counted once, not for each. */
static void what_is_shared_is_counted_once(void **unused)
{
    (void)unused;
    struct planned p;
    struct plan_counts one, all;
    open_path(
        &p, "",
        "path: {send: {site: z, heads: [L0H0]}, receive: {site: v, heads: "
        "[L1H0]}}");
    plan_count(&p.plan, 0, &one);
    planned_close(&p);
    open_path(
        &p, "",
        "path: {send: {site: z, heads: [L0H0]}, receive: {site: v, heads: "
        "[L1H0, L1H1, L1H2]}}");
    plan_count(&p.plan, 0, &all);
    planned_close(&p);
    assert_int_equal(one.cells[CELL_COMPUTED], 2);
    assert_int_equal(all.cells[CELL_COMPUTED], 6);
    assert_true(one.flops > 0);
    assert_true(all.flops > one.flops);
    assert_true(all.flops < 3 * one.flops);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_are_named_in_order),
        cmocka_unit_test(a_receiver_must_come_after_its_sender),
        cmocka_unit_test(a_change_reaches_its_own_position_alone),
        cmocka_unit_test(a_cell_takes_what_its_carrying_pass_captures),
        cmocka_unit_test(ends_that_are_no_axis_are_taken_together),
        cmocka_unit_test(what_is_shared_is_counted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

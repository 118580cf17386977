#!/usr/bin/python3
"""Groups: what must be so whatever the weights, and that ranks, kills and
restarts do not show."""

import os
import random
import time

import h5py
import numpy as np

import program
from program import read_journal, run, start, units

KILLS = 2
TOLERANCE = 1e-5  # of max(spread, 1): as the parity tests'

IDENTITIES = [
    "{name: none, groups: {of: mlp_post, n: 1}, mask: all_but_each, by: [layer]}",
    "{name: none_drawn, groups: {of: z}, mask: {fraction: 1, draws: 2}, by: [layer]}",
    "{name: whole_neurons, groups: {of: mlp_post, n: 1}, mask: each, by: [layer]}",
    "{name: all_neurons, groups: {of: mlp_post, n: 5}, mask: {fraction: 0, draws: 1}, by: [layer]}",
    "{name: mlp_post, site: mlp_post, by: [layer], base: clean, value: zero}",
    "{name: whole_dims, groups: {of: mlp_out, n: 1}, mask: each, by: [layer]}",
    "{name: mlp_out, site: mlp_out, by: [layer], base: clean, value: zero}",
    "{name: single_neurons, groups: {of: mlp_post}, mask: each, by: [layer]}",
    "{name: neurons, site: mlp_post, by: [layer, neuron], base: clean, value: zero}",
    "{name: single_heads, groups: {of: z}, mask: each, by: [layer, position]}",
    "{name: heads, site: z, by: [layer, position, head], base: clean, value: zero}",
    "{name: nothing_kept, groups: {of: z, n: 2, per: model}, mask: {permutations: 1}}",
    "{name: no_heads, site: z, by: [], base: clean, value: zero}",
    "{name: all_kept, groups: {of: z}, mask: {keep: [L0H0-1, [L1H0-1, L2H0-1], L3H0-1, L4H0-1]}}",
    "{name: layer_zero, site: z, by: [layer], layers: [0], base: clean, value: zero}",
    "{name: window_heads, groups: {of: z}, mask: each, by: [layer], window: {width: 3}}",
    "{name: window, site: z, by: [layer, head], window: {width: 3}, base: clean, value: zero}",
    "{name: other_heads, groups: {of: z}, mask: each, by: [layer],"
    " value: {resample: {n: 1, within: all}}}",
    "{name: other, site: z, by: [layer, head], base: clean,"
    " value: {resample: {n: 1, within: all}}}",
    "{name: first_order, groups: {of: mlp_post, n: 4}, mask: each, by: [layer],"
    " method: attribution}",
    "{name: first_orders, site: mlp_post, by: [layer, neuron], base: clean, value: zero,"
    " method: attribution}",
]
RUNS = [
    "{name: masked, groups: {of: mlp_post, n: 12}, mask: each, by: [layer]}",
    "{name: alone, groups: {of: z}, mask: all_but_each, by: [layer, position]}",
    "{name: draws, groups: {of: mlp_post, n: 12}, by: [layer],"
    " mask: {fraction: 0.5, draws: 12, per: pair}}",
    "{name: pairs, groups: {of: z, per: model}, mask: pairs}",
    "{name: orders, groups: {of: mlp_out, n: 4, per: model, partition: random},"
    " mask: {permutations: 4}}",
    "{name: kept, groups: {of: z}, mask: {keep: [L0H1, [L1H0, L3H1]]}}",
]


class Groups(program.ProgramTest):
    """Sweeps with groups and masks, through the whole program."""

    def close(self, found, expected, what):
        spread = max(1.0, float(np.ptp(expected)))
        off = float(np.abs(found - expected).max())
        self.assertLessEqual(off, TOLERANCE * spread, what)

    def test_identities(self):
        job = self.job(n_pairs=4, sweeps=IDENTITIES, length=9)
        for skip in ("true", "false"):
            out = self.path(skip)
            self.check(run(["run", job, "-o", out, "--set", f"skip_unchanged={skip}"]))
            with h5py.File(os.path.join(out, "results.h5")) as file:
                def values(name, file=file):
                    return file[f"sweeps/{name}/logit_diff"][()].astype(float)

                base = file["baseline/logit_diff"][0].astype(float)
                for name in ("none", "none_drawn"):
                    expected = np.broadcast_to(base[:, None, None], values(name).shape)
                    self.close(values(name), expected, name)
                    if skip == "true":
                        np.testing.assert_array_equal(values(name), expected)
                self.close(values("whole_neurons")[..., 0], values("mlp_post"), "neurons")
                self.close(values("all_neurons")[..., 0], values("mlp_post"), "all neurons")
                self.close(values("whole_dims")[..., 0], values("mlp_out"), "dims")
                self.close(values("single_neurons"), values("neurons"), "single neurons")
                self.close(values("single_heads"), values("heads"), "single heads")
                self.close(values("nothing_kept")[:, 0], values("no_heads"), "nothing kept")
                self.close(values("window_heads"), values("window"), "a window")
                self.close(values("other_heads"), values("other"), "resampled heads")
                first = values("first_orders") - base[:, None, None]
                summed = first.reshape(*first.shape[:2], 4, -1).sum(-1)
                self.close(values("first_order") - base[:, None, None], summed,
                           "the first order of a group is the sum of its neurons'")
                kept = values("all_kept")
                self.close(kept[:, 0], base, "everything kept")
                self.close(kept[:, 1], values("layer_zero")[:, 0], "layer 0 removed")
                removed = file["sweeps/all_kept/removed"][()]
                np.testing.assert_array_equal(removed, [-1, 0, 1, 2, 3])

    def test_coordinates_tell_what_was_masked(self):
        job = self.job(n_pairs=3, sweeps=RUNS, length=6)
        out = self.path("out")
        self.check(run(["run", job, "-o", out]))
        with h5py.File(os.path.join(out, "results.h5")) as file:
            sweeps = file["sweeps"]
            active = sweeps["draws/active"][()]
            self.assertEqual(active.shape, (3, 5, 12, 12))
            np.testing.assert_array_equal(active.sum(-1), 6)
            self.assertFalse((active[0] == active[1]).all())
            orders = sweeps["orders/active"][()]
            np.testing.assert_array_equal(orders.sum(-1), [0] + 4 * [1, 2, 3])
            np.testing.assert_array_equal(
                sweeps["orders/permutation"][()], [-1] + [d for d in range(4) for _ in "abc"])
            masked = sweeps["masked"]
            self.assertEqual(len(masked["member"]), 5 * 64)
            np.testing.assert_array_equal(np.bincount(masked["member_group"][()]),
                                          5 * np.array([6] * 4 + [5] * 8))
            self.assertEqual(len(sweeps["pairs/group_a"]), 55)
            self.assertTrue((sweeps["pairs/group_a"][()] <= sweeps["pairs/group_b"][()]).all())

    def test_ranks_and_kills_do_not_show(self):
        rng = random.Random(1)
        job = self.job(n_pairs=24, sweeps=RUNS)
        whole = self.path("whole")
        began = time.monotonic()
        self.check(run(["run", job, "-o", whole]))
        whole_s = time.monotonic() - began
        n_units = len(units(read_journal(whole)))
        out, kills = self.path("out"), 0
        for _ in range(KILLS):
            process = start(["run", job, "-o", out, "--sync-seconds", "0.05"], 2)
            time.sleep(rng.uniform(0.3, 0.6) * whole_s)
            kills += process.poll() is None
            program.kill_all(process)
            process.communicate(timeout=program.TIMEOUT)
        self.check(run(["run", job, "-o", out], 2))
        self.assertEqual(sorted(units(read_journal(out))), list(range(n_units)))
        self.assert_same_results(whole, out)
        self.assertGreater(kills, 0)
        print(f"{n_units} units ({whole_s:.1f} s), {kills} kills")


if __name__ == "__main__":
    program.main()

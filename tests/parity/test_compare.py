#!/usr/bin/python3
"""The comparer itself: a program that writes the fixture's own arrays passes,
every kind of damage to them fails. Usage: test_compare.py (no arguments)."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy as np

import compare

HERE = Path(__file__).resolve().parent
FIXTURE, HOOKS = HERE / "fixtures/one.h5", HERE / "fixtures/hooks_one.h5"

# Stands for patchsweep: run JOB -o OUT [--set skip_unchanged=false]
PROGRAM = """\
#!/bin/sh
mkdir -p "$4" && cp "$(dirname "$0")"/*s.h5 "$4"  # results, activations
echo "{sentence}" >&2
exit {status}
"""


def write_results(folder, path):
    """What a perfect program would write, from a fixture, in float32; with
    positions beyond the longest base run, as the program may have."""
    with h5py.File(path) as fixture, \
            h5py.File(folder / "results.h5", "w") as results:
        results["pairs/id"] = fixture["pairs/id"][()]
        for name, data in fixture["baseline"].items():
            results[f"baseline/{name}"] = data[()].astype(np.float32)
        for name, group in fixture["sweeps"].items():
            axes = ["pair", *group.attrs["axes"]]
            padding = [(0, 2 * (axis == "position")) for axis in axes]
            for metric, data in group.items():
                values = np.pad(data[()].astype(np.float32), padding,
                                constant_values=np.nan)
                results[f"sweeps/{name}/{metric}"] = values
            status = np.where(np.isnan(values), 4, 1).astype(np.uint8)
            results[f"sweeps/{name}/status"] = status
        if "hooks" in fixture:
            write_activations(folder, fixture)


def write_activations(folder, fixture):
    """Positions padded to the longest prompt with NaN."""
    ids = [i.decode() for i in fixture["pairs/id"][()]]
    longest = max(fixture["pairs/length_clean"][()])
    with h5py.File(folder / "activations.h5", "w") as activations:
        for pair, hooks in fixture["hooks"].items():
            for hook, data in hooks.items():
                is_scores = hook.endswith(("scores", "pattern"))
                places = (1, 2) if is_scores else (0,)
                shape = [longest if k in places else n
                         for k, n in enumerate(data.shape)]
                activations.require_dataset(
                    f"clean/{hook}", (len(ids), *shape), "f4", exact=True,
                    fillvalue=np.nan)
                index = (ids.index(pair), *map(slice, data.shape))
                activations[f"clean/{hook}"][index] = data[()]


class Compare(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path, self.fixture = Path(folder.name), FIXTURE
        write_results(self.path, FIXTURE)

    def use_hooks(self):
        self.fixture = HOOKS
        write_results(self.path, HOOKS)

    def run_compare(self, status=0, sentence="", flags=()):
        job = HERE / "jobs" / self.fixture.with_suffix(".yaml").name
        program = self.path / "program"
        program.write_text(PROGRAM.format(status=status,
                                          sentence=sentence))
        program.chmod(0o755)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = compare.main([str(argument) for argument in (
                program, job, self.fixture, self.path / "work", *flags)])
        return code, out.getvalue()

    def damage(self, name, change, file="results.h5"):
        with h5py.File(self.path / file, "r+") as results:
            values = results[name][()]
            change(values)
            results[name][...] = values

    def assert_fails(self, word, **how):
        code, out = self.run_compare(**how)
        self.assertEqual(code, 1, out)
        self.assertIn(word, out)
        self.assertIn("FAILED", out)

    def test_the_fixture_itself_passes(self):
        code, out = self.run_compare()
        self.assertEqual(code, 0, out)
        self.assertNotIn("FAILED", out)
        self.assertIn("full: z/logit_diff",
                      out)

    def test_activations_pass(self):
        self.use_hooks()
        code, out = self.run_compare()
        self.assertEqual(code, 0, out)
        self.assertIn("blocks.0.attn.hook_attn_scores", out)

    def test_one_value_out_of_bound_fails(self):
        def change(values):
            values[0, 0, 0] += 1e-4
        self.damage("sweeps/z/logit_diff", change)
        self.assert_fails("1 of 3 values out of bound")

    def test_nan_for_a_value_fails(self):
        def change(values):
            values[0, 0, 0] = np.nan
        self.damage("sweeps/z/logit_diff", change)
        self.assert_fails("NaN or infinities at other places")

    def test_a_value_beyond_every_prompt_fails(self):
        def change(values):
            values[0, 10] = 0
        self.damage("sweeps/embed/prob", change)
        self.assert_fails("embed/prob: shape (3, 11), expected (3, 9)")

    def test_a_value_beyond_its_prompt_fails(self):
        def change(values):
            values[0, 8] = 0
        self.damage("sweeps/embed/prob", change)
        self.assert_fails("NaN or infinities at other places")

    def test_a_failed_cell_fails(self):
        def change(values):
            values[1, 0, 0] = 3
        self.damage("sweeps/z/status", change)
        self.assert_fails("another status")

    def test_unchanged_cells_fail_where_skipping_is_off(self):
        def change(values):
            values[1, 0, 0] = 2
        self.damage("sweeps/z/status", change)
        self.assert_fails("FAILED full: z/status")

    def test_a_baseline_out_of_bound_fails(self):
        def change(values):
            values[1, 2] *= 1.001
        self.damage("baseline/logit_diff", change)
        self.assert_fails("baseline/logit_diff")

    def test_another_axis_order_fails(self):
        with h5py.File(self.path / "results.h5", "r+") as results:
            values = results["sweeps/mlp_post/prob"][()]
            del results["sweeps/mlp_post/prob"]
            results["sweeps/mlp_post/prob"] = values.swapaxes(2, 3)
        self.assert_fails("mlp_post/prob: shape")

    def test_a_missing_sweep_fails(self):
        with h5py.File(self.path / "results.h5", "r+") as results:
            del results["sweeps/embed"]
        self.assert_fails("['embed']")

    def test_a_missing_metric_fails(self):
        with h5py.File(self.path / "results.h5", "r+") as results:
            del results["sweeps/embed/prob"]
        self.assert_fails("embed/prob: not in results.h5")

    def test_an_activation_out_of_bound_fails(self):
        def change(values):
            values[1, 4, 2] += 1e-3
        self.use_hooks()
        self.damage("clean/blocks.0.hook_mlp_out", change, "activations.h5")
        self.assert_fails("blocks.0.hook_mlp_out: 1 of 45 values")

    def test_a_missing_hook_fails(self):
        self.use_hooks()
        with h5py.File(self.path / "activations.h5", "r+") as activations:
            del activations["clean/ln_final.hook_scale"]
        self.assert_fails("ln_final.hook_scale: not in activations.h5")

    def test_a_program_that_fails_fails(self):
        self.assert_fails("exit status 75", status=75)

    def test_what_is_not_built_is_skipped_only_where_allowed(self):
        refused = dict(status=2, sentence="window: not supported yet")
        self.assert_fails("exit status 2", **refused)
        code, out = self.run_compare(flags=["--may-skip"], **refused)
        self.assertEqual(code, 77, out)
        self.assert_fails("exit status 2", flags=["--may-skip"], status=2)

    def test_a_stale_fixture_fails(self):
        fixture = self.path / "one.h5"
        fixture.write_bytes(FIXTURE.read_bytes())
        with h5py.File(fixture, "r+") as file:
            digests = file.attrs["digests"]
            swapped = "0" if digests[-3] != "0" else "1"
            file.attrs["digests"] = digests[:-3] + swapped + digests[-2:]
        self.fixture = fixture
        self.assert_fails("changed since the fixture was made")


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/python3
"""The comparer itself: a program that writes the fixture's own arrays passes,
every kind of damage to them fails. Usage: test_compare.py (no arguments)."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy as np

HERE = Path(__file__).resolve().parent
JOB, FIXTURE = HERE / "jobs/one.yaml", HERE / "fixtures/one.h5"

# Stands for patchsweep: argv is "run JOB -o OUT [--set skip_unchanged=false]"
PROGRAM = """\
#!/usr/bin/python3
import shutil, sys
from pathlib import Path
out = Path(sys.argv[4])
out.mkdir(parents=True)
for file in "results.h5", "activations.h5":
    shutil.copy(Path(__file__).parent / file, out)
sys.exit({status})
"""


def write_results(folder):
    """What a perfect program would write, from the fixture, in float32."""
    with h5py.File(FIXTURE) as fixture, \
            h5py.File(folder / "results.h5", "w") as results, \
            h5py.File(folder / "activations.h5", "w") as activations:
        results["pairs/id"] = fixture["pairs/id"][()]
        for name, data in fixture["baseline"].items():
            results[f"baseline/{name}"] = data[()].astype(np.float32)
        for name, group in fixture["sweeps"].items():
            for metric, data in group.items():
                values = data[()].astype(np.float32)
                results[f"sweeps/{name}/{metric}"] = values
            status = np.where(np.isnan(values), 4, 1).astype(np.uint8)
            results[f"sweeps/{name}/status"] = status
        longest = max(fixture["pairs/length"][()])
        for i, pair in enumerate(fixture["pairs/id"][()]):
            if pair.decode() not in fixture["hooks"]:
                continue
            for hook, data in walk(fixture["hooks"][pair.decode()]):
                # positions are padded to the longest prompt
                n = fixture["pairs/length"][i]
                shape = tuple(longest if s == n and (
                    k == 0 or hook.endswith(("scores", "pattern"))) else s
                    for k, s in enumerate(data.shape))
                if f"clean/{hook}" not in activations:
                    full = (len(fixture["pairs/id"]), *shape)
                    activations.create_dataset(
                        f"clean/{hook}", data=np.full(full, np.nan, "f4"))
                index = (i, *map(slice, data.shape))
                activations[f"clean/{hook}"][index] = data[()]


def walk(group):
    found = []
    group.visititems(lambda name, item: found.append((name, item))
                     if isinstance(item, h5py.Dataset) else None)
    return found


class Compare(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        write_results(self.path)
        self.addCleanup(self.folder.cleanup)

    def run_compare(self, status=0, fixture=FIXTURE):
        program = self.path / "program"
        program.write_text(PROGRAM.format(status=status))
        program.chmod(0o755)
        return subprocess.run(
            [sys.executable, HERE / "compare.py", program, JOB, fixture,
             self.path / "work"], capture_output=True, text=True)

    def damage(self, name, change, file="results.h5"):
        with h5py.File(self.path / file, "r+") as results:
            values = results[name][()]
            change(values)
            results[name][...] = values

    def assert_fails(self, word, **how):
        done = self.run_compare(**how)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn(word, done.stdout)
        self.assertIn("FAILED", done.stdout)

    def test_the_fixture_itself_passes(self):
        done = self.run_compare()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("FAILED", done.stdout)
        self.assertIn("full: z/logit_diff",
                      done.stdout)

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

    def test_a_value_beyond_the_prompt_fails(self):
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
        self.damage("clean/blocks.0.hook_mlp_out", change, "activations.h5")
        self.assert_fails("blocks.0.hook_mlp_out: 1 of 45 values")

    def test_a_missing_hook_fails(self):
        with h5py.File(self.path / "activations.h5", "r+") as activations:
            del activations["clean/ln_final.hook_scale"]
        self.assert_fails("ln_final.hook_scale: not in activations.h5")

    def test_a_program_that_fails_fails(self):
        self.assert_fails("exit status 75", status=75)

    def test_a_stale_fixture_fails(self):
        fixture = self.path / "stale.h5"
        fixture.write_bytes(FIXTURE.read_bytes())
        with h5py.File(fixture, "r+") as file:
            digests = file.attrs["digests"]
            swapped = "0" if digests[-3] != "0" else "1"
            file.attrs["digests"] = digests[:-3] + swapped + digests[-2:]
        self.assert_fails("changed since the fixture was made",
                          fixture=fixture)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/python3
"""activations.h5 of whole runs: what is in it, that every reader of netCDF
opens it, that killing and sharing a run change nothing."""

import os
import random
import shutil
import time

import h5py
import numpy as np
import xarray

import program
from program import run

HOOKS = '"blocks.*.hook_resid_pre", "*.hook_z"'
ENTRIES = [f"{{hooks: [{HOOKS}], run: both}}",
           "{hooks: [blocks.1.attn.hook_pattern, ln_final.hook_scale], positions: [0, end, -2]}",
           "{hooks: blocks.2.mlp.hook_post, run: corrupted, dtype: float16, select: {first: 3}}"]
SWEEP = "{name: z, site: z, by: [layer, head]}"
RECORD = ("{name: resid_pre, site: resid_pre, by: [layer, position], record: "
          "[{hooks: blocks.4.attn.hook_pattern, cells: {layer: [1, 3], position: [2-4]}}, "
          "{hooks: blocks.4.hook_resid_post, positions: [end]}]}")


def arrays(path):
    """{name: (attributes, bytes)} of every variable."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            value = item[()]
            raw = repr(value.tolist()) if value.dtype.kind == "O" else value.tobytes()
            found[name] = (item.shape, item.dtype.str, raw)

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


class Activations(program.ProgramTest):
    """Each test runs small jobs."""

    def write_job(self, name, entries, sweeps=(SWEEP,), n_pairs=10, **options):
        """A job with `activations`."""
        path = self.job(name, n_pairs=n_pairs, sweeps=list(sweeps), **options)
        with open(path, "a", encoding="utf-8") as file:
            if entries:
                file.write("activations:\n" + "".join(f"  - {e}\n" for e in entries))
        return path

    def gathered(self, out):
        """The path of a run's activations.h5."""
        return os.path.join(out, "activations.h5")

    def test_the_file_holds_what_was_asked_for_and_readers_open_it(self):
        out = self.path("out")
        job = self.write_job("job.yaml", ENTRIES, [SWEEP, RECORD])
        self.check(run(["run", job, "-o", out]))
        self.look_at_groups(out)
        for engine in ("h5netcdf", "netcdf4"):
            self.look_with_xarray(out, engine)

    def look_at_groups(self, out):
        """Shapes and some values."""
        with h5py.File(self.gathered(out)) as file:
            self.assertEqual(file.attrs["complete"], 1)
            self.assertEqual(list(file), ["clean", "corrupted", "sweeps"])
            clean = file["clean"]
            self.assertEqual(clean["blocks.4.hook_resid_pre"].shape, (10, 15, 16))
            self.assertEqual(clean["blocks.1.attn.hook_pattern"].shape[2:], (3, 15))
            self.assertEqual([t.decode() for t in clean["dest"][()]], ["0", "end", "-2"])
            pattern = clean["blocks.1.attn.hook_pattern"][()]
            np.testing.assert_allclose(pattern.sum(-1), 1, rtol=1e-5)
            self.assertTrue((pattern[:, :, 0, 1:] == 0).all())
            half = file["corrupted/blocks.2.mlp.hook_post"]
            self.assertEqual(half.dtype, np.float16)
            self.assertTrue(np.isfinite(half[:3]).all())
            self.assertTrue(np.isnan(half[3:]).all())

    def look_with_xarray(self, out, engine):
        """Every group, by itself."""
        for group in ("clean", "corrupted", "sweeps/resid_pre"):
            with xarray.open_dataset(self.gathered(out), group=group, engine=engine) as dataset:
                dataset = dataset.load()
            self.assertTrue(any(c.startswith("token_strings") for c in dataset.coords))
            self.assertEqual(list(dataset["id"].values),
                             [f"p{i}" for i in range(dataset.sizes["pair"])])
        recorded = dataset["blocks.4.attn.hook_pattern"]
        self.assertEqual(recorded.dims, ("pair", "layer", "position", "head", "dest", "src"))
        self.assertEqual(dataset["blocks.4.hook_resid_post"].dims,
                         ("pair", "layer_2", "position_2", "position_3", "d_model"))
        np.testing.assert_allclose(recorded.sum("src"), 1, rtol=1e-5)

    def test_ranks_and_kills_change_nothing(self):
        job = self.write_job("job.yaml", ENTRIES, [SWEEP, RECORD], n_pairs=24)
        whole, shared, killed = (self.path(n) for n in ("whole", "shared", "killed"))
        began = time.monotonic()
        self.check(run(["run", job, "-o", whole]))
        whole_s = time.monotonic() - began
        self.check(run(["run", job, "-o", shared], 2))
        expected = arrays(self.gathered(whole))
        self.assertEqual(arrays(self.gathered(shared)), expected)
        rng = random.Random(1)
        for _ in range(int(os.environ.get("PATCHSWEEP_TEST_KILLS", "20")) // 10 + 1):
            process = program.start(["run", job, "-o", killed, "--sync-seconds", "0.05"], 2)
            time.sleep(rng.uniform(0.1, 1.2 * whole_s))
            program.kill_all(process)
            process.communicate(timeout=program.TIMEOUT)
        self.check(run(["run", job, "-o", killed]))
        self.assertEqual(arrays(self.gathered(killed)), expected)
        self.assert_same_results(whole, killed)
        shutil.rmtree(killed)

    def parts(self, out):
        """The parts that are there."""
        folder = os.path.join(out, "parts")
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def test_the_file_takes_the_place_of_the_parts(self):
        out, other = self.path("out"), self.path("other")
        job = self.write_job("job.yaml", ENTRIES[:1])
        self.check(run(["run", job, "-o", out, "--no-gather"]))
        self.assertEqual(len(self.parts(out)), 2)
        # a gather without the lock leaves the parts
        self.check(run(["gather", out]))
        self.assertEqual(len(self.parts(out)), 2)
        self.check(run(["run", job, "-o", out]))
        self.assertEqual(self.parts(out), [])
        first = arrays(self.gathered(out))
        stamp = os.stat(self.gathered(out)).st_mtime_ns
        self.check(run(["run", job, "-o", out]))
        self.check(run(["gather", out]))
        self.assertEqual(os.stat(self.gathered(out)).st_mtime_ns, stamp)
        # more entries, and pairs before the others that are longer and have
        # another label: what the file held is carried over
        job = self.write_job("more.yaml", ENTRIES, n_pairs=10)
        with open(job, encoding="utf-8") as file:
            text = file.read().replace("pairs:\n", "pairs:\n  - {id: new, clean_tokens: "
                                       f"{list(range(16))}, corrupted_tokens: {list(range(1, 17))}, "
                                       "answer_tokens: 3, wrong_tokens: 4}\n", 1)
        with open(job, "w", encoding="utf-8") as file:
            file.write(text)
        self.check(run(["run", job, "-o", out, "--no-gather"]))
        self.assertGreater(len(self.parts(out)), 2)
        said = self.check(run(["gather", out])).stdout
        self.assertIn("complete", said)
        self.check(run(["run", job, "-o", other]))
        expected = arrays(self.gathered(other))
        self.assertEqual(arrays(self.gathered(out)), expected)
        self.assertNotEqual(first, expected)
        self.check(run(["run", job, "-o", out]))
        self.assertEqual(self.parts(out), [])
        self.assertEqual(arrays(self.gathered(out)), expected)
        # an entry that was left out for a while is computed anew
        fewer = self.write_job("fewer.yaml", ENTRIES[1:])
        self.check(run(["run", fewer, "-o", out, "--accept-change"]))
        with h5py.File(self.gathered(out)) as file:
            self.assertNotIn("blocks.0.hook_resid_pre", file["clean"])
        self.assertIn("computed anew",
                      self.check(run(["run", job, "-o", out, "--accept-change"])).stderr)
        self.assertEqual(arrays(self.gathered(out)), expected)
        # the file is the truth: without it everything is computed anew
        os.remove(self.gathered(out))
        self.assertIn("gone", self.check(run(["gather", out])).stdout)
        with h5py.File(self.gathered(out)) as file:
            self.assertEqual(file.attrs["complete"], 0)
            self.assertTrue(np.isnan(file["clean/blocks.0.hook_resid_pre"][()]).all())
        self.assertIn("computed anew",
                      self.check(run(["run", job, "-o", out, "--accept-change"])).stderr)
        self.assertEqual(arrays(self.gathered(out)), expected)

    def test_a_part_that_cannot_be_written_ends_the_run_and_loses_nothing(self):
        out = self.path("out")
        job = self.write_job("job.yaml", ['{hooks: "*", run: both}'], n_pairs=24)
        os.mkdir(out)
        with open(os.path.join(out, "parts"), "w", encoding="utf-8"):
            pass  # no folder: parts cannot be made
        done = run(["run", job, "-o", out, "--no-gather"])
        self.check(done, 1)
        self.assertRegex(done.stderr, r"rank 0 .*/parts is not a folder")
        n_units = len(program.units(program.read_journal(out)))
        self.assertGreater(n_units, 0)
        os.remove(os.path.join(out, "parts"))
        self.check(run(["run", job, "-o", out]))
        records = program.read_journal(out)
        self.assertEqual(len(program.units(records)), len(set(program.units(records))))
        self.assertEqual(program.units(records, "failure"), [])
        with h5py.File(self.gathered(out)) as file:
            self.assertEqual(file.attrs["complete"], 1)

    def test_a_part_that_is_gone_is_computed_anew_and_damage_is_told(self):
        out = self.path("out")
        job = self.write_job("job.yaml", ENTRIES[:2])
        self.check(run(["run", job, "-o", out, "--no-gather"]))
        self.check(run(["gather", out]))
        expected = arrays(self.gathered(out))
        part = os.path.join(out, "parts", self.parts(out)[0])
        os.remove(part)
        self.check(run(["gather", out]))
        self.assertNotEqual(arrays(self.gathered(out)), expected)
        self.assertIn("computed anew",
                      self.check(run(["run", job, "-o", out, "--no-gather"])).stderr)
        self.check(run(["gather", out]))
        self.assertEqual(arrays(self.gathered(out)), expected)
        with open(part, "r+b") as file:
            file.seek(200)
            file.write(b"x")
        said = self.check(run(["gather", out]), 1).stderr
        self.assertIn("damaged at offset", said)
        self.assertIn("activations.h5 is left as it was", said)
        os.remove(part)
        self.check(run(["run", job, "-o", out]))
        self.assertEqual(arrays(self.gathered(out)), expected)


if __name__ == "__main__":
    program.main()

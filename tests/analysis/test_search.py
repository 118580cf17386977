#!/usr/bin/python3
"""The search by stages, in a network built so that chosen neurons alone matter."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import tempfile
import unittest
import unittest.mock

import h5py
import numpy as np

import made
from patchsweep.__main__ import main
from patchsweep.search import Group, best, expand, parts
from test_importance import JOB, build

OPTIONS = ["--groups", "5", "--split", "10", "--top", "3", "--program", made.PROGRAM]
LAUNCHER = f"{os.environ.get('PATCHSWEEP_MPIEXEC', 'mpirun')} -n 2"


class Parts(unittest.TestCase):
    """Lists of components."""

    def test_ranges_expand_and_split(self):
        self.assertEqual(expand(["L8N0-2", "L10H11"]),
                         ["L8N0", "L8N1", "L8N2", "L10H11"])
        self.assertEqual(parts(list("abcdefg"), 3), [list("abc"), list("de"), list("fg")])
        self.assertEqual(parts(["a", "b"], 4), [["a"], ["b"]])

    def test_the_best_are_not_split_and_ties_stay_in_order(self):
        groups = [Group(["a"], 1, 0), Group(["b"], 3, 0, is_split=True),
                  Group(["c"], 1, 0), Group(["d"], 2, 0)]
        self.assertEqual([g.components for g in best(groups, 2)], [["d"], ["a"]])


class Search(unittest.TestCase):
    """The whole way."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="patchsweep-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        job = JOB.format(model=build(os.path.join(cls.folder, "model")))
        cls.job = os.path.join(cls.folder, "job.yaml")
        with open(cls.job, "w", encoding="utf-8") as file:
            file.write(job)
        cls.checked, cls.said = cls.search("whole", "--check")
        cls.whole = {key: part for key, part in cls.checked.items() if key != "check"}

    @classmethod
    def search(cls, out, *more):
        said = io.StringIO()
        path = os.path.join(cls.folder, out)
        with contextlib.redirect_stdout(said):
            status = main(["search", cls.job, "-o", path, *OPTIONS, *more])
        if status:
            raise AssertionError(said.getvalue())
        with open(os.path.join(path, "search.json"), encoding="utf-8") as file:
            return json.load(file), said.getvalue()

    def values(self, out):
        with h5py.File(os.path.join(self.folder, out, "results.h5")) as file:
            return {name: sweep["logit_diff"][()].tobytes()
                    for name, sweep in file["sweeps"].items() if name != "every_component"}

    def test_it_finds_what_matters_and_says_what_it_spent(self):
        found, said = self.checked, self.said
        names = [f["component"] for f in found["found"]]
        # group 1 of 8, neurons 7 to 13 of layer 1, writes most strongly
        self.assertTrue(set(names) <= {f"L1N{k}" for k in range(7, 14)}, names)
        self.assertEqual(found["cells"], sum(s["cells"] for s in found["stages"]))
        self.assertLess(found["cells"], found["cells_of_every_component"])
        self.assertEqual(found["cells_of_every_component"], 3 * 50 * 3)
        self.assertEqual(found["check"]["cells"], 3 * 50 * 3)
        ranks = found["check"]["ranks_of_found"]
        missed = [m["rank"] for m in found["check"]["missed"]]
        self.assertEqual(sorted([r for r in ranks.values() if r <= 3] + missed),
                         [1, 2, 3])
        self.assertIn("cells of the 450", said)
        # each found number is that of the full sweep
        with h5py.File(os.path.join(self.folder, "whole", "results.h5")) as file:
            every = file["sweeps/every_component/logit_diff_effect"][()]
            for row in found["found"]:
                value = -every[:, 1, int(row["component"][3:])].mean()
                np.testing.assert_allclose(row["damage"], value, atol=1e-5)

    def test_ranks_do_not_show(self):
        two, _ = self.search("two", "--launcher", LAUNCHER)
        self.assertEqual(two, self.whole)
        self.assertEqual(self.values("two"), self.values("whole"))

    def test_a_stopped_search_goes_on(self):
        out = os.path.join(self.folder, "one")
        real, starts = subprocess.run, []

        def dies_at_the_second(command, **options):
            starts.append(command)
            if len(starts) == 2:
                return subprocess.CompletedProcess(command, 75)
            return real(command, **options)

        with unittest.mock.patch("patchsweep.search.subprocess.run", dies_at_the_second), \
                contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertEqual(main(["search", self.job, "-o", out, *OPTIONS]), 2)
        self.assertIn("give the same command again", said.getvalue())
        self.assertEqual(self.search("one")[0], self.whole)
        self.assertEqual(self.values("one"), self.values("whole"))
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertEqual(main(["search", self.job, "-o", out, *OPTIONS, "--groups",
                                   "6"]), 2)
        self.assertIn("holds another search, whose sweep 1", said.getvalue())


if __name__ == "__main__":
    unittest.main(verbosity=2)

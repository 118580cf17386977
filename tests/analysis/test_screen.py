"""Screening: estimates, the cells picked from them, and what was missed."""

import contextlib
import io
import os
import subprocess
import tempfile
import unittest

import numpy as np

import made
import patchsweep
from patchsweep import screen
from patchsweep.__main__ import main

JOB = """\
title: screening
model: {model}
prepend_bos: false
metrics: [logit_diff]
pairs:
{pairs}
sweeps:
  - {{name: guess, site: mlp_post, by: [layer, neuron], method: attribution}}
  - {{name: all, site: mlp_post, by: [layer, neuron]}}
"""
EXACT = "  - {{name: exact, site: mlp_post, index: {}}}\n"


class Screening(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.out = os.path.join(cls.folder.name, "out")
        cls.index = os.path.join(cls.folder.name, "cells.csv")
        model = os.path.join(made.ROOT, "tests", "parity", "models", "odd")
        job = JOB.format(model=model, pairs=made.pairs())
        made.run_job(job, cls.out)
        cls.said = io.StringIO()
        with contextlib.redirect_stdout(cls.said):
            assert main(["pick", cls.out, "guess", "-n", "20", "--sample", "30",
                         "-o", cls.index]) == 0
        again = os.path.join(cls.out, "again.yaml")
        with open(again, "w", encoding="utf-8") as file:
            file.write(job + EXACT.format(cls.index))
        # the same output folder: what is there is not run again
        made.subprocess.run([made.PROGRAM, "run", again, "-o", cls.out], check=True,
                            capture_output=True)
        cls.results = patchsweep.open(cls.out)

    @classmethod
    def tearDownClass(cls):
        cls.results.close()
        cls.folder.cleanup()

    def test_the_strongest_are_picked_and_others_by_lot(self):
        self.assertIn("the 20 strongest of 150 cells and 30 of the others",
                      self.said.getvalue())
        guess = np.abs(patchsweep.mean(self.results["guess"], kind="effect"))
        table = screen.pick(self.results["guess"], 20, sample=30)
        flat = np.sort(guess.values.reshape(-1))
        top = table[table["reason"] == "top"]
        np.testing.assert_array_equal(np.sort(top["strength"]), flat[-20:])
        self.assertEqual(len(table.drop_duplicates(["layer", "neuron"])), 50)
        with open(self.index, encoding="utf-8") as file:
            self.assertEqual(file.readline(), "layer,neuron\n")
        many = screen.pick(self.results["guess"], threshold=float(flat[-7]))
        self.assertEqual(len(many), 7)

    def test_estimates_are_marked_and_the_picked_cells_are_exact(self):
        guess, exact, whole = (self.results[name] for name in ("guess", "exact", "all"))
        self.assertTrue((guess["status"].values[guess["status"].values != 2] == 7).all())
        for i in range(exact.sizes["cell"]):
            cell = whole.sel(layer=exact["layer"][i], neuron=exact["neuron"][i])
            np.testing.assert_allclose(exact["logit_diff"][:, i], cell["logit_diff"],
                                       atol=1e-5)

    def test_what_was_missed_is_told_from_the_lot(self):
        guess, exact = self.results["guess"], self.results["exact"]
        found = screen.check(guess, exact, k=10)
        strength = np.abs(patchsweep.mean(self.results["all"],
                                          kind="effect").values.reshape(-1))
        truth = np.sort(np.abs(patchsweep.mean(exact, kind="effect").values))
        self.assertEqual((found["cells"], found["run"], found["drawn"]), (150, 50, 30))
        self.assertAlmostEqual(found["strong"], truth[-10], places=6)
        # every neuron was run too: the bound holds for the truth
        missed = (strength >= found["strong"] * (1 + 1e-4)).sum() - 10
        self.assertLessEqual(missed, found["missed_most"])
        self.assertGreater(found["correlation"], 0.5)
        self.assertLessEqual(found["recall_least"], found["recall"])

    def test_no_more_cells_are_strong_than_were_picked(self):
        found = screen.check(self.results["guess"], self.results["exact"])
        truth = np.sort(np.abs(patchsweep.mean(self.results["exact"],
                                               kind="effect").values))
        self.assertAlmostEqual(found["strong"], truth[-20], places=6)

    def test_the_program_calls_estimates_so(self):
        said = {name: subprocess.run([made.PROGRAM, "top", self.out, name], check=True,
                                     capture_output=True, text=True).stdout
                for name in ("guess", "exact")}
        self.assertIn("(estimated to first order, not run)", said["guess"])
        self.assertNotIn("estimated", said["exact"])

    def test_the_upper_bound_is_clopper_and_pearsons(self):
        # 0 of 30: 1 - 0.05^(1/30); 3 of 50: scipy.stats.beta.ppf(0.95, 4, 47)
        self.assertAlmostEqual(screen._most_likely_missed(0, 30, 1000)[1],
                               1000 * (1 - 0.05 ** (1 / 30)), places=6)
        self.assertAlmostEqual(screen._most_likely_missed(3, 50, 1)[1], 0.147839,
                               places=5)
        self.assertEqual(screen._most_likely_missed(5, 5, 7), (7, 7))

    def test_check_is_a_command(self):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            self.assertEqual(main(["check", self.out, "guess", "exact", "-n", "10"]), 0)
        self.assertIn("recall_least", said.getvalue())

    def test_mistakes_are_told(self):
        with self.assertRaisesRegex(patchsweep.ResultsError, "not both"):
            screen.pick(self.results["guess"])
        with self.assertRaisesRegex(patchsweep.ResultsError, "not estimated"):
            screen.check(self.results["guess"].isel(layer=[0]), self.results["exact"])


if __name__ == "__main__":
    unittest.main()

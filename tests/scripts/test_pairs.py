"""scripts/pairs.py: every kind of pairs, run by the program on the demo model."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

import h5py
import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPT = os.path.join(ROOT, "scripts", "pairs.py")
DEMO = os.path.join(ROOT, "models", "demo")
PROGRAM = os.environ["PATCHSWEEP"]
JOB = """\
model: {model}
prepend_bos: {bos}
pairs: pairs.jsonl
metrics: {metrics}
sweeps:
  - {{name: here, site: resid_pre, by: [layer, label], layers: [0], labels: {labels},
     label_positions: each{more}}}
"""


class Pairs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def make(self, *arguments):
        """The pairs, and their file beside a job."""
        done = subprocess.run([sys.executable, SCRIPT, *arguments],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.write("pairs.jsonl", done.stdout)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def run_job(self, labels="[end]", metrics="[logit_diff]", bos="false", more=""):
        path = self.write("job.yaml", JOB.format(
            model=DEMO, labels=labels, metrics=metrics, bos=bos, more=more))
        out = tempfile.mkdtemp(dir=self.folder)
        done = subprocess.run([PROGRAM, "run", path, "-o", out],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return h5py.File(os.path.join(out, "results.h5"))

    def test_facts_of_rome_are_noised_at_their_subject(self):
        facts = [{"known_id": 3, "subject": "Eiffel Tower", "attribute": "Paris",
                  "template": "The {} is located in", "prediction": " Paris.",
                  "prompt": "The Eiffel Tower is located in", "relation_id": "P131"}]
        pairs = self.make("rome", self.write("known.json", json.dumps(facts)))
        self.assertEqual(pairs, [
            {"id": "known-3", "group": "P131", "subject": "Eiffel Tower",
             "clean": "The Eiffel Tower is located in", "answer": "predicted",
             "attribute": "Paris"}])
        with self.run_job(labels="[subject_last]", metrics="[prob]",
                          more=", base: noised, noise: {samples: 2}") as file:
            self.assertGreater(file["baseline/prob"][0, 0], 0.5)
            self.assertEqual(file["sweeps/here/prob"].shape, (1, 2, 1, 1))

    def test_a_fact_without_its_subject_is_refused(self):
        path = self.write("known.json", json.dumps(
            [{"known_id": 3, "subject": "Rome", "attribute": "x", "prompt": "The"}]))
        done = subprocess.run([sys.executable, SCRIPT, "rome", path],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("fact 3: the prompt lacks the subject 'Rome'", done.stderr)

    def test_eap_ig_with_answers_as_ids(self):
        path = self.write("ioi.csv", """\
,clean,corrupted,corrupted_hard,correct_idx,incorrect_idx
4,"When Tom and Mary met, Tom said to","When Tom and Mary met, John said to",\
"When Tom and Mary met, Mary said to",5335,4186
""")
        pair, = self.make("eap-ig", path)
        self.assertEqual((pair["answer_tokens"], pair["wrong_tokens"]), (5335, 4186))
        self.assertIn(", John said", pair["corrupted"])
        pair, = self.make("eap-ig", path, "--corrupted", "corrupted_hard")
        self.assertIn(", Mary said", pair["corrupted"])
        with self.run_job() as file:
            self.assertTrue(np.isfinite(file["baseline/logit_diff"][()]).all())

    def test_eap_ig_with_lists_of_answers(self):
        pair, = self.make("eap-ig", self.write(
            "h.csv", "clean,corrupted,answers_idx,corrupted_answers_idx\n"
            'a b,a c,"[5, 6]","[7]"\n'))
        self.assertEqual((pair["answer_tokens"], pair["wrong_tokens"]), ([5, 6], [7]))

    def test_eap_ig_with_years(self):
        pairs = self.make("eap-ig", self.write("g.csv", """\
clean,corrupted,label
The plan lasted from the year 1642 to the year 16,The plan lasted from the year \
1601 to the year 16,42
The effect lasted from the year 1604 to the year 16,The effect lasted from the \
year 1601 to the year 16,4
"""))
        self.assertEqual(pairs[1]["wrong"], ["00", "01", "02", "03", "04"])
        self.assertEqual(len(pairs[0]["answer"]), 57)
        with self.run_job(metrics="[prob_diff]") as file:
            self.assertGreater(file["baseline/prob_diff"][0, 0], 0.2)

    def test_other_columns_are_refused(self):
        done = subprocess.run(
            [sys.executable, SCRIPT, "eap-ig", self.write("x.csv", "clean,b\n1,2\n")],
            capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("found the columns clean, b, expected clean, corrupted and",
                      done.stderr)

    def test_a_program_that_is_not_there_is_named(self):
        done = subprocess.run(
            [sys.executable, SCRIPT, "ioi", "-n", "1", "--model", "m", "--program",
             "no-such-program"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot start no-such-program", done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_ioi_is_labelled_where_the_names_stand(self):
        for corrupted in ("abc", "third", "swap"):
            pairs = self.make("ioi", "-n", "24", "--model", DEMO, "--program", PROGRAM,
                              "--corrupted", corrupted)
            with self.run_job(labels="[IO, S1, S1+1, S2, END]", bos="true") as file:
                words = file["pairs/token_strings"].asstr()[()]
                at = file["pairs/label_positions"][()]
                names = list(file["pairs/label"].asstr()[()])
                diff = file["baseline/logit_diff"][()]
                lengths = file["pairs/n_tokens"][()]
            self.assertTrue((lengths[:, 0] == lengths[:, 1]).all())
            self.assertGreater(np.mean(diff[0] > 0), 0.8)
            for i, pair in enumerate(pairs):
                def word(label, run=0, i=i):
                    return words[i, run, at[i, names.index(label), run, 0]]

                self.assertEqual(word("IO"), pair["answer"])
                self.assertEqual(word("S1"), pair["wrong"])
                self.assertEqual(word("S2"), pair["wrong"])
                self.assertEqual(word("END"), " to")
                self.assertEqual(pair["group"] == "ABBA", word("S1+1") != " and")
                changed = {label for label in ("IO", "S1", "S1+1", "S2", "END")
                           if word(label) != word(label, 1)}
                self.assertEqual(changed, {"IO", "S1", "S2"} if corrupted == "abc"
                                 else {"S2"})
                if corrupted == "swap":
                    self.assertEqual(word("S2", 1), pair["answer"])
            self.assertEqual({pair["group"] for pair in pairs}, {"ABBA", "BABA"})
            self.assertGreater(len({pair["cluster"] for pair in pairs}), 4)

    def test_greater_than_has_years_of_two_tokens(self):
        pairs = self.make("greater-than", "-n", "12", "--model", DEMO, "--program",
                          PROGRAM)
        with self.run_job(labels="[YY]", metrics="[prob_diff]") as file:
            words = file["pairs/token_strings"].asstr()[()]
            at = file["pairs/label_positions"][:, -1, :, 0]
            lengths = file["pairs/n_tokens"][()]
            self.assertGreater(file["baseline/prob_diff"][0].mean(), 0.2)
        self.assertTrue((lengths == lengths[0, 0]).all())
        for i, pair in enumerate(pairs):
            self.assertEqual(words[i, 0, at[i, 0]], pair["wrong"][-1])
            self.assertEqual(words[i, 1, at[i, 1]], "01")
            self.assertEqual(len(pair["answer"]) + len(pair["wrong"]), 100)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/python3
"""`patchsweep verify`: right and wrong numbers, models that are refused, faults of a
file of checks, and the program's own checks, read on a random model."""

import json
import os
import re
import shutil
import unittest

import h5py
import numpy as np

from program import ROOT, ProgramTest, main, run

MODELS = os.path.join(ROOT, "tests", "parity", "models")
DEEP = os.path.join(MODELS, "deep")
STAND_IN = os.path.join(ROOT, "tests", "cli", "verify")
OWN = os.path.join(ROOT, "verify")
SANITIZED = os.environ.get("PATCHSWEEP_TEST_SANITIZED") == "1"  # MPI starts slowly
LINE = re.compile(r"(ok|FAIL|differs) +(.*?) {2,}(\d+) +(\S+) +(\S+) +(\S+) +(\S+)  (.*)")
SIZES = {"n_layer": 12, "n_head": 12, "n_embd": 24, "n_inner": 16, "n_positions": 256,
         "vocab_size": 50257}


def lines(process):
    """{check: (word, count, expected, found, place)} of what was printed."""
    found = {}
    for line in process.stdout.splitlines():
        match = LINE.fullmatch(line)
        if match:
            word, name, count, expected, value, _, _, place = match.groups()
            found[name] = word, int(count), float(expected), float(value), place
    return found


def write_random_model(folder):
    """GPT-2's layers, heads and tokenizer, everything else small; weights that numpy
    draws, in the safetensors format."""
    os.makedirs(folder)
    for name in "vocab.json", "merges.txt":
        os.symlink(os.path.join(ROOT, "models", "demo", name), os.path.join(folder, name))
    config = {"model_type": "gpt2", "activation_function": "gelu_new",
              "bos_token_id": 50256, **SIZES}
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)
    width, inner = SIZES["n_embd"], SIZES["n_inner"]
    shapes = {"wte.weight": (SIZES["vocab_size"], width),
              "wpe.weight": (SIZES["n_positions"], width),
              "ln_f.weight": (width,), "ln_f.bias": (width,)}
    for layer in range(SIZES["n_layer"]):
        for name, shape in {
                "ln_1.weight": (width,), "ln_1.bias": (width,),
                "attn.c_attn.weight": (width, 3 * width), "attn.c_attn.bias": (3 * width,),
                "attn.c_proj.weight": (width, width), "attn.c_proj.bias": (width,),
                "ln_2.weight": (width,), "ln_2.bias": (width,),
                "mlp.c_fc.weight": (width, inner), "mlp.c_fc.bias": (inner,),
                "mlp.c_proj.weight": (inner, width), "mlp.c_proj.bias": (width,)}.items():
            shapes[f"h.{layer}.{name}"] = shape
    random, header, data = np.random.RandomState(3), {}, b""
    for name, shape in shapes.items():
        value = 0.4 * random.standard_normal(shape) + ("ln" in name and "weight" in name)
        start = len(data)
        data += value.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, len(data)]}
    head = json.dumps(header).encode()
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(len(head).to_bytes(8, "little") + head + data)
    return folder


class VerifyTest(ProgramTest):
    """Each test's runs are in its own folder."""

    def verify(self, model, checks, *options, status=0, ranks=0):
        """The finished process and its lines."""
        environment = {**os.environ, "TMPDIR": self.folder}
        process = self.check(run(["verify", model, "--checks", checks, *options], ranks,
                                 env=environment), status)
        return process, lines(process)

    def changed(self, change, source=STAND_IN):
        """A folder of checks whose checks.yaml is changed(text)."""
        folder = self.path("checks")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder)
        path = os.path.join(folder, "checks.yaml")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        new = change(text).replace("file: job.yaml", f"file: {STAND_IN}/job.yaml")
        self.assertNotEqual(new, text)
        with open(path, "w", encoding="utf-8") as file:
            file.write(new)
        return folder

    def test_right_numbers_pass_on_any_number_of_ranks(self):
        """Every check of TransformerLens' numbers passes; -o keeps the runs."""
        process, found = self.verify(DEEP, STAND_IN, "-o", self.path("out"), ranks=2)
        self.assertEqual(len(found), 17)
        self.assertEqual({word for word, *_ in found.values()}, {"ok"})
        self.assertIn("the published file", process.stdout)
        self.assertIn("17 passed, 0 failed", process.stdout)
        self.assertEqual(found["z by head and then position"][1], 80)
        if SANITIZED:
            return
        one = self.verify(DEEP, STAND_IN)
        self.assertEqual(one[0].stdout, process.stdout)
        again = self.verify(DEEP, STAND_IN, "-o", self.path("out"))
        self.assertEqual(again[0].stdout, process.stdout)
        self.assertEqual(again[0].stderr.count("resuming: 10 of 10 units are done"), 2)

    def test_a_wrong_number_is_reported(self):
        """Exit status 4, both values, which of the numbers it is; nothing is left."""
        process, found = self.verify(DEEP, os.path.join(STAND_IN, "wrong"), status=4)
        self.assertEqual({name: line[0] for name, line in found.items()},
                         {"right": "ok", "wrong": "FAIL", "wrong but only told": "differs"})
        _, _, expected, value, place = found["wrong"]
        self.assertEqual((expected, place), (-0.0685851, "pair 1"))
        self.assertAlmostEqual(value, -0.06828507, delta=1e-6)
        self.assertIn("not the published file", process.stdout)
        self.assertIn("1 of 3 checks failed", process.stderr)
        self.assertEqual(os.listdir(self.folder), [])

    @unittest.skipIf(SANITIZED, "as the others, but for the numbers")
    def test_every_check_can_fail(self):
        """With all expected numbers moved by a hundredth each check of values fails."""
        folder = self.changed(lambda text: text.replace("expected: [0.", "expected: [0.1"))
        path = os.path.join(folder, "expected.json")

        def move(value):
            return [move(item) for item in value] if isinstance(value, list) else value + 0.01

        with open(path, encoding="utf-8") as file:
            moved = {key: move(value) for key, value in json.load(file).items()}
        with open(path, "w", encoding="utf-8") as file:
            json.dump(moved, file)
        _, found = self.verify(DEEP, folder, status=4)
        self.assertEqual({word for word, *_ in found.values()}, {"FAIL"})

    def test_another_model_is_refused(self):
        """Exit status 2 with the size that differs; nothing is run or made."""
        out = self.path("out")
        process, found = self.verify(os.path.join(MODELS, "odd"), STAND_IN, "-o", out, status=2)
        self.assertIn("is not the model deep: its n_layer is 3, expected 5", process.stderr)
        demo = self.check(run(["verify", os.path.join(ROOT, "models", "demo"), "-o", out]), 2)
        self.assertIn("is not GPT-2 small: its d_model is 120, expected 768", demo.stderr)
        self.assertEqual(process.stdout + demo.stdout, "")
        self.assertFalse(found or os.path.exists(out))
        missing = self.check(run(["verify", self.path("none"), "-o", out]), 2)
        self.assertIn("none/config.json", missing.stderr)

    def test_a_fault_of_the_file_is_named(self):
        """A sentence with the check and what was expected; exit status 2."""
        faults = [
            ("tolerance: 1e-4,", "tolerances: 1e-4,", "a check: unknown key tolerances"),
            ("tolerance: 1e-4,", "tolerance: none,", "check clean prompts: tolerance"),
            ("source: tl,", "source: lt,", "check clean prompts: sources has no text lt"),
            ("job: raw,", "job: rare,", "check clean prompts: there is no job rare"),
            ("at: clean}", "at: clear}", "expected.json has no clear"),
            ("{file: expected.json, at: clean}", "[1, two, 3]", "expected numbers in lists"),
            ("jobs:", "job:", "the file: unknown key job"),
            ("{run: clean}", "{walk: clean}", "has no axis walk; it has: run, pair"),
            ("{file: expected.json, at: clean}", "[1, 2]",
             "check clean prompts: 2 numbers are expected, but 3 were picked"),
            ("  raw: {file: job.yaml}", "  ..: {file: job.yaml}", "must do for a folder"),
            ("n_layer: 5", "n_layers: 5", "model.config: n_layers"),
        ]
        for old, new, sentence in faults:
            with self.subTest(new):
                folder = self.changed(lambda text, old=old, new=new: text.replace(old, new, 1))
                process, _ = self.verify(DEEP, folder, status=2)
                self.assertIn(sentence, process.stderr)
        process = self.check(run(["verify", DEEP, "--checks", self.path("none")]), 2)
        self.assertIn("none/checks.yaml", process.stderr)

    @unittest.skipIf(SANITIZED, "takes minutes under the sanitizers")
    def test_the_programs_own_checks_find_their_numbers(self):
        """On a random model with GPT-2's layers and heads: every check of verify/ is
        compared (and fails), and TransformerLens' arrays are zero where ours are:
        where follows from the prompts alone, so their axes are in our order."""
        model, out = write_random_model(self.path("model")), self.path("out")

        def change(text):
            with open(os.path.join(model, "config.json"), encoding="utf-8") as file:
                config = json.load(file)
            for key, name in (("d_model", "n_embd"), ("d_mlp", "n_inner"), ("n_ctx", "n_positions")):
                text = re.sub(rf"{key}: \d+", f"{key}: {config[name]}", text, count=1)
            return re.sub(r"d_mlp: (2744|1063|2193)", "d_mlp: 7", text)

        os.symlink(os.path.join(ROOT, "jobs"), self.path("jobs"))
        folder = self.changed(change, OWN)
        process, found = self.verify(model, folder, "-o", out, status=4)
        with open(os.path.join(OWN, "checks.yaml"), encoding="utf-8") as file:
            names = re.findall(r'- name: "(.*)"', file.read())
        self.assertEqual(sorted(found), sorted(names))
        passed = [name for name, (word, *_) in found.items() if word == "ok"]
        self.assertTrue(all(name.endswith("its smallest") for name in passed),
                        passed)  # near the least value of GELU, as of any neuron
        self.assertIn("not the published file", process.stdout)
        with h5py.File(os.path.join(out, "ioi", "results.h5")) as results:
            for cell, trace, sweep in [("cell28_03", 0, "resid_pre"), ("cell28_03", 1, "attn_out"),
                                       ("cell31_05", 0, "z_by_position"),
                                       ("cell31_05", 2, "k_by_position"),
                                       ("cell31_05", 4, "pattern_by_dest")]:
                with open(os.path.join(OWN, f"ht2024_actpatch_{cell}.json"),
                          encoding="utf-8") as file:
                    published = np.array(json.load(file)["traces"][trace]["z"])
                ours = results[f"sweeps/{sweep}/logit_diff_recovered_overall"][()]
                if ours.ndim == 3:  # rows of layer and head, columns of positions
                    ours = ours if sweep == "pattern_by_dest" else ours.swapaxes(1, 2)
                    ours = ours.reshape(144, 15)
                self.assertGreater((published == 0).sum(), 100)
                # a cell may happen to be zero in float32
                self.assertLessEqual(((published == 0) != (ours == 0)).sum(), 5, sweep)


if __name__ == "__main__":
    main()

"""analysis/heatmap.py on small results.h5 files laid out as docs/files.md says."""

import contextlib
import io
import os
import sys
import tempfile
import unittest

import h5py
import numpy as np

TESTS = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(TESTS, "..", "..", "analysis"))
import heatmap  # noqa: E402  (found by the line above)


def write_sweep(results, name, arrays, scales):
    """arrays: name -> (axes, values); scales: axis -> coordinate values."""
    group = results.require_group("sweeps").create_group(name)
    for axis, values in scales.items():
        if isinstance(values[0], str):
            group.create_dataset(axis, data=np.array(values, dtype=object),
                                 dtype=h5py.string_dtype())
        else:
            group.create_dataset(axis, data=np.array(values, dtype="i4"))
        group[axis].make_scale(axis)
    for array, (axes, values) in arrays.items():
        if isinstance(values, list):
            group.create_dataset(array, data=np.array(values, dtype=object),
                                 dtype=h5py.string_dtype())
        else:
            group.create_dataset(array, data=values)
        for number, axis in enumerate(axes):
            group[array].dims[number].attach_scale(group[axis])
    return group


class Heatmap(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.path = os.path.join(folder.name, "results.h5")
        self.picture = os.path.join(folder.name, "map.png")
        values = np.zeros((2, 3, 4), dtype="f4")
        values[0, 2, 1] = 1.0
        values[1, 0, 3] = np.nan
        scales = {"pair": [0, 1], "layer": [0, 1, 2], "position": [0, 1, 2, 3]}
        with h5py.File(self.path, "w") as results:
            results.attrs["title"] = "costs $5 and $6"
            results.attrs["banner"] = "demo model: numbers mean nothing"
            write_sweep(results, "resid_post", {
                "logit_diff": (("pair", "layer", "position"), values + 7),
                "logit_diff_recovered": (("pair", "layer", "position"), values),
                "logit_diff_recovered_overall": (("layer", "position"), values[0] / 2),
                "token_clean": (("pair", "position"),
                                [["The", " $a", " b", " c"]] * 2),
            }, scales)
            z = np.arange(2 * 3 * 4 * 2, dtype="f4").reshape(2, 3, 4, 2)
            write_sweep(results, "z", {
                "prob_effect": (("pair", "layer", "position", "head"), z),
            }, dict(scales, head=[0, 1]))
            write_sweep(results, "noised", {
                "prob_effect": (("pair", "sample", "layer", "label"),
                                np.array([[[[1, 2]], [[3, 6]]]], dtype="f4")),
            }, {"pair": [0], "sample": [0, 1], "layer": [5],
                "label": ["S1", "end"]})

            write_sweep(results, "some", {
                "prob": (("pair", "layer"), np.array([[0, 0], [5, 6]], dtype="f4")),
            }, {"pair": [4, 7], "layer": [0, 1]})

    def run_main(self, *arguments):
        said, complaint = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complaint):
            status = heatmap.main([self.folder, "-o", self.picture, *arguments])
        return status, said.getvalue(), complaint.getvalue()

    def drawn(self, *arguments):
        """What reaches the drawing: its values, rows and columns."""
        kept = {}

        def keep(values, rows, row_label, columns, *rest):
            kept.update(values=values, rows=rows, columns=columns)

        draw, heatmap.draw = heatmap.draw, keep
        try:
            status, _, complaint = self.run_main(*arguments)
        finally:
            heatmap.draw = draw
        self.assertEqual(status, 0, complaint)
        return kept

    def test_writes_a_picture_and_says_where(self):
        status, said, complaint = self.run_main("--sweep", "resid_post")
        self.assertEqual(status, 0, complaint)
        self.assertIn(self.picture, said)
        with open(self.picture, "rb") as picture:
            self.assertEqual(picture.read(8), b"\x89PNG\r\n\x1a\n")

    def test_rows_are_layers_from_the_top_and_columns_are_tokens(self):
        kept = self.drawn("--sweep", "resid_post", "--pair", "0")
        self.assertEqual(kept["rows"], ["L0", "L1", "L2"])
        self.assertEqual(kept["columns"],
                         ["'The' 0", "' $a' 1", "' b' 2", "' c' 3"])
        self.assertEqual(kept["values"][2, 1], 1.0)
        self.assertEqual(np.count_nonzero(kept["values"]), 1)

    def test_all_pairs_are_drawn_by_their_ratio_of_means(self):
        kept = self.drawn("--sweep", "resid_post")
        self.assertEqual(kept["values"][2, 1], 0.5)
        self.assertEqual(kept["columns"], ["0", "1", "2", "3"])

    def test_a_named_array_is_drawn_as_it_is(self):
        kept = self.drawn("--sweep", "resid_post", "--metric", "logit_diff",
                          "--pair", "1")
        self.assertEqual(kept["values"][0, 0], 7)
        self.assertTrue(np.isnan(kept["values"][0, 3]))

    def test_other_axes_are_flattened_into_rows(self):
        kept = self.drawn("--sweep", "z")
        self.assertEqual(kept["rows"],
                         ["L0H0", "L0H1", "L1H0", "L1H1", "L2H0", "L2H1"])
        # layer 1, position 2, head 1 of pair 0
        self.assertEqual(kept["values"][3, 2], (1 * 4 + 2) * 2 + 1)

    def test_samples_are_averaged_and_labels_named(self):
        kept = self.drawn("--sweep", "noised")
        self.assertEqual(kept["columns"], ["S1", "end"])
        self.assertEqual(kept["rows"], ["L5"])
        np.testing.assert_array_equal(kept["values"], [[2, 4]])

    def test_a_pair_is_named_by_its_number_in_the_job(self):
        kept = self.drawn("--sweep", "some", "--pair", "7")
        np.testing.assert_array_equal(kept["values"], [[5, 6]])

    def test_mistakes_are_told_in_a_sentence(self):
        for arguments, words in (
                (["--sweep", "resid"], "no sweep resid; there are noised, resid_post, some, z"),
                ([], "several sweeps: name one by --sweep"),
                (["--sweep", "z", "--metric", "kl"], "no array kl; there are prob_effect"),
                (["--sweep", "z", "--pair", "2"], "/sweeps/z has no pair 2; it has 0, 1"),
                (["--sweep", "some", "--pair", "0"], "/sweeps/some has no pair 0")):
            status, _, complaint = self.run_main(*arguments)
            self.assertEqual(status, 2)
            self.assertIn(words, complaint)

    def test_a_folder_without_results_is_an_error(self):
        status = heatmap.main([os.path.join(self.folder, "none")])
        self.assertEqual(status, 2)


if __name__ == "__main__":
    unittest.main()

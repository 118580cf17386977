"""Figures in plotly by the arrays that are drawn: those of matplotlib's, and of the
file."""

import unittest

import numpy as np

import made
import patchsweep
from patchsweep import figures, interactive, specs


def grid(trace):
    """The array of a map, NaN where nothing is drawn."""
    return np.array(trace.z, dtype=float)


class Interactive(unittest.TestCase):
    def setUp(self):
        self.results = made.opened()

    def test_maps_draw_what_figures_made(self):
        for name in ("resid_pre", "z", "z_by_position", "pattern", "by_name", "knocked"):
            for pair in (None, 4):
                shown = figures.of_sweep(self.results[name], pair=pair)
                trace = interactive.draw(self.results[name], pair=pair).data[0]
                np.testing.assert_allclose(grid(trace), shown.grid, rtol=1e-5)
                self.assertEqual((list(trace.x), list(trace.y)),
                                 (shown.columns, shown.rows))

    def test_a_map_is_the_mean_of_the_file_and_diverges_from_zero(self):
        figure = interactive.layer_head(self.results["z"], kind="effect")
        stored = self.results["z"]["logit_diff_effect_overall"].values
        trace = figure.data[0]
        np.testing.assert_allclose(grid(trace), stored, rtol=1e-4, atol=1e-6)
        self.assertEqual(trace.zmin, -trace.zmax)
        self.assertAlmostEqual(trace.zmax, float(np.abs(stored).max()), places=5)
        self.assertEqual(figure.layout.yaxis.autorange, "reversed")
        blue, middle, red = (trace.colorscale[at][1] for at in (0, 5, 10))
        self.assertEqual((blue, middle, red), ("#053061", "#f7f7f7", "#67001f"))

    def test_cells_without_a_value_are_left_grey(self):
        sweep = self.results["resid_pre"]
        shown = interactive.draw(sweep, pair=0)
        self.assertTrue(all(value is None for value in np.array(shown.data[0].z)[:, 5]))
        self.assertEqual(shown.layout.plot_bgcolor, specs.GREY)

    def test_hovering_tells_what_a_status_means(self):
        sweep = self.results["resid_pre"]
        notes = np.array(interactive.draw(sweep, pair=4).data[0].customdata)
        status = sweep["status"].sel(pair=4).values
        self.assertTrue((status == 2).any() and (status == 1).any())
        for value, word in ((2, "<br>unchanged"), (1, "")):
            for note in notes[status == value]:
                self.assertTrue(note.startswith(word) and bool(note) == bool(word), note)

    def test_bars_fall_and_points_are_the_pairs(self):
        trace = interactive.neurons(self.results["neurons"], n=7).data[0]
        self.assertEqual(list(trace.x), sorted(trace.x, reverse=True))
        self.assertEqual(len(trace.x), 7)
        figure = interactive.clean_against_corrupted(self.results["z"])
        drawn = {(x, y) for trace in figure.data for x, y in zip(trace.x, trace.y)}
        baseline = self.results.baseline["logit_diff"].values.T
        self.assertEqual({(np.float32(x), np.float32(y)) for x, y in drawn},
                         {(np.float32(f"{x:.6g}"), np.float32(f"{y:.6g}"))
                          for x, y in baseline})
        self.assertEqual([trace.name for trace in figure.data], ["even", "odd"])
        self.assertEqual(len({trace.marker.symbol for trace in figure.data}), 2)
        one, other = self.results["neurons"], self.results["more_neurons"]
        trace = interactive.against(one, other).data[0]
        np.testing.assert_allclose(trace.y, patchsweep.mean(other).values.reshape(-1),
                                   rtol=1e-5)
        self.assertEqual(trace.customdata[13], "L2N1")

    def test_groups_stand_side_by_side_on_one_scale(self):
        figure = interactive.groups(self.results["z"])
        mean = patchsweep.mean_by_group(self.results["z"])
        for number, trace in enumerate(figure.data):
            np.testing.assert_allclose(grid(trace), mean.values[number], rtol=1e-5)
            self.assertEqual(trace.coloraxis, "coloraxis")
        self.assertEqual([note.text for note in figure.layout.annotations],
                         ["even", "odd"])
        self.assertEqual(figure.layout.coloraxis.cmin, -figure.layout.coloraxis.cmax)

    def test_tokens_are_texts_and_not_tags(self):
        sweep = self.results["resid_pre"].sel(pair=[4])
        tokens = sweep["token_clean"].values.copy()
        tokens[0, 1] = "<b>$x$"
        sweep = sweep.assign_coords(token_clean=(("pair", "position"), tokens))
        self.assertEqual(interactive.draw(sweep, pair=4).data[0].x[1],
                         "'&lt;b&gt;$x$' 1")

    def test_the_warning_about_the_model_is_drawn(self):
        sweep = self.results["z"].assign_attrs(banner="a demo")
        self.assertIn("a demo", interactive.draw(sweep).layout.title.text)
        self.assertIn("a demo", interactive.groups(sweep).layout.title.text)


if __name__ == "__main__":
    unittest.main(verbosity=2)

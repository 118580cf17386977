"""Figures in plotly by the arrays that are drawn: those of matplotlib's, and of the
file."""

import unittest

import matplotlib
import numpy as np

matplotlib.use("Agg")
import made  # noqa: E402  (the backend comes first)
import patchsweep  # noqa: E402
from patchsweep import figures, interactive, plot, specs  # noqa: E402


def grid(trace):
    """The array of a map, NaN where nothing is drawn."""
    return np.array(trace.z, dtype=float)


class Interactive(unittest.TestCase):
    def setUp(self):
        self.results = made.opened()
        self.addCleanup(plot.pyplot.close, "all")

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

    def test_the_lens_is_a_line_a_run_with_the_files_means(self):
        analysis = self.results.analyses["lens"]
        for position, at in (("end", 1), (0, 0), (None, 1)):
            shown = figures.lens(analysis, position=position)
            self.assertEqual([line.name for line in shown.lines], ["clean", "corrupted"])
            for run, line in enumerate(shown.lines):
                np.testing.assert_allclose(
                    line.mean, analysis["logit_diff_overall"].values[run, :, at],
                    rtol=1e-5, atol=1e-6)
                self.assertTrue((line.low < line.mean)[1:].all()
                                and (line.mean < line.high)[1:].all())
            self.assertIn("over 6 clusters of pairs", shown.note)
        self.assertEqual(shown.x[0], "0_pre")
        figure = interactive.lens(analysis)
        self.assertEqual([trace.fill for trace in figure.data],
                         ["none", "tonexty", None] * 2)
        self.assertEqual(len(plot.lens(analysis).collections), 2)
        with self.assertRaisesRegex(patchsweep.ResultsError, "no position 7; there are 0, end"):
            figures.lens(analysis, position=7)

    def test_intervals_of_an_analysis_leave_excluded_pairs_out(self):
        analysis = self.results.analyses["lens"].load()
        excluded = analysis["excluded"].copy()
        excluded[:2] = 1
        some = figures.lens(analysis.assign(excluded=excluded)).lines[0]
        values = analysis["logit_diff"].sel(run="clean").values[2:, :, 1]
        np.testing.assert_allclose(some.mean, values.mean(axis=0), rtol=1e-4, atol=1e-6)

    def test_attribution_sums_to_the_runs_logits(self):
        shown = figures.attribution(self.results.analyses["decompose"], pair=3)
        for run, line in zip(("clean", "corrupted"), shown.lines):
            stored = float(self.results.baseline["logit_diff"].sel(run=run, pair=3))
            self.assertAlmostEqual(float(line.mean.sum()), stored, places=4)
        self.assertEqual((shown.x[0], shown.x[-1]), ("embed", "bias"))
        drawn = interactive.attribution(self.results.analyses["decompose"]).data[-1]
        np.testing.assert_allclose(
            drawn.y, self.results.analyses["decompose"]["logit_diff_overall"].values[1, :, 0],
            rtol=1e-4, atol=1e-5)

    def test_the_other_analyses_are_drawn_as_they_are(self):
        analyses = self.results.analyses
        np.testing.assert_allclose(
            grid(interactive.heads(analyses["heads"], run="corrupted").data[0]),
            analyses["heads"]["logit_diff_overall"].values[1, ..., 0], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(
            grid(interactive.head_scores(analyses["head_scores"]).data[0]),
            analyses["head_scores"]["induction"].values, rtol=1e-5, atol=1e-7)
        bars = interactive.top_neurons(analyses["neurons"]).data[0]
        stored = analyses["neurons"]["mean_top_logit_diff"].values[0, 0]
        np.testing.assert_allclose(sorted(bars.x), sorted(stored), rtol=1e-5)
        figure = interactive.lens_tokens(analyses["lens"], pair=2, n=3)
        np.testing.assert_allclose(
            grid(figure.data[0]),
            analyses["lens"]["top_prob"].values[0, 2, :, 1, :3], rtol=1e-5)
        texts = analyses["lens"]["top_string"].values[0, 2, :, 1, :3].reshape(-1)
        self.assertEqual([note.text for note in figure.layout.annotations], list(texts))
        for name in analyses:
            if name != "attention":
                interactive.draw(analyses[name])
                plot.draw(analyses[name])

    def test_a_sweep_of_one_axis_is_a_line_with_its_intervals(self):
        shown = figures.of_sweep(self.results["by_layer"])
        made_ = patchsweep.confidence_intervals(self.results["by_layer"], draws=2000)
        for name in ("mean", "low", "high"):
            np.testing.assert_allclose(getattr(shown.lines[0], name), made_[name].values)
        self.assertEqual(shown.x, ["0", "1", "2"])

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

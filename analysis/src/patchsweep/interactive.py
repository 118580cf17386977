"""Figures, in plotly: to hover, zoom and publish as a page.

The functions of `plot` by the same names, with the same arguments; each returns a
plotly Figure:

    patchsweep.interactive.draw(results["z"]).show()
    patchsweep.interactive.draw(results["z"]).write_html("z.html")

What is drawn is made by `figures`, which `plot` shares, and laid out by `specs`.
Colours diverge from zero, are told apart by the colour-blind, and stand beside the
numbers, which hovering shows.
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import xarray as xr

from . import figures, specs


def _figure(shown: figures.Shown, **options: Any) -> go.Figure:
    """`limit` and `title` of a map may be given."""
    for name, value in options.items():
        setattr(shown, name, value)
    return go.Figure(specs.spec(shown))


def layer_position(sweep: xr.Dataset, metric: str | None = None,
                   kind: str | None = None, pair: int | None = None,
                   **options: Any) -> go.Figure:
    """Layers down, positions (or labels) across."""
    return _figure(figures.layer_position(sweep, metric, kind, pair), **options)


def layer_head(sweep: xr.Dataset, metric: str | None = None, kind: str | None = None,
               pair: int | None = None, **options: Any) -> go.Figure:
    """Layers down, heads across."""
    return _figure(figures.layer_head(sweep, metric, kind, pair), **options)


def heads_by_position(sweep: xr.Dataset, metric: str | None = None,
                      kind: str | None = None, pair: int | None = None,
                      **options: Any) -> go.Figure:
    """Heads of all layers down, positions (or labels, dest, src) across."""
    return _figure(figures.heads_by_position(sweep, metric, kind, pair), **options)


def dest_src(sweep: xr.Dataset, layer: int | None = None, head: int | None = None,
             metric: str | None = None, kind: str | None = None,
             pair: int | None = None, **options: Any) -> go.Figure:
    """Query positions down, key positions across, of one head: by default the one
    with the strongest cell."""
    return _figure(figures.dest_src(sweep, layer, head, metric, kind, pair), **options)


def any_map(sweep: xr.Dataset, metric: str | None = None, kind: str | None = None,
            pair: int | None = None, **options: Any) -> go.Figure:
    """Positions, labels or the last axis across, all others down."""
    return _figure(figures.any_map(sweep, metric, kind, pair), **options)


def neurons(sweep: xr.Dataset, n: int = 30, metric: str | None = None,
            kind: str | None = None, pair: int | None = None) -> go.Figure:
    """The n strongest cells as bars, from the highest to the lowest value. For
    neurons; it takes any sweep."""
    return _figure(figures.neurons(sweep, n, metric, kind, pair))


def clean_against_corrupted(sweep: xr.Dataset, metric: str | None = None) -> go.Figure:
    """The pairs' unedited runs: the metric of the clean one against that of the
    corrupted one, coloured by group."""
    return _figure(figures.clean_against_corrupted(sweep, metric))


def against(one: xr.Dataset, other: xr.Dataset, metric: str | None = None,
            kind: str | None = None, n_names: int = 5) -> go.Figure:
    """Two sweeps of the same axes: a point a cell, coloured by layer, the line where
    both are equal, and the names of the strongest."""
    return _figure(figures.against(one, other, metric, kind, n_names))


def groups(sweep: xr.Dataset, metric: str | None = None,
           kind: str | None = None) -> go.Figure:
    """One map a group of pairs, side by side, of one scale."""
    return go.Figure(specs.groups(*figures.groups(sweep, metric, kind)))


def along(sweep: xr.Dataset, metric: str | None = None, kind: str | None = None,
          pair: int | None = None, level: float = 0.95) -> go.Figure:
    """A sweep of one axis as a line, with intervals over clusters of pairs."""
    return _figure(figures.along(sweep, metric, kind, pair, level))


def lens(analysis: xr.Dataset, variable: str | None = None,
         position: int | str | None = None, pair: int | None = None,
         level: float = 0.95) -> go.Figure:
    """The logit lens: a line a run over the states of the residual stream."""
    return _figure(figures.lens(analysis, variable, position, pair, level))


def lens_tokens(analysis: xr.Dataset, pair: int | None = None, run: str | None = None,
                position: int | str | None = None, n: int = 5,
                **options: Any) -> go.Figure:
    """The n most likely tokens after each state, of one pair."""
    return _figure(figures.lens_tokens(analysis, pair, run, position, n), **options)


def attribution(analysis: xr.Dataset, variable: str | None = None,
                position: int | str | None = None, pair: int | None = None,
                level: float = 0.95) -> go.Figure:
    """Direct logit attribution: a line a run over the components."""
    return _figure(figures.attribution(analysis, variable, position, pair, level))


def heads(analysis: xr.Dataset, variable: str | None = None, run: str | None = None,
          position: int | str | None = None, pair: int | None = None,
          **options: Any) -> go.Figure:
    """Direct logit attribution of heads: layers down, heads across."""
    return _figure(figures.heads(analysis, variable, run, position, pair), **options)


def head_scores(analysis: xr.Dataset, score: str = "induction",
                **options: Any) -> go.Figure:
    """previous_token, duplicate_token or induction of every head."""
    return _figure(figures.head_scores(analysis, score), **options)


def top_neurons(analysis: xr.Dataset, n: int = 30, run: str | None = None,
                position: int | str | None = None) -> go.Figure:
    """The neurons that write most into the logits directly."""
    return _figure(figures.top_neurons(analysis, n, run, position))


def draw(data: xr.Dataset, metric: str | None = None, kind: str | None = None,
         pair: int | None = None) -> go.Figure:
    """The figure that a sweep's axes, or an analysis' kind, ask for."""
    return _figure(figures.of_analysis(data, pair=pair) if "analysis" in data.attrs
                    else figures.of_sweep(data, metric, kind, pair))

"""Figures, in matplotlib.

Each function takes a sweep (or two) or an analysis, draws what studies of activation
patching draw, and returns the matplotlib Axes, so that a title or a limit can be
changed:

    layer_position  residual stream, attn_out, mlp_out: layer x position (or label)
    layer_head      layer x head
    heads_by_position  (layer, head) x position
    dest_src        query x key position of one head
    any_map         whatever the axes
    neurons         the strongest neurons as sorted bars
    clean_against_corrupted  pairs: the two unedited runs
    against         two sweeps' cells against each other
    groups          one map a group of pairs, side by side, of one scale
    along           a sweep of one axis as a line, with intervals
    lens            logit lens: lines over the blocks, with intervals
    lens_tokens     logit lens: the most likely tokens of one pair
    attribution     direct logit attribution of components, with intervals
    heads, head_scores, top_neurons  of the analyses of those names
    draw            whichever of these a sweep's axes, or an analysis' kind, ask for

What is drawn is made by `figures`, which `interactive` shares; the arguments are the
same there. Colours are ColorBrewer's RdBu, told apart by the colour-blind, and
diverge from zero: red is above. Cells without a value are grey.
"""

from __future__ import annotations

import textwrap
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib import pyplot
from matplotlib.axes import Axes

from . import figures
from .figures import Bars, Lines, Map, Points

BLUE, RED, GREY = "#2166ac", "#b2182b", "0.8"
MOST_TICKS = 64
# Colours of the layers in a scatter: perceptually even, and not diverging.
LAYERS = "viridis"
MARKERS = "osD^vP*X"
# Okabe and Ito's colours, of lines.
LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")


def _ticks(axis: Any, names: list[str], **options: Any) -> None:
    step = max(1, -(-len(names) // MOST_TICKS))
    axis.set_ticks(range(0, len(names), step), names[::step], **options)
    for label in axis.get_ticklabels():
        label.set_parse_math(False)


def _slanted(names: list[str]) -> dict[str, Any]:
    if max(map(len, names), default=0) <= 3:
        return {}
    return {"rotation": 60, "ha": "right", "rotation_mode": "anchor"}


def _new(width: float, height: float, banner: str = "") -> Axes:
    """The Axes of a new figure, with the warning about the model at its foot."""
    figure, ax = pyplot.subplots(figsize=(min(24, width), min(24, height)),
                                 layout="constrained")
    _warn(figure, banner)
    return ax


def _warn(figure: Any, banner: str) -> None:
    if banner:
        width = int(13 * figure.get_size_inches()[0])  # letters of this size
        figure.supxlabel(textwrap.fill(banner, width), fontsize=8, color="firebrick",
                         parse_math=False)


def heatmap(shown: Map, ax: Axes | None = None, limit: float | None = None,
            title: str | None = None, colorbar: bool = True) -> Axes:
    """A map, the first row on top."""
    if ax is None:
        width = 1.1 if shown.texts else 0.5
        ax = _new(3 + width * len(shown.columns), 2.6 + 0.3 * len(shown.rows),
                  shown.banner)
    scale = "Blues" if shown.is_share else "RdBu_r"
    colours = matplotlib.colormaps[scale].with_extremes(bad=GREY)
    limit = limit or shown.limit or figures.scale_limit(shown.grid)
    image = ax.imshow(np.ma.masked_invalid(shown.grid), cmap=colours,
                      vmin=0 if shown.is_share else -limit, vmax=limit, aspect="auto",
                      interpolation="nearest", origin="upper")
    for row, texts in enumerate(shown.texts or []):
        for column, written in enumerate(texts):
            is_dark = abs(shown.grid[row, column]) > 0.6 * limit
            ax.text(column, row, written, ha="center", va="center", fontsize=7,
                    color="white" if is_dark else "black", parse_math=False)
    _ticks(ax.yaxis, shown.rows)
    _ticks(ax.xaxis, shown.columns, **_slanted(shown.columns))
    ax.set_xlabel(shown.column_label)
    ax.set_ylabel(shown.row_label)
    ax.set_title(shown.title if title is None else title, fontsize=11, parse_math=False)
    if colorbar:
        ax.figure.colorbar(image, ax=ax, label=shown.colour_label)
    return ax


def bars(shown: Bars, ax: Axes | None = None) -> Axes:
    """Bars, the highest value on top."""
    if ax is None:
        ax = _new(7, 1.5 + 0.22 * len(shown.names), shown.banner)
    ax.barh(range(len(shown.names)), shown.values,
            color=[RED if value > 0 else BLUE for value in shown.values])
    ax.set_yticks(range(len(shown.names)), shown.names)
    ax.invert_yaxis()
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_xlabel(shown.label)
    ax.set_title(shown.title, fontsize=11, parse_math=False)
    return ax


def points(shown: Points, ax: Axes | None = None) -> Axes:
    """Points: of groups, each with its marker, or coloured by layer."""
    if ax is None:
        ax = _new(6 if shown.colour_label else 5.5, 5, shown.banner)
    if shown.groups:
        colours = matplotlib.colormaps[LAYERS](np.linspace(0, 0.85, len(shown.groups)))
        for number, name in enumerate(shown.groups):
            here = shown.colour == number
            ax.scatter(shown.x[here], shown.y[here], s=28, color=[colours[number]],
                       marker=MARKERS[number % len(MARKERS)], label=name)
        if len(shown.groups) > 1:
            for entry in ax.legend().get_texts():
                entry.set_parse_math(False)
    else:
        drawn = ax.scatter(shown.x, shown.y, c=shown.colour, cmap=LAYERS, s=18)
        if shown.colour_label:
            ax.figure.colorbar(drawn, ax=ax, label=shown.colour_label)
    for point in shown.marked:
        ax.annotate(shown.names[point], (shown.x[point], shown.y[point]), fontsize=8,
                    xytext=(4, 3), textcoords="offset points")
    if shown.diagonal:
        ax.axline((0, 0), slope=1, color=GREY, zorder=0)
    else:
        ax.axhline(0, color=GREY, zorder=0)
        ax.axvline(0, color=GREY, zorder=0)
    ax.set_xlabel(shown.x_label)
    ax.set_ylabel(shown.y_label)
    ax.set_title(shown.title, fontsize=11, parse_math=False)
    return ax


def lines(shown: Lines, ax: Axes | None = None) -> Axes:
    """Lines with their intervals as bands."""
    if ax is None:
        ax = _new(max(5.0, 2 + 0.27 * len(shown.x)), 4, shown.banner)
    places = np.arange(len(shown.x))
    for number, line in enumerate(shown.lines):
        colour = LINES[number % len(LINES)]
        ax.plot(places, line.mean, color=colour, label=line.name, markersize=4,
                marker=MARKERS[number % len(MARKERS)])
        if np.isfinite(line.low).any():
            ax.fill_between(places, line.low, line.high, color=colour, alpha=0.2,
                            linewidth=0)
    _ticks(ax.xaxis, shown.x, **_slanted(shown.x))
    ax.axhline(0, color=GREY, zorder=0)
    ax.set_xlabel(shown.x_label)
    ax.set_ylabel(shown.y_label)
    note = f"\nband: {shown.note}" if shown.note else ""
    ax.set_title(f"{shown.title}{note}", fontsize=10, parse_math=False)
    ax.legend()
    return ax


def layer_position(sweep: xr.Dataset, metric: str | None = None,
                   kind: str | None = None, pair: int | None = None,
                   **options: Any) -> Axes:
    """Layers down, positions (or labels) across."""
    return heatmap(figures.layer_position(sweep, metric, kind, pair), **options)


def layer_head(sweep: xr.Dataset, metric: str | None = None, kind: str | None = None,
               pair: int | None = None, **options: Any) -> Axes:
    """Layers down, heads across."""
    return heatmap(figures.layer_head(sweep, metric, kind, pair), **options)


def heads_by_position(sweep: xr.Dataset, metric: str | None = None,
                      kind: str | None = None, pair: int | None = None,
                      **options: Any) -> Axes:
    """Heads of all layers down, positions (or labels, dest, src) across."""
    return heatmap(figures.heads_by_position(sweep, metric, kind, pair), **options)


def dest_src(sweep: xr.Dataset, layer: int | None = None, head: int | None = None,
             metric: str | None = None, kind: str | None = None,
             pair: int | None = None, **options: Any) -> Axes:
    """Query positions down, key positions across, of one head: by default the one
    with the strongest cell."""
    return heatmap(figures.dest_src(sweep, layer, head, metric, kind, pair), **options)


def any_map(sweep: xr.Dataset, metric: str | None = None, kind: str | None = None,
            pair: int | None = None, **options: Any) -> Axes:
    """Positions, labels or the last axis across, all others down."""
    return heatmap(figures.any_map(sweep, metric, kind, pair), **options)


def neurons(sweep: xr.Dataset, n: int = 30, metric: str | None = None,
            kind: str | None = None, pair: int | None = None,
            ax: Axes | None = None) -> Axes:
    """The n strongest cells as bars, from the highest to the lowest value. For
    neurons; it takes any sweep."""
    return bars(figures.neurons(sweep, n, metric, kind, pair), ax)


def clean_against_corrupted(sweep: xr.Dataset, metric: str | None = None,
                            ax: Axes | None = None) -> Axes:
    """The pairs' unedited runs: the metric of the clean one against that of the
    corrupted one, coloured by group."""
    return points(figures.clean_against_corrupted(sweep, metric), ax)


def against(one: xr.Dataset, other: xr.Dataset, metric: str | None = None,
            kind: str | None = None, n_names: int = 5, ax: Axes | None = None) -> Axes:
    """Two sweeps of the same axes: a point a cell, coloured by layer, the line where
    both are equal, and the names of the strongest. Say, v against z: whether a head
    matters by what it reads or by where it looks."""
    return points(figures.against(one, other, metric, kind, n_names), ax)


def groups(sweep: xr.Dataset, metric: str | None = None,
           kind: str | None = None) -> list[Axes]:
    """One map a group of pairs, side by side, of one scale."""
    maps, title = figures.groups(sweep, metric, kind)
    _, drawn = pyplot.subplots(
        1, len(maps), squeeze=False, sharey=True, layout="constrained",
        figsize=(min(24.0, len(maps) * (1.5 + 0.35 * len(maps[0].columns)) + 1),
                 min(24.0, 2.6 + 0.3 * len(maps[0].rows))))
    for number, (shown, ax) in enumerate(zip(maps, drawn[0])):
        heatmap(shown, ax, colorbar=False)
        if number:
            ax.set_ylabel("")
    figure = drawn[0][0].figure
    figure.colorbar(drawn[0][-1].images[0], ax=list(drawn[0]),
                    label=maps[0].colour_label)
    figure.suptitle(title, fontsize=11)
    _warn(figure, maps[0].banner)
    return list(drawn[0])


def along(sweep: xr.Dataset, metric: str | None = None, kind: str | None = None,
          pair: int | None = None, level: float = 0.95, ax: Axes | None = None) -> Axes:
    """A sweep of one axis as a line, with intervals over clusters of pairs."""
    return lines(figures.along(sweep, metric, kind, pair, level), ax)


def lens(analysis: xr.Dataset, variable: str | None = None,
         position: int | str | None = None, pair: int | None = None,
         level: float = 0.95, ax: Axes | None = None) -> Axes:
    """The logit lens: a line a run over the states of the residual stream."""
    return lines(figures.lens(analysis, variable, position, pair, level), ax)


def lens_tokens(analysis: xr.Dataset, pair: int | None = None, run: str | None = None,
                position: int | str | None = None, n: int = 5, **options: Any) -> Axes:
    """The n most likely tokens after each state, of one pair."""
    return heatmap(figures.lens_tokens(analysis, pair, run, position, n), **options)


def attribution(analysis: xr.Dataset, variable: str | None = None,
                position: int | str | None = None, pair: int | None = None,
                level: float = 0.95, ax: Axes | None = None) -> Axes:
    """Direct logit attribution: a line a run over the components."""
    return lines(figures.attribution(analysis, variable, position, pair, level), ax)


def heads(analysis: xr.Dataset, variable: str | None = None, run: str | None = None,
          position: int | str | None = None, pair: int | None = None,
          **options: Any) -> Axes:
    """Direct logit attribution of heads: layers down, heads across."""
    return heatmap(figures.heads(analysis, variable, run, position, pair), **options)


def head_scores(analysis: xr.Dataset, score: str = "induction", **options: Any) -> Axes:
    """previous_token, duplicate_token or induction of every head."""
    return heatmap(figures.head_scores(analysis, score), **options)


def top_neurons(analysis: xr.Dataset, n: int = 30, run: str | None = None,
                position: int | str | None = None, ax: Axes | None = None) -> Axes:
    """The neurons that write most into the logits directly."""
    return bars(figures.top_neurons(analysis, n, run, position), ax)


def draw(data: xr.Dataset, metric: str | None = None, kind: str | None = None,
         pair: int | None = None) -> Axes:
    """The figure that a sweep's axes, or an analysis' kind, ask for."""
    shown = figures.of_analysis(data, pair=pair) if "analysis" in data.attrs \
        else figures.of_sweep(data, metric, kind, pair)
    if isinstance(shown, Map):
        return heatmap(shown)
    return bars(shown) if isinstance(shown, Bars) else lines(shown)

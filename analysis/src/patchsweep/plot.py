"""Figures, in matplotlib.

Each function takes a sweep (or two), draws what studies of activation patching
draw, and returns the matplotlib Axes, so that a title or a limit can be changed:

    layer_position  residual stream, attn_out, mlp_out: layer x position (or label)
    layer_head      layer x head
    heads_by_position  (layer, head) x position
    dest_src        query x key position of one head
    neurons         the strongest neurons as sorted bars
    clean_against_corrupted  pairs: the two unedited runs
    against         two sweeps' cells against each other
    groups          one map a group of pairs, side by side, of one scale
    draw            whichever of these the sweep's axes ask for

`pair` draws one pair (by its number in the job) and not the mean over all;
`metric` and `kind` are those of `patchsweep.mean`. Colours are ColorBrewer's RdBu,
told apart by the colour-blind, and diverge from zero: red is above. Cells without a
value are grey.
"""

from __future__ import annotations

import textwrap
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib import pyplot
from matplotlib.axes import Axes

from .cells import cell_name, cell_names, cell_table, is_absolute, text
from .results import ResultsError
from .statistics import choose, mean, mean_by_group, normalised

BLUE, RED, GREY = "#2166ac", "#b2182b", "0.8"
MOST_TICKS = 64
# Colours of the layers in a scatter: perceptually even, and not diverging.
LAYERS = "viridis"


def values(sweep: xr.Dataset, metric: str | None = None, kind: str | None = None,
           pair: int | None = None) -> xr.DataArray:
    """What is drawn [axes]: the mean over the pairs, or one pair (its samples
    averaged)."""
    metric, kind = choose(sweep, metric, kind)
    if pair is None:
        return mean(sweep, metric, kind)
    if "pair" not in sweep.dims:
        raise ResultsError(f"{sweep.attrs['sweep']}: the values of single pairs were "
                           "not stored")
    numbers = sweep["pair"].values.tolist()
    if pair not in numbers:
        raise ResultsError(f"{sweep.attrs['sweep']}: no pair {pair}; it has "
                           f"{', '.join(map(str, numbers[:20]))}")
    if kind == "recovered":
        array = normalised(sweep, metric)
    else:
        array = sweep[metric if kind == "value" else f"{metric}_effect"]
    array = array.sel(pair=pair)
    array = array.mean("sample") if "sample" in array.dims else array
    array = array.transpose(*sweep.attrs["axes"]).astype(float)
    array.attrs.update(mean(sweep.sel(pair=[pair]), metric, kind).attrs)
    return array


def position_names(sweep: xr.Dataset, axis: str, pair: int | None = None) -> list[str]:
    """The ticks of an axis: of positions, with the token that all pairs drawn have
    there in the clean run, or else the label that they have there."""
    coordinate = [text(value) for value in sweep[axis].values]
    if axis != "position" or "token_clean" not in sweep:
        return coordinate
    rows = [sweep["pair"].values.tolist().index(pair)] if pair is not None \
        else range(sweep.sizes["pair"])
    tokens = sweep["token_clean"].values[list(rows)]
    names = []
    for number, name in enumerate(coordinate):
        found = set(tokens[:, number])
        if len(found) == 1:
            names.append(f"'{text(found.pop())}' {name}")
            continue
        labels = []
        if "label_positions" in sweep and is_absolute(name):
            at = sweep["label_positions"].values[list(rows)]
            labels = [text(label) for k, label in enumerate(sweep["pair_label"].values)
                      if (at[:, k] == int(name)).any(axis=-1).all()]
        names.append(f"{labels[0]} {name}" if labels else name)
    return names


def _ticks(axis: Any, names: list[str], **options: Any) -> None:
    step = max(1, -(-len(names) // MOST_TICKS))
    axis.set_ticks(range(0, len(names), step), names[::step], **options)
    for label in axis.get_ticklabels():
        label.set_parse_math(False)


def _limit(*arrays: np.ndarray) -> float:
    """The end of a scale that is even around zero."""
    finite = [np.abs(array[np.isfinite(array)]).max(initial=0) for array in arrays]
    return max(finite, default=0) or 1.0


def _new(width: float, height: float, banner: Any = "") -> Axes:
    """The Axes of a new figure, with the warning about the model at its foot."""
    figure, ax = pyplot.subplots(figsize=(min(24, width), min(24, height)),
                                 layout="constrained")
    _warn(figure, banner)
    return ax


def _warn(figure: Any, banner: Any) -> None:
    if banner:
        width = int(13 * figure.get_size_inches()[0])  # letters of this size
        figure.supxlabel(textwrap.fill(text(banner), width), fontsize=8,
                         color="firebrick", parse_math=False)


def heatmap(grid: np.ndarray, rows: list[str], columns: list[str], row_label: str,
            column_label: str, title: str = "", colour_label: str = "",
            ax: Axes | None = None, limit: float | None = None,
            colorbar: bool = True, banner: str = "") -> Axes:
    """A map of grid [row, column], the first row on top."""
    if ax is None:
        ax = _new(3 + 0.5 * len(columns), 2.6 + 0.3 * len(rows), banner)
    colours = matplotlib.colormaps["RdBu_r"].with_extremes(bad=GREY)
    limit = limit or _limit(grid)
    image = ax.imshow(np.ma.masked_invalid(grid), cmap=colours, vmin=-limit, vmax=limit,
                      aspect="auto", interpolation="nearest", origin="upper")
    _ticks(ax.yaxis, rows)
    is_long = max(map(len, columns), default=0) > 3
    _ticks(ax.xaxis, columns, **({"rotation": 60, "ha": "right",
                                  "rotation_mode": "anchor"} if is_long else {}))
    ax.set_xlabel(column_label)
    ax.set_ylabel(row_label)
    ax.set_title(title, fontsize=11, parse_math=False)
    if colorbar:
        ax.figure.colorbar(image, ax=ax, label=colour_label)
    return ax


def _title(array: xr.DataArray, pair: int | None) -> str:
    whose = "" if pair is None else f", pair {pair}"
    return f"{array.attrs.get('sweep', '')}: {array.attrs.get('long_name', '')}{whose}"


def _map(sweep: xr.Dataset, array: xr.DataArray, row_axes: list[str], column: str,
         pair: int | None, **options: Any) -> Axes:
    """`array` with the axes row_axes as rows, flattened, and one as columns."""
    missing = [axis for axis in [*row_axes, column] if axis not in array.dims]
    if missing or array.ndim != len(row_axes) + 1:
        raise ResultsError(
            f"{sweep.attrs.get('sweep', 'sweep')}: has the axes "
            f"{', '.join(map(str, array.dims))}; this figure needs "
            f"{', '.join([*row_axes, column])}")
    array = array.transpose(*row_axes, column)
    grid = array.values.reshape(-1, array.sizes[column])
    if len(row_axes) == 1:
        rows = [text(value) for value in array[row_axes[0]].values]
    else:
        count = np.arange(len(grid))
        rows = [cell_name(row) for row in cell_table(array, row_axes, count)]
    return heatmap(grid, rows, position_names(sweep, column, pair), " ".join(row_axes),
                   column, **{"title": _title(array, pair),
                              "colour_label": array.attrs.get("long_name", ""),
                              "banner": sweep.attrs.get("banner", ""),
                              **options})


def _column(sweep: xr.Dataset) -> str:
    return "label" if "label" in sweep.attrs["axes"] else "position"


def layer_position(sweep: xr.Dataset, metric: str | None = None,
                   kind: str | None = None, pair: int | None = None,
                   **options: Any) -> Axes:
    """Layers down, positions (or labels) across."""
    return _map(sweep, values(sweep, metric, kind, pair), ["layer"], _column(sweep),
                pair, **options)


def layer_head(sweep: xr.Dataset, metric: str | None = None, kind: str | None = None,
               pair: int | None = None, **options: Any) -> Axes:
    """Layers down, heads across."""
    return _map(sweep, values(sweep, metric, kind, pair), ["layer"], "head", pair,
                **options)


def heads_by_position(sweep: xr.Dataset, metric: str | None = None,
                      kind: str | None = None, pair: int | None = None,
                      **options: Any) -> Axes:
    """Heads of all layers down, positions (or labels, dest, src) across."""
    column = next((axis for axis in sweep.attrs["axes"]
                   if axis not in ("layer", "head")), "position")
    return _map(sweep, values(sweep, metric, kind, pair), ["layer", "head"], column,
                pair, **options)


def dest_src(sweep: xr.Dataset, layer: int | None = None, head: int | None = None,
             metric: str | None = None, kind: str | None = None,
             pair: int | None = None, **options: Any) -> Axes:
    """Query positions down, key positions across, of one head: by default the one
    with the strongest cell."""
    array = values(sweep, metric, kind, pair)
    at = {"layer": layer, "head": head}
    for axis, value in at.items():
        if axis in array.dims and value is not None:
            array = array.sel({axis: [value]})
    size = np.nan_to_num(np.abs(array.values), nan=-1)
    strongest = np.unravel_index(int(size.argmax()), size.shape)
    where = {axis: int(index) for axis, index in zip(array.dims, strongest)
             if axis in at}
    name = cell_name({axis: array[axis].values[index]
                      for axis, index in where.items()})
    array = array.isel(where)
    options.setdefault("title", f"{name} of {_title(array, pair)}")
    return _map(sweep, array, ["dest"], "src", pair, **options)


def neurons(sweep: xr.Dataset, n: int = 30, metric: str | None = None,
            kind: str | None = None, pair: int | None = None,
            ax: Axes | None = None) -> Axes:
    """The n strongest cells as bars, from the highest to the lowest value. For
    neurons; it takes any sweep."""
    array = values(sweep, metric, kind, pair)
    flat, names = array.values.reshape(-1), cell_names(array)
    finite = np.flatnonzero(np.isfinite(flat))
    strongest = finite[np.argsort(-np.abs(flat[finite]), kind="stable")][:n]
    order = strongest[np.argsort(-flat[strongest], kind="stable")]
    if ax is None:
        ax = _new(7, 1.5 + 0.22 * len(order), sweep.attrs.get("banner"))
    ax.barh(range(len(order)), flat[order],
            color=[RED if value > 0 else BLUE for value in flat[order]])
    ax.set_yticks(range(len(order)), [names[cell] for cell in order])
    ax.invert_yaxis()
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_xlabel(array.attrs.get("long_name", ""))
    ax.set_title(f"{_title(array, pair)}\nthe {len(order)} strongest of {finite.size}",
                 fontsize=11, parse_math=False)
    return ax


def clean_against_corrupted(sweep: xr.Dataset, metric: str | None = None,
                            ax: Axes | None = None) -> Axes:
    """The pairs' unedited runs: the metric of the clean one against that of the
    corrupted one, coloured by group."""
    metric, _ = choose(sweep, metric, "value")
    if f"{metric}_clean" not in sweep:
        raise ResultsError(f"{sweep.attrs.get('sweep')}: no baseline of single pairs")
    if ax is None:
        ax = _new(5.5, 5, sweep.attrs.get("banner"))
    group = np.array([text(name) for name in sweep["group"].values])
    clean, corrupted = (sweep[f"{metric}_{run}"].values for run in ("clean", "corrupted"))
    names = list(dict.fromkeys(group))
    markers = "osD^vP*X"
    colours = matplotlib.colormaps[LAYERS](np.linspace(0, 0.85, len(names)))
    for number, name in enumerate(names):
        ax.scatter(clean[group == name], corrupted[group == name], s=28,
                   marker=markers[number % len(markers)], color=[colours[number]],
                   label=name or "all pairs")
    ax.axhline(0, color=GREY, zorder=0)
    ax.axvline(0, color=GREY, zorder=0)
    ax.set_xlabel(f"{metric}, clean run")
    ax.set_ylabel(f"{metric}, corrupted run")
    ax.set_title(f"the unedited runs of {len(clean)} pairs", fontsize=11)
    if len(names) > 1:
        for entry in ax.legend().get_texts():
            entry.set_parse_math(False)
    return ax


def against(one: xr.Dataset, other: xr.Dataset, metric: str | None = None,
            kind: str | None = None, n_names: int = 5, ax: Axes | None = None) -> Axes:
    """Two sweeps of the same axes: a point a cell, coloured by layer, the line where
    both are equal, and the names of the strongest. Say, v against z: whether a head
    matters by what it reads or by where it looks."""
    x, y = xr.align(values(one, metric, kind), values(other, metric, kind), join="inner")
    if x.dims != y.dims or not x.size:
        raise ResultsError(f"{one.attrs.get('sweep')} and {other.attrs.get('sweep')} "
                           "have no cells in common")
    if ax is None:
        ax = _new(6, 5, one.attrs.get("banner"))
    across, up, names = x.values.reshape(-1), y.values.reshape(-1), cell_names(x)
    layer = xr.zeros_like(x)
    if "layer" in x.coords:
        layer = (layer + x["layer"]).transpose(*x.dims)
    points = ax.scatter(across, up, c=layer.values.reshape(-1), cmap=LAYERS, s=18)
    if "layer" in x.coords:
        ax.figure.colorbar(points, ax=ax, label="layer")
    size = np.nan_to_num(np.fmax(np.abs(across), np.abs(up)), nan=-1)
    for cell in np.argsort(-size, kind="stable")[:n_names]:
        if np.isfinite(across[cell] + up[cell]):
            ax.annotate(names[cell], (across[cell], up[cell]), fontsize=8,
                        xytext=(4, 3), textcoords="offset points")
    ax.axline((0, 0), slope=1, color=GREY, zorder=0)
    ax.set_xlabel(f"{one.attrs.get('sweep')}: {x.attrs.get('long_name', '')}")
    ax.set_ylabel(f"{other.attrs.get('sweep')}: {y.attrs.get('long_name', '')}")
    return ax


def groups(sweep: xr.Dataset, metric: str | None = None,
           kind: str | None = None) -> list[Axes]:
    """One map a group of pairs, side by side, of one scale."""
    array = mean_by_group(sweep, metric, kind)
    axes = sweep.attrs["axes"]
    if len(axes) < 2:
        raise ResultsError(f"{sweep.attrs.get('sweep')}: has one axis; a map needs two")
    column = _column(sweep) if _column(sweep) in axes else axes[-1]
    row_axes = [axis for axis in axes if axis != column]
    names = [text(name) for name in array["pair_group"].values]
    n_rows = int(np.prod([array.sizes[axis] for axis in row_axes]))
    _, drawn = pyplot.subplots(
        1, len(names), squeeze=False, sharey=True, layout="constrained",
        figsize=(min(24.0, len(names) * (1.5 + 0.35 * array.sizes[column]) + 1),
                 min(24.0, 2.6 + 0.3 * n_rows)))
    limit = _limit(array.values)
    for number, (name, ax) in enumerate(zip(names, drawn[0])):
        part = sweep
        if "pair" in sweep.dims:
            part = sweep.isel(pair=[i for i, group in enumerate(sweep["group"].values)
                                    if text(group) == name])
        _map(part, array.isel(pair_group=number), row_axes, column, None, ax=ax,
             limit=limit, title=name, colorbar=False)
        if number:
            ax.set_ylabel("")
    figure = drawn[0][0].figure
    figure.colorbar(drawn[0][-1].images[0], ax=list(drawn[0]),
                    label=array.attrs.get("long_name", ""))
    figure.suptitle(_title(array, None), fontsize=11)
    _warn(figure, sweep.attrs.get("banner"))
    return list(drawn[0])


def draw(sweep: xr.Dataset, metric: str | None = None, kind: str | None = None,
         pair: int | None = None) -> Axes:
    """The figure that a sweep's axes ask for."""
    axes = set(sweep.attrs["axes"])
    if axes in ({"layer", "position"}, {"layer", "label"}):
        return layer_position(sweep, metric, kind, pair)
    if axes == {"layer", "head"}:
        return layer_head(sweep, metric, kind, pair)
    if {"dest", "src"} <= axes <= {"layer", "head", "dest", "src"}:
        return dest_src(sweep, metric=metric, kind=kind, pair=pair)
    if {"layer", "head"} < axes and len(axes) == 3:
        return heads_by_position(sweep, metric, kind, pair)
    return neurons(sweep, metric=metric, kind=kind, pair=pair)

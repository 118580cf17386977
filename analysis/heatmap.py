#!/usr/bin/python3
"""Draw one sweep of a results.h5 as a heatmap.

    analysis/heatmap.py OUT --sweep resid_post -o heatmap.png

OUT is the folder of a run, or a results.h5. Columns are the positions (with
their tokens), the labels, or else the last axis; rows are all other axes,
flattened, the first layer on top. Colours diverge from zero; cells that were
not run or are not defined are grey.
"""

import argparse
import os
import sys

import h5py
import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  (the backend comes first)

# A metric's arrays, the most telling first.
SUFFIXES = ("_recovered_overall", "_recovered", "_effect", "_mean", "")
COLUMN_AXES = ("position", "label")
BRIEF = {"layer": "L", "head": "H", "position": "P"}


class HeatmapError(Exception):
    """A sentence for the user."""


def text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def axis_names(variable):
    """Names of the dimension scales of a variable, in its order."""
    names = []
    for number, dimension in enumerate(variable.dims):
        if not len(dimension):
            raise HeatmapError(
                f"{variable.name}: axis {number} has no dimension scale")
        names.append(dimension[0].name.rsplit("/", 1)[-1])
    return names


def coordinate(group, axis, n):
    """The values of an axis as strings; numbers where the file has none."""
    if axis in group and group[axis].shape == (n,):
        return [text(value) for value in group[axis][...]]
    return [str(number) for number in range(n)]


def choose_variable(group, metric, pair):
    """The array to draw: `metric` itself, or its most telling derived one."""
    if metric and metric not in group:
        found = ", ".join(sorted(
            name for name in group
            if isinstance(group[name], h5py.Dataset) and group[name].ndim > 1))
        raise HeatmapError(f"{group.name}: no array {metric}; there are {found}")
    if metric:
        return group[metric]
    n_pairs = group["pair"].shape[0] if "pair" in group else 1
    for suffix in SUFFIXES:
        if suffix == "_recovered_overall" and (pair is not None or n_pairs == 1):
            continue
        for name in ("logit_diff", "logit", "prob", "logprob", "kl_clean"):
            if name + suffix in group:
                return group[name + suffix]
    raise HeatmapError(f"{group.name}: no metric known here: name one by --metric")


def row_of_pair(group, pair):
    """Where the job's pair of that number stands among the sweep's pairs."""
    pairs = group["pair"][...].tolist() if "pair" in group else [0]
    if pair is None:
        return 0
    if pair not in pairs:
        raise HeatmapError(f"{group.name} has no pair {pair}; it has "
                           f"{', '.join(map(str, pairs[:20]))}"
                           f"{', ..' if len(pairs) > 20 else ''}")
    return pairs.index(pair)


def reduce_to_cells(variable, row):
    """Values and axes of a variable, one pair (or the first of the groups of
    pairs) taken and samples averaged."""
    axes = axis_names(variable)
    values = variable[...].astype(float)
    for axis, taken in (("pair", row), ("pair_group", 0)):
        if axis in axes:
            values = values.take(taken, axis=axes.index(axis))
            axes.remove(axis)
    if "sample" in axes:
        at = axes.index("sample")
        values = values.mean(axis=at)
        axes.remove("sample")
    if not axes:
        raise HeatmapError(f"{variable.name}: has no axes of cells")
    return values, axes


def column_axis(axes):
    for axis in COLUMN_AXES:
        if axis in axes:
            return axis
    return axes[-1]


def flatten_rows(group, values, axes):
    """(rows, columns) with the names of the rows, the column axis last."""
    column = column_axis(axes)
    values = np.moveaxis(values, axes.index(column), -1)
    row_axes = [axis for axis in axes if axis != column]
    names = [""]
    for axis, n in zip(row_axes, values.shape):
        brief = BRIEF.get(axis, axis + " " if len(row_axes) > 1 else "")
        names = [name + brief + value
                 for name in names for value in coordinate(group, axis, n)]
    return values.reshape(len(names), -1), row_axes, names, column


def column_names(group, column, n, row, is_one_pair):
    names = coordinate(group, column, n)
    if column == "position" and is_one_pair and "token_clean" in group:
        tokens = group["token_clean"][row]
        names = [f"'{text(token)}' {name}" for token, name in zip(tokens, names)]
    return names


def thin(count, limit):
    """At most `limit` evenly spaced tick places of `count`."""
    return range(0, count, max(1, -(-count // limit)))


def draw(values, rows, row_label, columns, column_label, title, colour_label,
         banner, path):
    n_rows, n_columns = values.shape
    figure, axes = pyplot.subplots(
        figsize=(min(24, 3 + 0.5 * n_columns), min(24, 2.6 + 0.3 * n_rows)),
        layout="constrained")
    finite = np.abs(values[np.isfinite(values)])
    limit = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
    colours = matplotlib.colormaps["RdBu_r"].copy()
    colours.set_bad("0.8")
    image = axes.imshow(np.ma.masked_invalid(values), cmap=colours,
                        vmin=-limit, vmax=limit, aspect="auto",
                        interpolation="nearest", origin="upper")
    places = thin(n_rows, 64)
    axes.set_yticks(list(places), [rows[place] for place in places])
    places = thin(n_columns, 64)
    axes.set_xticks(list(places), [columns[place] for place in places],
                    rotation=60, ha="right", rotation_mode="anchor",
                    parse_math=False)
    axes.set_xlabel(column_label)
    axes.set_ylabel(row_label)
    axes.set_title(title, fontsize=11, parse_math=False)
    figure.colorbar(image, ax=axes, label=colour_label)
    if banner:
        figure.supxlabel(banner, fontsize=8, color="firebrick", wrap=True,
                         parse_math=False)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def heatmap(results, sweep, metric, pair, path):
    """Draw `sweep` of an open results.h5 into `path`; the array's name."""
    sweeps = results.get("sweeps", {})
    if sweep is None and len(sweeps) == 1:
        sweep = next(iter(sweeps))
    if not sweep or sweep not in sweeps:
        asked = f"no sweep {sweep}" if sweep else "several sweeps: name one by --sweep"
        raise HeatmapError(f"{asked}; there are {', '.join(sweeps) or 'none'}")
    group = sweeps[sweep]
    variable = choose_variable(group, metric, pair)
    is_one_pair = "pair" in axis_names(variable)
    row = row_of_pair(group, pair)
    values, axes = reduce_to_cells(variable, row)
    values, row_axes, rows, column = flatten_rows(group, values, axes)
    columns = column_names(group, column, values.shape[1], row, is_one_pair)

    name = variable.name.rsplit("/", 1)[-1]
    whose = f", pair {text(group['id' if 'id' in group else 'pair'][row])}" \
        if is_one_pair else ""
    heading = text(results.attrs.get("title", ""))
    if results.attrs.get("complete", 1) == 0:
        whose += ", incomplete run"
    draw(values, rows, " ".join(row_axes), columns, column,
         f"{heading + chr(10) if heading else ''}{sweep}: {name}{whose}",
         name,
         text(results.attrs.get("banner", "")), path)
    return name


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description="Draw one sweep of a results.h5 as a heatmap.",
        epilog="example: analysis/heatmap.py out/demo --sweep resid_post -o map.png")
    parser.add_argument("out", metavar="OUT",
                        help="the folder of a run, or a results.h5")
    parser.add_argument("--sweep", help="default: the only one")
    parser.add_argument("--metric", metavar="ARRAY",
                        help="an array of the sweep, such as prob_effect; "
                             "default: the recovered fraction, else the effect")
    parser.add_argument("--pair", type=int, metavar="N",
                        help="the job's pair of that number; default: all pairs "
                             "where the file has their ratio of means, else the "
                             "first")
    parser.add_argument("-o", "--output", default="heatmap.png", metavar="FILE")
    options = parser.parse_args(arguments)
    path = options.out
    if os.path.isdir(path):
        path = os.path.join(path, "results.h5")
    try:
        if not os.path.exists(path):
            raise HeatmapError("no such file: has the run been gathered?")
        with h5py.File(path, "r") as results:
            name = heatmap(results, options.sweep, options.metric, options.pair,
                           options.output)
    except (HeatmapError, OSError) as error:
        print(f"heatmap: {path}: {error}", file=sys.stderr)
        return 2
    print(f"heatmap of {name}: {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

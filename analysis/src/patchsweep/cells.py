"""Names of cells: L9H9, L8N2744, L3H0 end, L5 P10, L9H9 end<S2, L1 G3, L1 draw 7,
z.L5H1 > q.L9H9@end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

# What a sweep's cells can be counted along, in the canonical order.
AXES = ("cell", "layer", "position", "label", "head", "dest", "src", "neuron", "dim",
        "component_group", "draw", "scale", "sender", "receiver")
# Which groups a cell masks, along `cell`: two of them, or the one not kept.
GROUP_COLUMNS = ("group_a", "group_b", "removed")
# Axes whose whole numbers count tokens from the beginning of the prompt.
POSITION_AXES = ("position", "dest", "src")


def text(value: Any) -> str:
    """A coordinate's value as text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (np.integer, np.floating)):
        value = value.item()
    return f"{value:g}" if isinstance(value, float) else str(value)


def is_absolute(value: Any) -> bool:
    """Does a value of a position axis count from the beginning?"""
    return text(value).isdigit()


def cell_name(at: Mapping[str, Any]) -> str:
    """The brief name of a cell, from axis -> value."""
    where = {name: text(value) for name, value in at.items()}
    name = ""
    for axis, letter in (("layer", "L"), ("head", "H"), ("neuron", "N"), ("dim", "D")):
        if axis in where:
            name += letter + where[axis]
    words = [name] if name else []
    for axis in ("position", "label"):
        if axis in where:
            words.append(("P" if is_absolute(where[axis]) else "") + where[axis])
    if "dest" in where and "src" in where:
        words.append(f"{where['dest']}<{where['src']}")
    elif "dest" in where:
        words.append(f"from {where['dest']}")
    elif "src" in where:
        words.append(f"to {where['src']}")
    if "component_group" in where:
        words.append(f"G{where['component_group']}")
    if "group_a" in where:
        pair = dict.fromkeys((where["group_a"], where["group_b"]))
        words.append("+".join(f"G{group}" for group in pair))
    if "removed" in where:
        words.append("all kept" if where["removed"] == "-1"
                     else f"without G{where['removed']}")
    if "draw" in where:
        words.append(f"draw {where['draw']}")
    if "scale" in where:
        words.append(f"x{where['scale']}")
    if "sender" in where or "receiver" in where:
        words.append(f"{where.get('sender', '')} > {where.get('receiver', '')}".strip()
                     .removesuffix(" >"))
    if not words:
        words = [f"{axis} {value}" for axis, value in where.items()]
    return " ".join(words) or "all"


def cell_axes(array: xr.DataArray | xr.Dataset) -> list[str]:
    """The dimensions of an array that count cells."""
    return [str(dim) for dim in array.dims if dim in AXES]


def cell_table(sweep: xr.Dataset | xr.DataArray, axes: list[str],
               flat: np.ndarray) -> list[dict[str, Any]]:
    """The coordinates of cells, given by flat indices (C order) over axes."""
    sizes = tuple(sweep.sizes[axis] for axis in axes)
    known = {axis: sweep[axis].values for axis in axes if axis in sweep.coords}
    rows = []
    if not axes:
        return [{} for _ in np.asarray(flat).reshape(-1)]
    for place in zip(*np.unravel_index(np.asarray(flat, dtype=int), sizes)):
        row: dict[str, Any] = {}
        for axis, index in zip(axes, place):
            if axis == "cell":
                columns = [name for name in (*AXES, *GROUP_COLUMNS) if name in sweep.coords
                           and sweep[name].dims == ("cell",)]
                columns += [str(name) for name in getattr(sweep, "data_vars", ())
                            if name in AXES and sweep[name].dims == ("cell",)]
                for name in columns:
                    if name != "cell":
                        row[name] = sweep[name].values[index]
                if not row:
                    row["cell"] = int(index)
            else:
                row[axis] = known[axis][index] if axis in known else int(index)
        rows.append({name: value.item() if isinstance(value, np.generic) else value
                     for name, value in row.items()})
    return rows


def cell_names(array: xr.DataArray) -> list[str]:
    """The names of an array's cells, in the order of its values, flattened."""
    axes = cell_axes(array)
    count = int(np.prod([array.sizes[axis] for axis in axes]))
    return [cell_name(row) for row in cell_table(array, axes, np.arange(count))]

"""Two results, cell by cell.

Sweeps are matched by name, pairs by id, cells by the values of their axes, so that
files of different schema versions, or of jobs that overlap, can be compared as far
as both have a cell.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from .cells import cell_name, cell_table, text
from .results import Results


def _comparable(sweep: xr.Dataset, metric: str) -> xr.DataArray:
    """The metric [pair, (sample,) axes], or its mean [axes] where single pairs were
    not stored, with ids and texts as coordinates."""
    array = sweep[metric] if metric in sweep else sweep[f"{metric}_overall"]
    coords = {}
    for dim in array.dims:
        source = "id" if dim == "pair" and "id" in sweep.coords else dim
        values = sweep[source].values if source in sweep.coords \
            else np.arange(array.sizes[dim])
        coords[dim] = [text(value) for value in values]
    return xr.DataArray(array.values.astype(float), dims=array.dims, coords=coords)


def diff(one: Results, other: Results, sweep: str | None = None,
         metric: str | None = None, tolerance: float = 1e-4) -> pd.DataFrame:
    """A row for each sweep and metric of either:

    compared    cells that both have
    only_one, only_other  cells that one alone has
    different   cells that differ by more than `tolerance` (absolute), or where one
                alone has a value
    largest     the largest difference, other - one; NaN where nothing is compared
    pair, cell  where it is
    """
    names = [sweep] if sweep else list(dict.fromkeys([*one.sweeps, *other.sweeps]))
    rows = []
    for name in names:
        found = [name in results.sweeps for results in (one, other)]
        if not any(found):
            one[name]  # the sentence that names the sweeps
        listed = [results.metrics(name) if is_there else []
                  for results, is_there in zip((one, other), found)]
        for each in ([metric] if metric else dict.fromkeys([*listed[0], *listed[1]])):
            arrays = [_comparable(results[name], each) if each in metrics else None
                      for results, metrics in zip((one, other), listed)]
            if arrays[0] is None and arrays[1] is None:
                continue
            rows.append({"sweep": name, "metric": each,
                         **_differences(arrays[0], arrays[1], tolerance)})
    columns = ["sweep", "metric", "compared", "only_one", "only_other", "different",
               "largest", "pair", "cell"]
    return pd.DataFrame(rows, columns=columns)


def _differences(one: xr.DataArray | None, other: xr.DataArray | None,
                 tolerance: float) -> dict[str, object]:
    sizes = [0 if array is None else array.size for array in (one, other)]
    row: dict[str, object] = {
        "compared": 0, "only_one": sizes[0], "only_other": sizes[1], "different": 0,
        "largest": np.nan, "pair": "", "cell": ""}
    if one is None or other is None or set(one.dims) != set(other.dims):
        return row
    left, right = xr.align(one, other.transpose(*one.dims), join="inner")
    row.update(compared=left.size, only_one=one.size - left.size,
               only_other=other.size - left.size)
    if not left.size:
        return row
    change = (right.values - left.values).reshape(-1)
    is_one_sided = np.isfinite(left.values.reshape(-1)) \
        != np.isfinite(right.values.reshape(-1))
    with np.errstate(invalid="ignore"):
        row["different"] = int((is_one_sided | (np.abs(change) > tolerance)).sum())
    if np.isfinite(change).any():
        at = int(np.nanargmax(np.abs(change)))
        row["largest"] = float(change[at])
    elif is_one_sided.any():
        at = int(is_one_sided.argmax())
    else:
        return row
    dims = [str(dim) for dim in left.dims]
    place = dict(zip(dims, np.unravel_index(at, left.shape)))
    axes = [dim for dim in dims if dim not in ("pair", "sample")]
    flat = np.ravel_multi_index([place[axis] for axis in axes],
                                [left.sizes[axis] for axis in axes])
    row["cell"] = cell_name(cell_table(left, axes, np.array([flat]))[0])
    if "pair" in place:
        row["pair"] = str(left["pair"].values[place["pair"]])
    return row

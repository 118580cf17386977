"""One job over several models, side by side.

    models = patchsweep.open_models("out/cross")    # name -> Results
    patchsweep.by_depth(models, "masked")           # a row a cell of a model

Layers of models of different depth are put on one scale: layer l of L stands at
depth (l + 1/2) / L, the middle of its share of the model.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from .importance import importance
from .results import Results, ResultsError, open as open_results
from .statistics import choose, mean


def open_models(path: str | os.PathLike[str]) -> dict[str, Results]:
    """The results of each model of a job with `models`, in the job's order."""
    folder = os.fspath(path)
    try:
        with open(os.path.join(folder, "models"), encoding="utf-8") as file:
            names = file.read().split("\n")
    except OSError as error:
        raise ResultsError(f"{folder}: not the output of a job over several models: "
                           f"{error}") from error
    return {name: open_results(os.path.join(folder, name)) for name in names if name}


def n_layers(results: Results) -> int:
    """The layers of the model."""
    return int(results.attrs["n_layer"])


def _array(sweep: xr.Dataset, metric: str | None, kind: str | None) -> xr.DataArray:
    if "mask" in sweep.attrs and kind in (None, "importance"):
        return importance(sweep, metric)["importance"]
    return mean(sweep, metric, kind)


def by_depth(models: Mapping[str, Results], sweep: str, metric: str | None = None,
             kind: str | None = None) -> pd.DataFrame:
    """A row a cell of a model: model, layer, n_layer, depth, the other axes, value.
    kind is that of `mean`; of a sweep with groups the importance is taken where none
    is named."""
    tables = []
    for name, results in models.items():
        array = _array(results[sweep], metric, kind)
        if "layer" not in array.dims:
            raise ResultsError(f"{sweep}: it has no axis layer to compare along")
        table = array.rename("value").to_dataframe().reset_index()
        count = n_layers(results)
        table.insert(0, "model", name)
        table.insert(2, "n_layer", count)
        table.insert(3, "depth", (table["layer"] + 0.5) / count)
        tables.append(table)
    if not tables:
        raise ResultsError("no model to compare")
    return pd.concat(tables, ignore_index=True)


def profile(models: Mapping[str, Results], sweep: str, bins: int = 6,
            metric: str | None = None, kind: str | None = None) -> xr.DataArray:
    """[model, depth] the mean of the strongest cell of each layer over the layers of
    each of `bins` equal parts of the depth; NaN where a model has no layer there."""
    table = by_depth(models, sweep, metric, kind)
    strongest = table.loc[table.groupby(["model", "layer"])["value"].apply(
        lambda values: values.abs().idxmax())]
    part = np.minimum((strongest["depth"] * bins).astype(int), bins - 1)
    means = strongest.groupby([strongest["model"], part])["value"].mean()
    names = list(models)
    out = xr.DataArray(np.full((len(names), bins), np.nan), dims=("model", "depth"),
                       coords={"model": names, "depth": (np.arange(bins) + 0.5) / bins})
    for (name, at), value in means.items():
        out.loc[{"model": name}][at] = value
    first = models[names[0]][sweep]
    out.attrs["metric"] = metric or choose(first)[0]
    return out

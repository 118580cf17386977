"""Screening: which cells of an estimated sweep to run, and what that missed.

A sweep with `method: attribution` estimates every cell from gradients, which costs
hardly more than a few cells. `pick` takes the strongest of them, and some of the
others by lot; a sweep with `index: FILE` then runs these, exactly. `check` compares
the two: how good the estimates are, and, by the cells drawn by lot, how many strong
ones they hid.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from .cells import cell_axes, cell_table
from .results import ResultsError
from .statistics import choose, mean

COLUMNS = ("layer", "position", "label", "head", "dest", "src", "neuron", "dim")


def _strengths(sweep: xr.Dataset, metric: str | None) -> tuple[str, np.ndarray]:
    """The metric, and the size of the mean effect of every cell (C order)."""
    metric, _ = choose(sweep, metric, "effect")
    return metric, np.abs(mean(sweep, metric, "effect").values.reshape(-1))


def pick(sweep: xr.Dataset, n: int | None = None, threshold: float | None = None,
         sample: int = 0, seed: int = 0, metric: str | None = None) -> pd.DataFrame:
    """The cells to run: the n strongest by the size of the mean effect over pairs,
    or all of at least `threshold`, and `sample` of the rest drawn without
    repetition.

    Columns: the axes, `strength`, `reason` (top or sample)."""
    if (n is None) == (threshold is None):
        raise ResultsError("give the number of cells or a threshold, and not both")
    metric, strength = _strengths(sweep, metric)
    known = np.flatnonzero(~np.isnan(strength))
    order = known[np.argsort(-strength[known], kind="stable")]
    count = (int((strength[known] >= threshold).sum()) if threshold is not None
             else min(int(n or 0), len(order)))
    top, rest = order[:count], np.sort(order[count:])
    drawn = np.random.default_rng(seed).choice(rest, min(sample, len(rest)),
                                               replace=False)
    cells = np.concatenate([top, np.sort(drawn)]).astype(int)
    table = pd.DataFrame(cell_table(sweep, cell_axes(sweep[metric]), cells))
    table["strength"] = strength[cells]
    table["reason"] = ["top"] * len(top) + ["sample"] * len(drawn)
    table.attrs["of"] = len(known)
    return table


def write_index(table: pd.DataFrame, path: str | Path) -> None:
    """The cells as the file that a sweep's `index` names."""
    table[[name for name in COLUMNS if name in table]].to_csv(path, index=False)


def _most_likely_missed(found: int, drawn: int, of: int) -> tuple[float, float]:
    """How many of `of` cells are strong where `found` of `drawn` were: the estimate,
    and what it does not exceed in 95 % of such draws (Clopper and Pearson)."""
    if drawn == 0:
        return math.nan, math.nan
    if found == drawn:
        return float(of), float(of)
    low, high = found / drawn, 1.0
    for _ in range(60):  # the share at which so few are found 5 % of the time
        share = (low + high) / 2
        probability = sum(math.comb(drawn, k) * share ** k * (1 - share) ** (drawn - k)
                          for k in range(found + 1))
        low, high = (share, high) if probability > 0.05 else (low, share)
    return of * found / drawn, of * high


def check(estimated: xr.Dataset, exact: xr.Dataset, k: int = 100,
          metric: str | None = None) -> dict[str, float]:
    """What an exact sweep over picked cells says of the estimates.

    `exact` is a list of cells: those that `pick` put first, and those drawn by lot.
    A strong cell is one of the k strongest that were run; k is at most the number of
    cells that `pick` put first.

    cells, run, drawn   cells estimated; run exactly; of these by lot
    correlation         of estimate and exact mean effect, over the cells run
    largest_error       of an estimated mean effect
    strong              the strength of the k-th strongest cell run
    missed, missed_most strong cells among those not run: estimated from the lot,
                        and the 95 % upper bound
    recall, recall_least  k over k and the missed
    """
    metric, strength = _strengths(estimated, metric)
    axes = cell_axes(estimated[metric])
    sizes = tuple(estimated.sizes[axis] for axis in axes)
    places = {axis: {value: i for i, value in enumerate(estimated[axis].values.tolist())}
              for axis in axes}
    run = cell_table(exact, cell_axes(exact[metric]),
                     np.arange(exact.sizes["cell"]))
    try:
        flat = np.array([np.ravel_multi_index(tuple(places[axis][row[axis]]
                                                    for axis in axes), sizes)
                         for row in run])
    except KeyError as error:
        raise ResultsError(f"the exact sweep has a cell that was not estimated: "
                           f"{error}") from error
    guess = mean(estimated, metric, "effect").values.reshape(-1)[flat]
    truth = mean(exact, metric, "effect").values.reshape(-1)
    # those by lot are weaker, by estimate, than some cell that was not run
    not_run = np.setdiff1d(np.flatnonzero(~np.isnan(strength)), flat)
    weakest = strength[not_run].max() if len(not_run) else -1.0
    is_drawn = strength[flat] < weakest
    # no more than were picked: among all that were run the weakest came by lot
    k = min(k, int((~is_drawn).sum()) or len(truth))
    strong = float(np.sort(np.abs(truth))[-k])
    found = int((np.abs(truth[is_drawn]) >= strong).sum())
    missed, most = _most_likely_missed(found, int(is_drawn.sum()), len(not_run))
    if len(not_run) == 0:
        missed = most = 0.0
    return {"cells": float((~np.isnan(strength)).sum()), "run": float(len(truth)),
            "drawn": float(is_drawn.sum()),
            "correlation": float(np.corrcoef(guess, truth)[0, 1]),
            "largest_error": float(np.abs(guess - truth).max()),
            "strong": strong, "missed": missed, "missed_most": most,
            "recall": k / (k + missed), "recall_least": k / (k + most)}

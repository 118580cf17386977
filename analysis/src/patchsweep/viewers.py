"""Pages to look into a model's runs: attention of heads over tokens, and one neuron's
activation over the texts of the prompts.

    patchsweep.attention(results, layers=[9, 10]).save("attention.html")
    patchsweep.neurons(results)              # in a notebook: shows itself

The values are those of activations.h5 (`hook_pattern`, `mlp.hook_post` of the clean
and corrupted runs), or of an analysis of the kind `attention`; a page holds them in
steps of 1/255 (attention) and of 1/127 of a neuron's largest activation.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from . import web
from .cells import is_absolute, text
from .results import Results, ResultsError

RUNS = ("clean", "corrupted")
# Bytes of neurons that a page holds at most.
NEURON_BYTES = 4_000_000

Cells = list[dict[str, int]]
Texts = list[dict[str, Any]]


@dataclass
class View:
    """A page by itself."""
    title: str
    kind: str
    data: dict[str, Any]

    @property
    def html(self) -> str:
        """The page; needs no network."""
        body = (f"<main><h1>{html.escape(self.title)}</h1>"
                f'<div data-view="{self.kind}" data-payload="view"></div></main>')
        return web.page(self.title, body, {"view": web.packed(self.data)},
                        [f"{self.kind}.js"])

    def save(self, path: str) -> None:
        """Write the page."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.html)

    def _repr_html_(self) -> str:
        return (f'<iframe srcdoc="{html.escape(self.html)}" width="100%" height="760" '
                'style="border:0"></iframe>')


def pair_name(dataset: xr.Dataset, row: int) -> str:
    """pair 3 (shops)"""
    number = int(dataset["pair"].values[row])
    words = [text(dataset[name].values[row]) for name in ("id", "group")
             if name in dataset.coords]
    words = [word for word in words if word not in ("", str(number))]
    return f"pair {number}" + (f" ({', '.join(words)})" if words else "")


def _hooks(results: Results, pattern: str) -> dict[int, str]:
    """layer -> hook, of the hooks that the clean or corrupted run has."""
    found: dict[int, str] = {}
    for run in RUNS:
        for name in results.activations[run] if run in results.activations else ():
            match = re.fullmatch(rf"blocks\.(\d+)\.{pattern}", str(name))
            if match:
                found[int(match[1])] = str(name)
    return dict(sorted(found.items()))


def _tokens(results: Results, group: xr.Dataset, row: int, run: str,
            axis: str) -> list[str]:
    """The tokens at the positions of an axis; their names where the file has none."""
    names = [text(value) for value in group[axis].values]
    for own in ("token_strings" if axis == "position" else f"token_strings_{axis}",
                f"token_{run}"):
        if own in group and axis in group[own].dims:
            return [text(token) for token in group[own].values[row]]
    if not all(is_absolute(name) for name in names):
        return names
    whole = results.pairs["token_strings"].sel(run=run, pair=group["pair"].values[row])
    return [text(whole.values[int(name)]) for name in names]


def _pattern_text(results: Results, group: xr.Dataset, row: int, run: str,
                  arrays: list[np.ndarray], axes: Sequence[str]) -> dict[str, Any] | None:
    """One prompt: its tokens and the patterns [cell, dest, src] of its own length."""
    stacked = np.concatenate(arrays)
    has_value = np.isfinite(stacked)
    dest, src = (np.flatnonzero(has_value.any(axis=over)) for over in ((0, 2), (0, 1)))
    if not dest.size:
        return None
    names = [[text(value) for value in group[axis].values] for axis in axes]
    tokens = [_tokens(results, group, row, run, axis) for axis in axes]
    kept = [names[1][place] for place in src]
    cut = stacked[:, dest][:, :, src]
    return {"name": pair_name(group, row), "pair": int(group["pair"].values[row]),
            "run": run, "dest": [tokens[0][place] for place in dest],
            "src": [tokens[1][place] for place in src],
            "at": [kept.index(names[0][place]) if names[0][place] in kept else -1
                   for place in dest],
            "pattern": web.encoded(np.round(np.nan_to_num(cut) * 255).astype(np.uint8))}


def _from_activations(results: Results, hooks: dict[int, str],
                      pairs: Iterable[int] | None) -> tuple[Cells, Texts]:
    cells: Cells = []
    texts: Texts = []
    for run in RUNS:
        if run not in results.activations:
            continue
        group = results.activations[run]
        own = {layer: group[hook] for layer, hook in hooks.items() if hook in group}
        if not own:
            continue
        cells = [{"layer": layer, "head": int(head)}
                 for layer, array in own.items() for head in array["head"].values]
        axes = [str(dim) for dim in next(iter(own.values())).dims[2:]]
        for row, number in enumerate(group["pair"].values.tolist()):
            if pairs is None or number in pairs:
                arrays = [array.isel(pair=row).values for array in own.values()]
                made = _pattern_text(results, group, row, run, arrays, axes)
                texts += [made] if made else []
    return cells, texts


def _from_analysis(results: Results, analysis: xr.Dataset,
                   layers: Iterable[int] | None,
                   pairs: Iterable[int] | None) -> tuple[Cells, Texts]:
    where = list(zip(analysis["layer"].values.tolist(), analysis["head"].values.tolist()))
    kept = [k for k, (layer, _) in enumerate(where) if layers is None or layer in layers]
    cells = [{"layer": where[k][0], "head": where[k][1]} for k in kept]
    texts = []
    for run in [text(value) for value in analysis["run"].values]:
        for row, number in enumerate(analysis["pair"].values.tolist()):
            if pairs is not None and number not in pairs:
                continue
            array = analysis["pattern"].sel(run=run).isel(pair=row, cell=kept)
            axes = [str(dim) for dim in array.dims if dim != "cell"]
            made = _pattern_text(results, analysis, row, run,
                                 [array.transpose("cell", *axes).values], axes)
            texts += [made] if made else []
    return cells, texts


def attention_data(results: Results, layers: Iterable[int] | None = None,
                   pairs: Iterable[int] | None = None,
                   start: tuple[int, int] | None = None) -> dict[str, Any] | None:
    """What web/attention.js shows, of the activations or else of the first analysis of
    attention; None where the results have neither."""
    layers = None if layers is None else list(layers)
    pairs = None if pairs is None else list(pairs)
    hooks = {layer: hook for layer, hook in _hooks(results, r"attn\.hook_pattern").items()
             if layers is None or layer in layers}
    cells, texts = _from_activations(results, hooks, pairs) if hooks else ([], [])
    if not texts:
        for analysis in results.analyses.values():
            if analysis.attrs.get("kind") == "attention":
                cells, texts = _from_analysis(results, analysis, layers, pairs)
                break
    if not texts or not cells:
        return None
    first = {"layer": start[0], "head": start[1]} if start else cells[0]
    return {"cells": cells, "texts": texts,
            "start": cells.index(first) if first in cells else 0}


def _neuron_texts(results: Results, hooks: dict[int, str],
                  pairs: Iterable[int] | None) -> tuple[Texts,
                                                        list[tuple[str, int, np.ndarray]]]:
    """(texts, [(run, row, positions with a value)])"""
    found = []
    for run in RUNS:
        if run not in results.activations or not hooks:
            continue
        group = results.activations[run]
        hook = next((name for name in hooks.values() if name in group), None)
        if hook is None:
            continue
        axis = str(group[hook].dims[1])
        values = group[hook].values
        for row, number in enumerate(group["pair"].values.tolist()):
            at = np.flatnonzero(np.isfinite(values[row]).any(axis=-1))
            if at.size and (pairs is None or number in pairs):
                tokens = _tokens(results, group, row, run, axis)
                made = {"name": pair_name(group, row), "pair": number, "run": run,
                        "tokens": [tokens[place] for place in at]}
                found.append((made, (run, row, at)))
    found.sort(key=lambda each: int(each[0]["pair"]))
    return [made for made, _ in found], [place for _, place in found]


def neuron_data(results: Results, layers: Iterable[int] | None = None,
                pairs: Iterable[int] | None = None,
                named: Sequence[tuple[int, int, str]] = (),
                most_bytes: int = NEURON_BYTES) -> dict[str, Any] | None:
    """What web/neurons.js shows; None without `mlp.hook_post`. Of too many neurons,
    those that are named (layer, neuron, why) are kept, and then those of the largest
    activations."""
    layers = None if layers is None else list(layers)
    pairs = None if pairs is None else list(pairs)
    hooks = {layer: hook for layer, hook in _hooks(results, r"mlp\.hook_post").items()
             if layers is None or layer in layers}
    texts, places = _neuron_texts(results, hooks, pairs)
    if not texts:
        return None
    n_tokens = sum(len(made["tokens"]) for made in texts)
    parts, numbers = [], []
    for layer, hook in hooks.items():
        runs = {run: results.activations[run][hook].values
                for run in dict.fromkeys(run for run, _, _ in places)}
        columns = [runs[run][row, at].T for run, row, at in places]
        parts.append(np.nan_to_num(np.concatenate(columns, axis=1)))
        numbers += [(layer, neuron) for neuron in range(len(parts[-1]))]
    values = np.concatenate(parts)
    scale = np.abs(values).max(axis=1)
    known = {where: n for n, where in enumerate(numbers)}
    marked = [(known[layer, neuron], why) for layer, neuron, why in named
              if (layer, neuron) in known]
    order = list(dict.fromkeys([n for n, _ in marked]
                               + np.argsort(-scale, kind="stable").tolist()))
    kept = sorted(order[:max(1, most_bytes // n_tokens)])
    place = {n: k for k, n in enumerate(kept)}
    steps = np.where(scale[kept] > 0, scale[kept], 1)[:, None] / 127
    return {"texts": texts, "layer": [numbers[n][0] for n in kept],
            "neuron": [numbers[n][1] for n in kept],
            "scale": [float(f"{scale[n]:.5g}") for n in kept],
            "values": web.encoded(np.round(values[kept] / steps).astype(np.int8)),
            "marked": [[place[n], why] for n, why in dict(marked).items() if n in place],
            "n_all": len(numbers)}


def attention(results: Results, layers: Iterable[int] | None = None,
              pairs: Iterable[int] | None = None) -> View:
    """Heads of the chosen layers over the tokens of each prompt: hover a token to
    follow what it looks at, or from where it is looked at."""
    data = attention_data(results, layers, pairs)
    if data is None:
        raise ResultsError(f"{results.path}: no attention: the job stored neither "
                           "hook_pattern nor an analysis of attention")
    return View(f"{results.attrs.get('title', '')}: attention", "attention", data)


def neurons(results: Results, layers: Iterable[int] | None = None,
            pairs: Iterable[int] | None = None) -> View:
    """One neuron's activation over the texts of the prompts, with a search over layer
    and neuron."""
    data = neuron_data(results, layers, pairs)
    if data is None:
        raise ResultsError(f"{results.path}: no neurons: the job stored no "
                           "mlp.hook_post")
    return View(f"{results.attrs.get('title', '')}: neurons", "neurons", data)

"""Activations of edited runs: what `record` of a sweep keeps, from
TransformerLens' hooks."""

import fnmatch

import numpy as np

KEYS = {"hooks", "cells"}


def edited_activations(sweep, pair, cell, names):
    """{hook: activation} of one edited run; None where the cell does not
    apply."""
    edits = sweep.edits(pair, cell)
    if edits is None:
        return None
    kept = {}

    def keep(activation, hook):
        kept[hook.name] = activation[0].clone()

    # hooks of one place are called in the order in which they are added
    sweep.model.run_with_hooks(pair.tokens[sweep.base], fwd_hooks=[
        *edits, *((name, keep) for name in names)])
    return kept


def arrays(sweep, entry):
    """{hook: array [pair, kept cells of each axis.., hook's own]}, NaN beyond
    a run and where a cell does not apply."""
    unknown = set(entry) - KEYS
    if unknown:
        raise ValueError(f"{sweep.name}: record: no {sorted(unknown)} here")
    patterns = entry["hooks"]
    patterns = [patterns] if isinstance(patterns, str) else patterns
    names = [n for n in sweep.pairs[0].cache[sweep.base]
             if any(fnmatch.fnmatchcase(n, p) for p in patterns)]
    cells = entry.get("cells", {})
    kept = [[i for i, value in enumerate(values)
             if value in cells.get(axis, values)]
            for axis, values in zip(sweep.axes, sweep.coordinates)]
    lead = [len(sweep.pairs), *map(len, kept)]
    shapes = {name: np.max([p.cache[sweep.base][name].shape[1:]
                            for p in sweep.pairs], 0) for name in names}
    out = {name: np.full([*lead, *shapes[name]], np.nan) for name in names}
    for i, pair in enumerate(sweep.pairs):
        for index, cell in sweep.cells():
            if not all(k in chosen for k, chosen in zip(index, kept)):
                continue
            at = tuple(chosen.index(k) for k, chosen in zip(index, kept))
            found = edited_activations(sweep, pair, cell, names)
            for name, value in (found or {}).items():
                inside = tuple(map(slice, value.shape))
                out[name][(i, *at, *inside)] = value.numpy()
    return out


def compare(report, file, fixture, widen):
    """activations.h5 against the fixture: each cell of each pair is an array,
    bounded by its own span."""
    for sweep, group in fixture["records"].items():
        for hook, data in group.items():
            path = f"sweeps/{sweep}/{hook}"
            if path not in file:
                report.fail(f"{path}: not in activations.h5")
                continue
            expected = data[()]
            n_lead = int(data.attrs["n_lead"])
            flat = expected.reshape(*expected.shape[:n_lead], -1)
            finite = np.isfinite(flat)
            values = np.where(finite, flat, 0)
            span = np.where(finite, flat, -np.inf).max(-1) - \
                np.where(finite, flat, np.inf).min(-1)
            rms = np.sqrt((values ** 2).sum(-1) /
                          np.maximum(finite.sum(-1), 1))
            bound = 1e-5 * np.where(finite.any(-1), np.maximum(span, rms), 0)
            report.compare(path, file[path][()], expected,
                           widen(bound, data, fixture))

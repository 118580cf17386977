"""Analyses and activations as docs/files.md lays them out, made up: beside results that the
program wrote. Patterns are causal and sum to one, attributions to the logits."""

import os
import shutil

import numpy as np
import xarray as xr

from made import patchsweep


def _pairs(results):
    pairs = results.pairs
    return {name: ("pair", pairs[name].values) for name in
            ("pair", "id", "group", "cluster", "length")}


def _softmax(scores):
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    return scores / scores.sum(-1, keepdims=True)


def _patterns(rng, n_pair, n_head, n_token, lengths):
    """[pair, head, dest, src], NaN beyond a prompt's end."""
    scores = rng.normal(0, 1.5, (n_pair, n_head, n_token, n_token))
    scores[..., 0] += 1.5
    scores = np.where(np.tri(n_token, dtype=bool), scores, -np.inf)
    patterns = _softmax(scores).astype("f4")
    for pair, length in enumerate(lengths):
        patterns[pair, :, length:] = np.nan
        patterns[pair, :, :, length:] = np.nan
    return patterns


def _activations(path, results, shape, rng):
    n_layer, n_head, d_model, d_mlp = shape
    pairs = results.pairs
    n_pair, n_token = pairs.sizes["pair"], pairs.sizes["position"]
    for run in ("clean", "corrupted"):
        lengths = pairs["n_tokens"].sel(run=run).values
        is_beyond = np.arange(n_token)[None, :] >= lengths[:, None]
        arrays = {}
        for layer in range(n_layer):
            arrays[f"blocks.{layer}.attn.hook_pattern"] = (
                ("pair", "head", "position", "position_2"),
                _patterns(rng, n_pair, n_head, n_token, lengths))
            post = rng.gamma(0.3, 0.7, (n_pair, n_token, d_mlp)).astype("f4") - 0.17
            post[is_beyond] = np.nan
            arrays[f"blocks.{layer}.mlp.hook_post"] = (("pair", "position", "neuron"),
                                                       post)
            resid = rng.normal(size=(n_pair, n_token, d_model)).astype("f4")
            resid[is_beyond] = np.nan
            arrays[f"blocks.{layer}.hook_resid_pre"] = (("pair", "position", "d_model"),
                                                        resid)
        places = np.arange(n_token, dtype="i4")
        dataset = xr.Dataset(arrays, coords={
            **_pairs(results), "position": places, "position_2": places,
            "head": np.arange(n_head, dtype="i4"),
            "token_strings": (("pair", "position"),
                              pairs["token_strings"].sel(run=run).values)})
        dataset.to_netcdf(path, mode="a" if os.path.exists(path) else "w", group=run,
                          engine="h5netcdf")


def _write(path, name, arrays, coords, attrs):
    dataset = xr.Dataset(arrays, coords=coords, attrs=attrs)
    for variable, array in dataset.data_vars.items():
        array.attrs["units"] = "logit" if "logit" in str(variable) else "1"
    dataset.to_netcdf(path, mode="a", group=f"analyses/{name}", engine="h5netcdf")


def _analyses(path, results, shape, rng):
    n_layer, n_head, _, d_mlp = shape
    n_pair = results.pairs.sizes["pair"]
    runs = np.array(["clean", "corrupted"], dtype=object)
    coords = {**_pairs(results), "run": runs,
              "position": np.array(["end"], dtype=object)}
    clean = results.baseline["logit_diff"].sel(run="clean").values
    ends = np.stack([clean, results.baseline["logit_diff"].sel(run="corrupted").values])

    states = [f"{layer}_{part}" for layer in range(n_layer) for part in ("pre", "mid")]
    states.append("final_post")
    rise = np.linspace(0, 1, len(states))[None, None, :, None] ** 3
    lens = (ends[:, :, None, None] * rise
            + rng.normal(0, 0.3, (2, n_pair, len(states), 1)) * (1 - rise)).astype("f4")
    over = ("run", "pair", "state", "position")
    _write(path, "lens",
           {"logit_diff": (over, lens), "logit": (over, lens + 9),
            "prob": (over, 1 / (1 + np.exp(-lens))),
            "answer_rank": (over, np.round(1 + np.exp(3 - lens)).astype("f4")),
            "logit_diff_overall": (("run", "state", "position"), lens.mean(axis=1))},
           {**coords, "state": np.array(states, dtype=object)},
           {"kind": "logit_lens", "name": "lens", "scale": "cached"})

    components = ["embed", "pos_embed"]
    components += [f"{layer}_{part}_out" for layer in range(n_layer)
                   for part in ("attn", "mlp")]
    components.append("bias")
    parts = rng.normal(0, 0.3, (2, n_pair, len(components), 1)).astype("f4")
    parts[:, :, -2] += ends[:, :, None] - parts.sum(axis=2)
    _write(path, "decompose",
           {"logit_diff": (("run", "pair", "component", "position"), parts),
            "logit": (("run", "pair", "component", "position"), parts / 2)},
           {**coords, "component": np.array(components, dtype=object)},
           {"kind": "decompose", "name": "decompose"})

    each = rng.normal(0, 0.1, (2, n_pair, n_layer, n_head, 1)).astype("f4")
    _write(path, "heads",
           {"logit_diff": (("run", "pair", "layer", "head", "position"), each),
            "logit_diff_remainder": (("run", "pair", "position"),
                                     ends[:, :, None] - each.sum(axis=(2, 3)))},
           {**coords, "layer": np.arange(n_layer, dtype="i4"),
            "head": np.arange(n_head, dtype="i4")},
           {"kind": "heads", "name": "heads"})

    strongest = -np.sort(-np.abs(rng.normal(size=(2, 1, 20))), axis=-1).astype("f4")
    strongest[..., 1::3] *= -1
    ranked = ("run", "position", "rank")
    _write(path, "neurons",
           {"mean_top_layer": (ranked, rng.integers(0, n_layer, (2, 1, 20), dtype="i4")),
            "mean_top_neuron": (ranked, rng.integers(0, d_mlp, (2, 1, 20), dtype="i4")),
            "mean_top_logit_diff": (ranked, strongest)},
           {name: coords[name] for name in ("run", "position")},
           {"kind": "neurons", "name": "neurons"})

    scores = rng.random((3, n_layer, n_head)).astype("f4") ** 4
    _write(path, "head_scores",
           {name: (("layer", "head"), scores[k]) for k, name in
            enumerate(("previous_token", "duplicate_token", "induction"))},
           {"layer": np.arange(n_layer, dtype="i4"),
            "head": np.arange(n_head, dtype="i4")},
           {"kind": "head_scores", "name": "head_scores", "n": 10, "length": 50,
            "seed": 0})


def add(folder, out, shape, seed=0):
    """A copy in `out` of the results in `folder`, with analyses and activations of a model
    of shape (layers, heads, d_model, d_mlp)."""
    os.makedirs(out)
    path = os.path.join(out, "results.h5")
    shutil.copy(os.path.join(folder, "results.h5"), path)
    rng = np.random.default_rng(seed)
    with patchsweep.open(folder) as results:
        _analyses(path, results, shape, rng)
        _activations(os.path.join(out, "activations.h5"), results, shape, rng)
    return out

#!/usr/bin/env python3
"""Make the parity fixtures from TransformerLens, or check them live.

Needs (not for the build or the tests, which read the stored arrays):
  torch 2.13 (CPU), transformers 4.57, transformer-lens 2.18 (< 3),
  safetensors 0.7, h5py, PyYAML, pandas

  generate.py                all models and fixtures
  generate.py odd worst      these jobs' fixtures (models are kept)
  generate.py --models       the model folders alone
  generate.py --check [JOB]  compute again and compare with what is stored

What a fixture is: README.md. Checked on the way, in float64: the logits
against transformers' GPT2LMHeadModel, the loss against TransformerLens'
loss_fn; every sweep that a get_act_patch_* helper computes against it."""

import argparse
import hashlib
import importlib.metadata
import json
import sys
from pathlib import Path

import h5py
import numpy as np
import torch
import yaml
from transformer_lens import patching

import analyses
import models
import records
import reference
import traced

HERE = Path(__file__).resolve().parent
VERSIONS = ("torch", "transformers", "transformer-lens", "numpy", "h5py")
HF_TOLERANCE = 1e-10      # of the logits; measured 1.6e-13
HELPER_TOLERANCE = 1e-12  # the same float64 passes; measured 0
MARGIN = 1e-4             # of a counted metric's logits from a tie
FLOAT32_SANE = 0.01       # of the rms: more is another model, not rounding
HOOK_PAIRS = 2            # pairs whose activations are stored
WORST_ORDERS = 4          # orders of summation in float32, for model worst

HELPERS = {  # site, axes of the sweep: TransformerLens' helper
    ("resid_pre", "layer position"): "resid_pre",
    ("resid_mid", "layer position"): "resid_mid",
    ("attn_out", "layer position"): "attn_out",
    ("mlp_out", "layer position"): "mlp_out",
    ("z", "layer position head"): "attn_head_out_by_pos",
    ("q", "layer position head"): "attn_head_q_by_pos",
    ("k", "layer position head"): "attn_head_k_by_pos",
    ("v", "layer position head"): "attn_head_v_by_pos",
    ("pattern", "layer head dest"): "attn_head_pattern_by_pos",
    ("pattern", "layer head dest src"): "attn_head_pattern_dest_src_pos",
    ("z", "layer head"): "attn_head_out_all_pos",
    ("q", "layer head"): "attn_head_q_all_pos",
    ("k", "layer head"): "attn_head_k_all_pos",
    ("v", "layer head"): "attn_head_v_all_pos",
    ("pattern", "layer head"): "attn_head_pattern_all_pos",
}
EVERY = {  # helper: the sweeps of every.yaml it stacks, in its order
    "attn_head_all_pos_every": ("z", "q", "k", "v", "pattern"),
    "attn_head_by_pos_every": (
        "z_by_position", "q_by_position", "k_by_position", "v_by_position",
        "pattern_by_dest"),
    "block_every": ("resid_pre", "attn_out", "mlp_out"),
}


def tl_helper(name):
    return getattr(patching, "get_act_patch_" + name)


def digests(path, spec):
    """SHA-256 of the job and of every file it names."""
    folder = path.parent
    files = {path, *(folder / spec["model"]).iterdir()}
    for sweep in spec.get("sweeps", []):
        value = sweep.get("value")
        if "index" in sweep:
            files.add(folder / sweep["index"])
        mask = sweep.get("mask")
        lists = (sweep.get("groups", {}).get("partition"),
                 mask.get("keep") if isinstance(mask, dict) else None)
        files |= {folder / name for name in lists
                  if str(name).endswith(".json")}
        if isinstance(value, dict):
            name = value.get("add") or value["mean"]["prompts"]
            files |= {folder / name} if name != "pairs" else set()
        files |= {folder / e["value"]["add"] for e in sweep.get("edits", [])
                  if isinstance(e.get("value"), dict)}
    return {str(f.resolve().relative_to(HERE)):
            hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(files)}


def check_against_hf(job):
    if job.spec.get("weights") == "processed":
        return  # raw logits move by a constant: checked on raw weights
    for pair in job.pairs:
        for run, tokens in pair.tokens.items():
            with torch.no_grad():
                logits = job.hf(tokens).logits[0]
            off = (logits - pair.logits[run]).abs().max().item()
            if tokens.shape[1] > 1 and not pair.sequence:
                loss = job.model.loss_fn(pair.logits[run][None], tokens)
                off = max(off, abs(loss.item() - reference.metric(
                    "loss", pair, pair.logits[run], run)))
            if not off <= HF_TOLERANCE:
                raise ValueError(f"pair {pair.id}: {off} from transformers")


def helper_of(sweep):
    """The helper that computes the same as a sweep, or None."""
    plain = (sweep.base, sweep.value) == ("corrupted", "clean") and \
        not isinstance(sweep, traced.Traced) and \
        not sweep.subset and not {"window", "method"} & set(sweep.spec) and all(
            len(set(p.length.values())) == 1 for p in sweep.pairs)
    if not plain or "logit_diff" not in sweep.metrics:
        return None
    return HELPERS.get((sweep.site, " ".join(sweep.axes)))


def check_against_helper(sweep, name, values):
    """values [pair, axes..] of logit_diff against the helper's own loop."""
    for pair, row in zip(sweep.pairs, values):
        expected = tl_helper(name)(
            sweep.model, pair.tokens["corrupted"], pair.cache["clean"],
            lambda logits: torch.tensor(reference.metric(
                "logit_diff", pair, logits[0], "corrupted"))).numpy()
        row = row[tuple(map(slice, expected.shape))]
        off = np.abs(row - expected).max()
        if not off <= HELPER_TOLERANCE * max(1, np.abs(expected).max()):
            raise ValueError(f"{sweep.name}: pair {pair.id}: {off} from "
                             f"get_act_patch_{name}")


def put(group, name, values, **attributes):
    filters = dict(compression="gzip", compression_opts=9, shuffle=True) \
        if np.size(values) > 300 else {}  # an index costs more than it saves
    data = group.create_dataset(name, data=values, **filters)
    data.attrs.update(attributes)


def most(values):
    """[pair]: the largest number of each pair; -inf where it has none."""
    flat = values.reshape(len(values), -1)
    return flat.max(1, where=~np.isnan(flat), initial=-np.inf)


def put_sweep(out, sweep, twins, rms):
    """One sweep's arrays; twins: the same sweep in float32."""
    margins = {m: np.inf for m in ("answer_rank", "accuracy", "top1")
               if m in sweep.metrics}

    def watch(pair, logits):
        for m in margins:
            margins[m] = min(margins[m],
                             reference.metric_margin(m, pair, logits,
                                                     sweep.base))

    arrays, of_twins = sweep.run(watch), [twin.run() for twin in twins]
    for m, margin in margins.items():
        if margin < MARGIN:
            raise ValueError(f"{sweep.name}: {m}: a tie within {margin}")
    group = out.create_group("sweeps/" + sweep.name)
    group.attrs["axes"] = sweep.axes
    helper = helper_of(sweep)
    if helper:
        check_against_helper(sweep, helper, arrays["logit_diff"])
        group.attrs["helper"] = "get_act_patch_" + helper
    base = "clean" if sweep.base == "noised" else sweep.base
    for name, values in arrays.items():
        error = np.max([most(np.abs(arrays32[name] - values))
                        for arrays32 in of_twins], 0)
        is_base = name not in sweep.metrics
        metric = name.removesuffix("_base") if is_base else name
        scale = [reference.metric_scale(metric, r) for r in rms[base]]
        if not (error <= FLOAT32_SANE * rms[base]).all():
            raise ValueError(f"{sweep.name}: {name}: float32 is off {error}")
        put(group, name, values, scale=scale, float32_error=error,
            is_base=is_base)
        span = most(values) + most(-values)
        if not any(scale):
            continue
        used = (error / (1e-5 * np.maximum(span, scale))).max()
        print(f"  {sweep.name} {name}: {np.isfinite(values).sum()} values, "
              f"float32 PyTorch uses {used:.3f} of the bound")


def put_every(out, job):
    """The three "every" helpers over the whole batch, normalised by
    (LD - LD_corrupted) / (LD_clean - LD_corrupted) of the batch means."""
    clean, corrupted = (torch.cat([p.tokens[run] for p in job.pairs])
                        for run in ("clean", "corrupted"))
    answer, wrong = (torch.tensor([p.spec[key] for p in job.pairs])
                     for key in ("answer_tokens", "wrong_tokens"))
    rows = torch.arange(len(job.pairs))

    def mean_diff(logits):
        return (logits[rows, -1, answer] - logits[rows, -1, wrong]).mean()

    logits, cache = job.model.run_with_cache(clean)
    base, span = mean_diff(job.model(corrupted)), mean_diff(logits)
    span -= base
    for helper, names in EVERY.items():
        stacked = tl_helper(helper)(
            job.model, corrupted, cache,
            lambda logits: (mean_diff(logits) - base) / span)
        for name, values in zip(names, stacked.numpy()):
            if name == "pattern_by_dest":  # back to layer, head, position
                values = values.swapaxes(1, 2)
            group = out["sweeps/" + name]
            of_pairs = group["logit_diff"][()].mean(0)
            np.testing.assert_allclose(
                values, (of_pairs - base.item()) / span.item(),
                atol=HELPER_TOLERANCE, err_msg=f"{helper}: {name}")
            rms = np.sqrt((job.rms("corrupted") ** 2).mean())
            put(group, "logit_diff_recovered_overall",
                values, scale=rms / abs(span.item()), float32_error=0.0,
                helper="get_act_patch_" + helper)


def put_analyses(out, job):
    for entry in job.spec["analyses"]:
        name = entry.get("as", entry["name"])
        values = analyses.expected(entry, job)
        group = out.create_group("analyses/" + name)
        group.attrs["kind"] = entry["name"]
        if entry["name"] != "head_scores":
            group.attrs["rms"] = [job.rms(run)
                                  for run in analyses.runs_of(entry)]
            group.attrs["has_position"] = analyses.has_position(entry, job)
        for key, array in values.items():
            put(group, key, array)
        print(f"  {name}: {sum(map(np.size, values.values()))} values")


def put_hooks(out, job, twin):
    for pair, pair32 in list(zip(job.pairs, twin.pairs))[:HOOK_PAIRS]:
        for name, values in pair.cache["clean"].items():
            off = pair32.cache["clean"][name] - values
            error = off.nan_to_num(0).abs().max().item()
            put(out, f"hooks/{pair.id}/{name}", values[0].numpy(),
                float32_error=error)


def put_records(out, job, twin):
    """What `record` keeps, by sweep and hook; with the same in float32."""
    for sweep, sweep32 in zip(job.sweeps, twin.sweeps):
        for entry in sweep.spec.get("record", []):
            rounded = records.arrays(sweep32, entry)
            for hook, values in records.arrays(sweep, entry).items():
                off = np.nan_to_num(rounded[hook] - values, posinf=0, neginf=0)
                put(out, f"records/{sweep.name}/{hook}", values,
                    n_lead=1 + len(sweep.axes), float32_error=np.abs(off).max())


def write_fixture(name, path):
    job_path = HERE / "jobs" / f"{name}.yaml"
    spec = yaml.safe_load(job_path.read_text())
    job = reference.Job(job_path, spec, torch.float64)
    is_worst = spec["model"].endswith("worst")
    twins = [reference.Job(job_path, spec, torch.float32, order)
             for order in range(WORST_ORDERS if is_worst else 1)]
    check_against_hf(job)
    rms = {run: job.rms(run) for run in ("clean", "corrupted")}
    # small headers that Debian's HDF5 1.10 still reads
    with h5py.File(path, "w", libver=("v108", "v110")) as out:
        out.attrs["job"] = name
        out.attrs["digests"] = json.dumps(digests(job_path, spec))
        out.attrs["versions"] = json.dumps(
            {p: importlib.metadata.version(p) for p in VERSIONS})
        out.attrs["bound"] = "float32" if is_worst else "1e-5"
        out["pairs/id"] = [pair.id for pair in job.pairs]
        for run in rms:
            out[f"pairs/length_{run}"] = [pair.length.get(run, 0)
                                          for pair in job.pairs]
        for metric in job.metrics:
            values = job.baseline(metric)
            scale = [[reference.metric_scale(metric, r) for r in rms[run]]
                     for run in rms]
            error = np.max([np.abs(twin.baseline(metric) - values)
                            for twin in twins], 0)
            put(out, f"baseline/{metric}", values, scale=scale,
                float32_error=error)
        for sweep, *sweeps32 in zip(job.sweeps, *(t.sweeps for t in twins)):
            put_sweep(out, sweep, sweeps32, rms)
        if name == "every":
            put_every(out, job)
        if "analyses" in spec:
            put_analyses(out, job)
        if "activations" in spec:
            put_hooks(out, job, twins[0])
        if any("record" in sweep for sweep in spec.get("sweeps", [])):
            put_records(out, job, twins[0])
    print(f"{path.name}: {path.stat().st_size} bytes")


def compare_files(stored, live):
    """The largest difference of any array; raises where the sets differ."""
    def arrays(file):
        found = {}
        file.visititems(lambda k, v: found.update({k: v[()]})
                        if isinstance(v, h5py.Dataset) and v.dtype.kind == "f"
                        else None)
        return found

    with h5py.File(stored) as a, h5py.File(live) as b:
        if a.attrs["digests"] != b.attrs["digests"]:
            raise ValueError(f"{stored.name}: made from other jobs or models")
        a, b = arrays(a), arrays(b)
    if a.keys() != b.keys():
        raise ValueError(f"{stored.name}: other arrays: {a.keys() ^ b.keys()}")
    worst = 0.0
    for key in a:
        np.testing.assert_allclose(a[key], b[key], rtol=1e-9, atol=1e-9,
                                   err_msg=f"{stored.name}: {key}")
        finite = np.isfinite(a[key])
        off = np.abs(a[key][finite] - b[key][finite])
        worst = max(worst, off.max(initial=0))
    return worst, len(a)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("jobs", nargs="*")
    parser.add_argument("--models", action="store_true")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)  # what the helpers collect in
    patching.tqdm = lambda rows: rows
    if args.models or not (args.check or args.jobs):
        for name in models.MODELS:
            models.write_model(name, HERE / "models")
    if args.models:
        return
    names = args.jobs or sorted(p.stem for p in (HERE / "jobs").glob("*.yaml"))
    for name in names:
        print(name, flush=True)
        stored = HERE / "fixtures" / f"{name}.h5"
        made = stored.with_suffix(".new")
        try:
            write_fixture(name, made)
            if not args.check:
                made.replace(stored)
                continue
            off, n = compare_files(stored, made)
            print(f"{name}: {n} arrays, largest difference {off:.3g}")
        finally:
            made.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Compare the fixture `direct` with TransformerLens' own direct path patching.

  check_direct.py            in an environment with TransformerLens 3.9 to 4.2
                             (LayerNorm frozen), or 4.3 and on (recomputed)

Its get_act_patch_direct_path is run in float64 on the fixture's model and
pairs, from every head to every head; entries at or before the sender's layer,
which it leaves at 0, are NaN in the fixture. Prints the largest difference;
with --record the version is noted beside the arrays. generate.py makes the
fixture with TransformerLens 2.18, which has no such function."""

import argparse
import importlib.metadata
import inspect
import sys
from pathlib import Path

import h5py
import numpy as np
import torch
import yaml

HERE = Path(__file__).resolve().parent
TOLERANCE = 1e-12  # of the largest value; the same float64 arithmetic


def load_frozen(folder):
    """Processed, as the frozen path wants it. TransformerLens processes in
    float32; the fixture does in float64, so this must too."""
    import reference
    single = torch.Tensor.float
    torch.Tensor.float = torch.Tensor.double
    try:
        return reference.load_model(folder, torch.float64, "processed")[1]
    finally:
        torch.Tensor.float = single


def load_exact(folder):
    """As it is: the exact path does not depend on how LayerNorm is folded."""
    from tokenizers import Tokenizer, models
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast
    hf = GPT2LMHeadModel.from_pretrained(
        folder, dtype=torch.float64, attn_implementation="eager").eval()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({"x": 0}, "x")),
        eos_token="x", pad_token="x")  # never used, but there must be one
    return TransformerBridge.boot_transformers(
        "gpt2", hf_model=hf, tokenizer=tokenizer, dtype=torch.float64,
        device="cpu")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)
    version = importlib.metadata.version("transformer-lens")
    from transformer_lens import patching
    if hasattr(patching, "get_act_patch_direct_path"):
        kind, patch = "exact", patching.get_act_patch_direct_path
    else:
        from transformer_lens.tools.analysis import get_act_patch_direct_path
        kind, patch = "frozen", get_act_patch_direct_path
    spec = yaml.safe_load((HERE / "jobs/direct.yaml").read_text())
    load = {"frozen": load_frozen, "exact": load_exact}[kind]
    model = load((HERE / "jobs" / spec["model"]).resolve())
    worst = 0.0
    with h5py.File(HERE / "fixtures/direct.h5", "r+") as file:
        for site in "qkv":
            data = file[f"sweeps/{kind}_{site}/logit_diff"]
            for pair, stored in zip(spec["pairs"], data[()]):
                tokens = {run: torch.tensor([pair[run + "_tokens"]])
                          for run in ("clean", "corrupted")}
                caches = {run: model.run_with_cache(t)[1]
                          for run, t in tokens.items()}

                def metric(logits):
                    return (logits[0, -1, pair["answer_tokens"]] -
                            logits[0, -1, pair["wrong_tokens"]])

                L, H = model.cfg.n_layers, model.cfg.n_heads
                own = np.stack([
                    patch(model, tokens["corrupted"], caches["clean"],
                          caches["corrupted"], metric, layer, head, site,
                          verbose=False).numpy().reshape(L * H)
                    for layer in range(L) for head in range(H)])
                later = np.isfinite(stored)
                layers = np.repeat(np.arange(L), H)
                np.testing.assert_array_equal(
                    later, layers[:, None] < layers[None, :])
                off = np.abs(own - stored)[later].max()
                worst = max(worst, off / np.abs(stored[later]).max())
            if args.record and worst <= TOLERANCE:
                file[f"sweeps/{kind}_{site}"].attrs["helper"] = (
                    f"transformer-lens {version} "
                    f"{inspect.getmodule(patch).__name__}."
                    f"get_act_patch_direct_path")
    print(f"transformer-lens {version}, {kind}: {worst:.3g} of the largest "
          f"value")
    return 0 if worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())

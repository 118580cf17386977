#!/usr/bin/env python3
"""Make tests/model/variants: small GPT-2 folders as transformers writes them,
one for each key of config.json that changes the mathematics and each layout
of the weights, and in variants.h5 the logits that transformers computes for
them in float64.

Needs (not for the build or the tests, which read what is stored):
  torch 2.13 (CPU), transformers 4.57, h5py 3.16

Run in this folder: ./make_variants.py"""

import importlib.metadata
import shutil
from pathlib import Path

import h5py
import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel

HERE = Path(__file__).resolve().parent
SIZES = dict(n_layer=3, n_head=2, n_embd=6, n_positions=7, vocab_size=11,
             n_inner=9, bos_token_id=0, eos_token_id=0)
TOKENS = [3, 1, 4, 1, 5, 9, 2]

# name: keys of the configuration, dtype of the file, how it is saved
VARIANTS = {
    "gelu": (dict(activation_function="gelu"), torch.float32, {}),
    "gelu_tanh": (dict(activation_function="gelu_pytorch_tanh"),
                  torch.float32, {}),
    "relu": (dict(activation_function="relu"), torch.float32, {}),
    "silu": (dict(activation_function="silu"), torch.float32, {}),
    "unscaled": (dict(scale_attn_weights=False), torch.float32, {}),
    "by_layer": (dict(scale_attn_by_inverse_layer_idx=True), torch.float32, {}),
    "upcast": (dict(reorder_and_upcast_attn=True,
                    scale_attn_by_inverse_layer_idx=True), torch.float32, {}),
    "epsilon": (dict(layer_norm_epsilon=0.125), torch.float32, {}),
    "untied": (dict(tie_word_embeddings=False), torch.float32, {}),
    "default_inner": (dict(n_inner=None), torch.float32, {}),
    "half": (dict(), torch.float16, {}),
    "bfloat": (dict(), torch.bfloat16, {}),
    "sharded": (dict(), torch.float32, dict(max_shard_size=3000)),
    "no_prefix": (dict(), torch.float32, dict(without_head=True)),
}


def make_model(keys, dtype, seed):
    config = GPT2Config(**SIZES | keys, attn_implementation="eager")
    model = GPT2LMHeadModel(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            is_gain = ".ln_" in name and name.endswith("weight")
            weight.normal_(float(is_gain), 0.3, generator=generator)
    return model.to(dtype)


def logits_of(model):
    # The float64 copy: reorder_and_upcast_attn computes scores in float32,
    # a matter of precision that the reference leaves out.
    model = model.double().eval()
    for block in model.transformer.h:
        block.attn.reorder_and_upcast_attn = False
    with torch.no_grad():
        return model(torch.tensor([TOKENS])).logits[0].numpy()


def main():
    folder = HERE / "variants"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with h5py.File(folder / "variants.h5", "w", track_order=True) as file:
        for name in ("torch", "transformers"):
            file.attrs[name] = importlib.metadata.version(name)
        file["tokens"] = np.array(TOKENS, np.int32)
        for seed, (name, (keys, dtype, how)) in enumerate(VARIANTS.items()):
            model = make_model(keys, dtype, seed)
            how = dict(how)
            saved = model.transformer if how.pop("without_head", 0) else model
            saved.save_pretrained(folder / name, **how)
            (folder / name / "generation_config.json").unlink(missing_ok=True)
            file[f"logits/{name}"] = logits_of(model)


if __name__ == "__main__":
    main()

"""Tiny random GPT-2 models as Hugging Face folders, for the parity fixtures.

Weights are drawn with numpy's RandomState, whose stream is frozen, in the
order of tensor_shapes, so a folder can be made again bit for bit.

  odd    no size a multiple of another; F32
  one    one layer, one head; F16, names with the "transformer." prefix
  deep   five layers; two shards, with the causal-mask buffers old files have
  worst  a residual of norm 3,000 at position 0 from block 0's MLP on, and
         three dimensions whose LayerNorm gains are 50 times the others'
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

MODELS = {
    "odd": dict(n_layer=3, n_head=3, n_embd=21, n_inner=50, vocab_size=61,
                n_positions=24, seed=3, dtype="float32"),
    "one": dict(n_layer=1, n_head=1, n_embd=5, n_inner=7, vocab_size=11,
                n_positions=9, seed=5, dtype="float16"),
    "deep": dict(n_layer=5, n_head=2, n_embd=16, n_inner=None, vocab_size=37,
                 n_positions=16, seed=7, dtype="float32"),
    "worst": dict(n_layer=4, n_head=2, n_embd=30, n_inner=70, vocab_size=47,
                  n_positions=16, seed=11, dtype="float32", write=87.7),
}
SHAPE_KEYS = ("n_layer", "n_head", "n_embd", "n_inner", "vocab_size",
              "n_positions")


def tensor_shapes(spec):
    """Name, shape, mean, standard deviation of every tensor, in order."""
    C, V = spec["n_embd"], spec["vocab_size"]
    F = spec["n_inner"] or 4 * C
    reads = 1.4 / np.sqrt(C)  # unit LayerNorm output to values of about 1.4
    yield "wte.weight", (V, C), 0, 1.8 / np.sqrt(C)
    yield "wpe.weight", (spec["n_positions"], C), 0, 1.2 / np.sqrt(C)
    for layer in range(spec["n_layer"]):
        h = f"h.{layer}."
        yield h + "ln_1.weight", (C,), 1, 0.3
        yield h + "ln_1.bias", (C,), 0, 0.3
        yield h + "attn.c_attn.weight", (C, 3 * C), 0, reads
        yield h + "attn.c_attn.bias", (3 * C,), 0, 0.4
        yield h + "attn.c_proj.weight", (C, C), 0, 0.7 / np.sqrt(C)
        yield h + "attn.c_proj.bias", (C,), 0, 0.2
        yield h + "ln_2.weight", (C,), 1, 0.3
        yield h + "ln_2.bias", (C,), 0, 0.3
        yield h + "mlp.c_fc.weight", (C, F), 0, reads
        yield h + "mlp.c_fc.bias", (F,), 0, 0.4
        yield h + "mlp.c_proj.weight", (F, C), 0, 0.7 / np.sqrt(F)
        yield h + "mlp.c_proj.bias", (C,), 0, 0.2
    yield "ln_f.weight", (C,), 1, 0.3
    yield "ln_f.bias", (C,), 0, 0.3


def make_worst(tensors, spec):
    """Give the tensors what makes float32 hard in GPT-2.

    Dimension 4 of the positional embedding marks position 0; neuron 9 of
    block 0 fires there alone and writes dimensions 2 and 17 with a norm of
    about 3,000. Dimensions 2, 8 and 20 are read with 50 times the gain."""
    tensors["wpe.weight"][:, 4] = -1
    tensors["wpe.weight"][0, 4] = 12
    tensors["h.0.mlp.c_fc.weight"][:, 9] = 0
    tensors["h.0.mlp.c_fc.weight"][4, 9] = 10
    tensors["h.0.mlp.c_fc.bias"][9] = -10
    write = np.zeros(spec["n_embd"])
    write[[2, 17]] = 0.8, -0.6
    tensors["h.0.mlp.c_proj.weight"][9] = write * spec["write"]
    for layer in range(spec["n_layer"]):
        for norm in "ln_1", "ln_2":
            gain = tensors[f"h.{layer}.{norm}.weight"]
            gain[[2, 8, 20]] *= 50
        # a trained model reads such a dimension with small weights
        for matrix in "attn.c_attn", "mlp.c_fc":
            tensors[f"h.{layer}.{matrix}.weight"][[2, 8, 20]] *= 0.2


def make_tensors(name):
    spec = MODELS[name]
    random = np.random.RandomState(spec["seed"])
    tensors = {key: mean + std * random.standard_normal(shape)
               for key, shape, mean, std in tensor_shapes(spec)}
    if name == "worst":
        make_worst(tensors, spec)
    return {key: value.astype(spec["dtype"])
            for key, value in tensors.items()}


def write_model(name, models):
    """Make the folder models/NAME: config.json and the weights."""
    spec, folder = MODELS[name], Path(models) / name
    folder.mkdir(parents=True, exist_ok=True)
    config = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2",
              "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
              "bos_token_id": 0, "eos_token_id": 0}
    config.update((key, spec[key]) for key in SHAPE_KEYS)
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    (folder / "config.json").write_text(text)
    tensors, metadata = make_tensors(name), {"format": "pt"}
    if name == "one":
        tensors = {"transformer." + key: value
                   for key, value in tensors.items()}
    if name != "deep":
        save_file(tensors, folder / "model.safetensors", metadata)
        return
    n = spec["n_positions"]
    for layer in range(spec["n_layer"]):
        mask = np.tril(np.ones((n, n), np.float32))[None, None]
        tensors[f"h.{layer}.attn.bias"] = mask
    shards = {f"model-0000{i + 1}-of-00002.safetensors":
              dict(list(tensors.items())[i::2]) for i in range(2)}
    for file, shard in shards.items():
        save_file(shard, folder / file, metadata)
    index = {"metadata": {"total_size": sum(t.nbytes
                                            for t in tensors.values())},
             "weight_map": {key: file for file, shard in shards.items()
                            for key in sorted(shard)}}
    text = json.dumps(index, indent=2) + "\n"
    (folder / "model.safetensors.index.json").write_text(text)

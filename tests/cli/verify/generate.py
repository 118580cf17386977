#!/usr/bin/env python3
"""Write expected.json: what TransformerLens gives for job.yaml, for the test of
`patchsweep verify`. Needs what tests/parity/generate.py needs (TransformerLens
2.18); in float64, whole batches, the sweeps by its own get_act_patch_* helpers."""

import json
import sys
from pathlib import Path

import torch
import yaml
from transformer_lens import patching, utils

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "parity"))
import reference  # noqa: E402  pylint: disable=wrong-import-position


def main():
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)
    patching.tqdm = lambda rows: rows
    job = yaml.safe_load((HERE / "job.yaml").read_text())
    pairs = job["pairs"]
    clean, corrupted, answer, wrong = (
        torch.tensor([pair[key] for pair in pairs])
        for key in ("clean_tokens", "corrupted_tokens", "answer_tokens", "wrong_tokens"))
    rows = torch.arange(len(pairs))
    model, processed = (reference.load_model(HERE / job["model"], torch.float64, weights)[1]
                        for weights in ("raw", "processed"))

    def per_pair(logits):
        return logits[rows, -1, answer] - logits[rows, -1, wrong]

    logits, cache = model.run_with_cache(clean)
    base = per_pair(model(corrupted)).mean()
    span = per_pair(logits).mean() - base

    def recovered(logits):
        return (per_pair(logits).mean() - base) / span

    def neuron(layer, number):
        name = utils.get_act_name("post", layer)

        def hook(value, hook):
            value[:, :, number] = cache[hook.name][:, :, number]
            return value
        return recovered(model.run_with_hooks(corrupted, fwd_hooks=[(name, hook)])).item()

    def zeroed(layer, head):
        def hook(value, hook):
            value[:, :, head] = 0
            return value
        name = utils.get_act_name("z", layer)
        return per_pair(processed.run_with_hooks(clean, fwd_hooks=[(name, hook)])).mean().item()

    def attributed(stack):
        """[component]: what each writes for the answer, the mean over the prompts."""
        scaled = folded.apply_ln_to_stack(stack, layer=-1, pos_slice=-1)
        directions = processed.W_U[:, answer] - processed.W_U[:, wrong]
        return (scaled * directions.T).sum(-1).mean(-1).tolist()

    _, folded = processed.run_with_cache(clean)
    best = logits[:, -1].topk(3)
    z = patching.get_act_patch_attn_head_out_by_pos(model, corrupted, cache, recovered)
    pattern = patching.get_act_patch_attn_head_pattern_by_pos(model, corrupted, cache, recovered)
    neurons = [[neuron(layer, n) for n in range(model.cfg.d_mlp)] for layer in (1, 3)]
    first = sorted(((value, n) for n, value in enumerate(neurons[0])), reverse=True)
    expected = {
        "clean": per_pair(logits).tolist(),
        "clean_of_one": per_pair(logits)[:2].mean().item(),
        "prob": logits[:, -1].softmax(-1)[rows, answer].tolist(),
        "resid_pre": patching.get_act_patch_resid_pre(
            model, corrupted, cache, recovered).tolist(),
        "z_layer_head_position": z.swapaxes(1, 2).flatten(0, 1).tolist(),
        "pattern": pattern.tolist(),
        "largest_neurons_of_layer_1": [value for value, _ in first[:3]],
        "which_neurons_of_layer_1": [n for _, n in first[:3]],
        "least_neurons_of_layer_1": [value for value, _ in first[:-3:-1]],
        "zeroed_processed": [[zeroed(layer, head) for head in range(model.cfg.n_heads)]
                             for layer in range(model.cfg.n_layers)],
        "post_of_c": cache["post", 1][2].tolist(),
        "next_tokens": best.indices.tolist(),
        "next_probabilities": logits[:, -1].softmax(-1).gather(1, best.indices).tolist(),
        "layers": attributed(folded.decompose_resid(layer=-1, pos_slice=-1)),
        "heads": attributed(folded.stack_head_results(layer=-1, pos_slice=-1)),
        # b_U is in every state of ours, as in the logits, and in none of these
        "lens": [value + (processed.b_U[answer] - processed.b_U[wrong]).mean().item()
                 for value in attributed(folded.accumulated_resid(
                     layer=-1, incl_mid=True, pos_slice=-1))],
    }
    text = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}"
                      for key, value in expected.items())
    (HERE / "expected.json").write_text("{\n" + text + "\n}\n")


if __name__ == "__main__":
    main()

"""`analyses` of a job over TransformerLens' ActivationCache, in float64.

One array a quantity, [run, pair, .., position] with NaN where the pair lacks
the run, the position or the answer. Checked on the way: the components and
their bias sum to the logits; on processed weights logit_attrs is the same."""

import numpy as np
import torch

RUNS = ("clean", "corrupted")
KEYS = {"name", "as", "description", "run", "positions", "mid", "scale", "top",
        "layers", "heads", "n", "length", "seed", "steps"}
MARGIN = 1e-4         # of the answer's rank from a tie
SUM_TOLERANCE = 1e-11  # of the rms of the logits; measured 2e-15


def runs_of(entry):
    run = entry.get("run", "clean" if entry["name"] == "edges" else "both")
    return RUNS if run == "both" else (run,)


def positions_of(entry, job):
    """What stands along the axis position."""
    default = "all" if entry["name"] == "attention" else ["end"]
    positions = entry.get("positions", default)
    if positions == "all":
        return list(range(max(max(p.prompt.values()) for p in job.pairs)))
    return positions


class Run:
    """One run of a pair: directions of the answer, and the way there."""

    def __init__(self, job, pair, run):
        self.model, self.pair, self.run = job.model, pair, run
        self.cache, self.n = pair.cache[run], pair.prompt[run]
        self.is_raw = job.spec.get("weights", "raw") == "raw"
        W_U, b_U = self.model.W_U, self.model.b_U
        self.direction, self.bias, self.total = {}, {}, {}
        for name, sets in self.sets().items():
            u = sum(sign * W_U[:, ids].mean(-1) for sign, ids in sets)
            b = sum(sign * b_U[ids].mean() for sign, ids in sets)
            self.total[name] = sum(sign * pair.logits[run][:, ids].mean(-1)
                                   for sign, ids in sets)
            if self.is_raw:  # apply_ln_to_stack leaves gain and bias out
                b = b + self.model.ln_final.b @ u
                u = self.model.ln_final.w * u
            self.direction[name], self.bias[name] = u, b.item()

    def sets(self):
        """Array: [(sign, token ids)]"""
        if self.pair.sequence:
            answer = [self.pair.sequence[0]]
        elif "answer_tokens" in self.pair.spec:
            answer = self.pair.answers("answer_tokens")
        else:
            return {}
        out = {"logit": [(1, answer)]}
        if "wrong_tokens" in self.pair.spec:
            out["logit_diff"] = [(1, answer),
                                 (-1, self.pair.answers("wrong_tokens"))]
        return out

    def scored(self, p):
        """Whether position p has an answer."""
        return not self.pair.sequence or p == self.n - 1

    def project(self, stack):
        """Array: [component, position] of a stack [component, 1, S, d]."""
        scaled = self.cache.apply_ln_to_stack(stack, layer=-1)[:, 0]
        out = {name: scaled @ u for name, u in self.direction.items()}
        self.check_attrs(stack, out)
        return out

    def check_attrs(self, stack, out):
        sets = self.sets().get("logit_diff")
        if self.is_raw or not sets or any(len(ids) > 1 for _, ids in sets):
            return
        (_, (answer,)), (_, (wrong,)) = sets
        attrs = self.cache.logit_attrs(stack, answer, wrong)[:, 0]
        assert (attrs - out["logit_diff"]).abs().max() < SUM_TOLERANCE

    def states(self, entry):
        """Logits [state, position, V] of a logit lens."""
        resid, labels = self.cache.accumulated_resid(
            layer=-1, incl_mid=entry.get("mid", True), return_labels=True)
        assert labels[0] == "0_pre" and labels[-1] == "final_post"
        if entry.get("scale", "cached") == "own":
            normal = torch.stack([self.model.ln_final(x) for x in resid])
        else:
            normal = self.cache.apply_ln_to_stack(resid, layer=-1)
            if self.is_raw:
                normal = normal * self.model.ln_final.w + \
                    self.model.ln_final.b
        logits = (normal @ self.model.W_U + self.model.b_U)[:, 0]
        rms = self.pair.logits[self.run].pow(2).mean().sqrt()
        off = (logits[-1] - self.pair.logits[self.run]).abs().max()
        assert off < SUM_TOLERANCE * rms, off
        return logits


def lens(run, entry):
    """Array: [state, position] and the logits [state, position, V]."""
    logits = run.states(entry)
    out = {"logits": logits.numpy()}
    for name, sets in run.sets().items():
        out[name] = sum(sign * logits[..., ids].mean(-1)
                        for sign, ids in sets)
        if name == "logit":
            answer = sets[0][1]
            out["prob"] = logits.log_softmax(-1)[..., answer].exp().sum(-1)
            best = logits[..., answer].max(-1, keepdim=True).values
            out["answer_rank"] = (logits >= best).sum(-1).double()
            out["margin"] = (logits - best).abs().sort(-1).values[..., 1]
    return out


def decompose(run, _):
    stack, labels = run.cache.decompose_resid(layer=-1, return_labels=True)
    assert labels[:3] == ["embed", "pos_embed", "0_attn_out"]
    out = {}
    for name, values in run.project(stack).items():
        bias = torch.full_like(values[:1], run.bias[name])
        out[name] = torch.cat([values, bias])
        off = (out[name].sum(0) - run.total[name]).abs().max()
        assert off < SUM_TOLERANCE * run.total[name].abs().max().clamp(1), off
    return out


def heads(run, _):
    cfg = run.model.cfg
    out = {}
    stack = run.cache.stack_head_results(layer=-1)
    for name, values in run.project(stack).items():
        out[name] = values.reshape(cfg.n_layers, cfg.n_heads, -1)
        out[name + "_remainder"] = run.total[name] - values.sum(0)
    return out


def neurons(run, _):
    cfg = run.model.cfg
    out = {}
    stack = run.cache.stack_neuron_results(layer=-1)
    for name, values in run.project(stack).items():
        out[name] = values.reshape(cfg.n_layers, cfg.d_mlp, -1)
        out[name + "_total"] = run.total[name]
    return out


QUANTITIES = {"logit_lens": lens, "decompose": decompose, "heads": heads,
              "neurons": neurons}


def pick(run, positions, values, name):
    """values [.., position] (logits: [state, position, V]) at positions."""
    values = np.asarray(values)
    axis = 1 if name == "logits" else values.ndim - 1
    values = np.moveaxis(values, axis, -1)
    out = np.full((*values.shape[:-1], len(positions)), np.nan)
    for i, place in enumerate(positions):
        p = run.pair.position(place, run.run)
        if p is not None and (name == "logits" or run.scored(p)):
            out[..., i] = values[..., p]
    return np.moveaxis(out, -1, axis)


def arrays_of(entry, job):
    """Array: [run, pair, ..]; of the logits of a lens [run, pair, state,
    position, V]."""
    positions, found = positions_of(entry, job), {}
    for r, name in enumerate(runs_of(entry)):
        for i, pair in enumerate(job.pairs):
            if name not in pair.tokens:
                continue
            run = Run(job, pair, name)
            for key, values in QUANTITIES[entry["name"]](run, entry).items():
                found[key, r, i] = pick(run, positions, values, key)
    out = {}
    for (key, r, i), values in found.items():
        if key == "margin":
            if np.nanmin(values) < MARGIN:
                raise ValueError(f"{job.pairs[i].id}: a tie for its rank")
            continue
        if key not in out:
            out[key] = np.full((len(runs_of(entry)), len(job.pairs),
                                *values.shape), np.nan)
        out[key][r, i] = values
    return out


def cells_of(entry, cfg):
    heads_, layers = entry.get("heads"), entry.get("layers")
    if heads_ and isinstance(heads_[0], str):
        return [tuple(map(int, h[1:].split("H"))) for h in heads_]
    return [(layer, head) for layer in layers or range(cfg.n_layers)
            for head in heads_ or range(cfg.n_heads)]


def patterns(entry, job):
    """pattern [run, pair, cell, dest, src]"""
    positions, cells = positions_of(entry, job), cells_of(entry,
                                                          job.model.cfg)
    longest = max(max(p.prompt.values()) for p in job.pairs)
    out = np.full((len(runs_of(entry)), len(job.pairs), len(cells),
                   len(positions), longest), np.nan)
    for r, run in enumerate(runs_of(entry)):
        for i, pair in enumerate(job.pairs):
            for c, (layer, head) in enumerate(cells):
                for d, place in enumerate(positions):
                    p = pair.position(place, run) if run in pair.tokens \
                        else None
                    if p is None:
                        continue
                    row = pair.cache[run]["pattern", layer][0, head, p]
                    n = pair.prompt[run]
                    out[r, i, c, d, :n] = row[:n]
    return {"pattern": out}


def splitmix64(state):
    """Steele, Lea and Flood 2014: (next state, number)."""
    mask = (1 << 64) - 1
    state = (state + 0x9e3779b97f4a7c15) & mask
    z = state
    z = ((z ^ (z >> 30)) * 0xbf58476d1ce4e5b9) & mask
    z = ((z ^ (z >> 27)) * 0x94d049bb133111eb) & mask
    return state, z ^ (z >> 31)


def head_scores(entry, job):
    """As TransformerLens' Exploratory_Analysis_Demo, on our tokens."""
    n, length, state = entry["n"], entry["length"], entry["seed"]
    model, rows = job.model, []
    assert model.cfg.d_vocab < 20000  # else drawn from 100 .. 19,999
    for _ in range(n):
        row = []
        for _ in range(length):
            state, number = splitmix64(state)
            row.append(number % model.cfg.d_vocab)
        rows.append(row)
    tokens = torch.tensor(rows)
    _, cache = model.run_with_cache(torch.cat([tokens, tokens], 1))
    offsets = {"previous_token": 1, "duplicate_token": length,
               "induction": length - 1}
    out = {}
    for name, offset in offsets.items():
        scores = [cache["pattern", layer].diagonal(
            offset=offset, dim1=-1, dim2=-2).mean((0, -1))
            for layer in range(model.cfg.n_layers)]
        out[name] = torch.stack(scores).numpy()
    return out


class Edges:
    """Edge attribution patching by PyTorch's gradients at TransformerLens'
    inputs of heads and MLPs (hook_q_input .., hook_mlp_in), from its outputs
    (hook_result, hook_mlp_out)."""

    def __init__(self, job):
        self.model, self.cfg = job.model, job.model.cfg

    def outputs(self, tokens):
        """[sender, S, d_model]"""
        _, cache = self.model.run_with_cache(tokens)
        rows = [cache["blocks.0.hook_resid_pre"][0]]
        for layer in range(self.cfg.n_layers):
            rows += cache["result", layer][0].unbind(1)
            rows.append(cache["mlp_out", layer][0])
        return torch.stack(rows)

    def inputs(self):
        """(hook, head or None) of every receiver, and how many senders reach
        it."""
        for layer in range(self.cfg.n_layers):
            n = 1 + layer * (self.cfg.n_heads + 1)
            for kind in "qkv":
                for head in range(self.cfg.n_heads):
                    yield f"blocks.{layer}.hook_{kind}_input", head, n
            yield f"blocks.{layer}.hook_mlp_in", None, n + self.cfg.n_heads
        last = self.cfg.n_layers - 1
        yield f"blocks.{last}.hook_resid_post", None, \
            1 + self.cfg.n_layers * (self.cfg.n_heads + 1)

    def gradients(self, tokens, embedding, measure):
        """[receiver, S, d_model]"""
        zeros = {}

        def add(activation, hook):
            zeros[hook.name] = torch.zeros_like(activation, requires_grad=True)
            return activation + zeros[hook.name]

        names = {name for name, _, _ in self.inputs()}
        with torch.enable_grad():
            logits = self.model.run_with_hooks(tokens, fwd_hooks=[
                ("hook_embed", lambda old, hook: embedding),
                *((name, add) for name in names)])[0]
            measure(logits).backward()
        return torch.stack([
            zeros[name].grad[0] if head is None else zeros[name].grad[0, :, head]
            for name, head, _ in self.inputs()])

    def scores(self, own, other, steps, measure):
        """[sender, receiver], NaN where there is no edge."""
        change = self.outputs(other) - self.outputs(own)
        begin, end = (self.model.embed(tokens) for tokens in (other, own))
        states = [begin + (end - begin) * k / steps for k in range(steps)] \
            if steps else [end]
        gradient = sum(self.gradients(own, state, measure)
                       for state in states) / len(states)
        out = torch.einsum("usd,vsd->uv", change, gradient)
        for v, (_, _, n) in enumerate(self.inputs()):
            out[n:, v] = torch.nan
        return out.numpy()


def edges(entry, job):
    """logit, logit_diff [run, pair, sender, receiver]"""
    model, out = job.model, {}
    for switch in (model.set_use_attn_result, model.set_use_split_qkv_input,
                   model.set_use_hook_mlp_in):
        switch(True)
    way = Edges(job)
    shape = (1 + model.cfg.n_layers * (model.cfg.n_heads + 1),
             model.cfg.n_layers * (3 * model.cfg.n_heads + 1) + 1)
    for r, run in enumerate(runs_of(entry)):
        other = RUNS[1 - RUNS.index(run)]
        for i, pair in enumerate(job.pairs):
            if run not in pair.tokens or other not in pair.tokens or \
                    pair.prompt[run] != pair.prompt[other]:
                continue
            n = pair.prompt[run]
            own, others = (pair.tokens[name][:, :n] for name in (run, other))
            read = [n - 1] if pair.sequence else pair.read[run]
            for name, sets in Run(job, pair, run).sets().items():
                if name not in out:
                    out[name] = np.full((len(runs_of(entry)), len(job.pairs),
                                         *shape), np.nan)
                out[name][r, i] = way.scores(
                    own, others, entry.get("steps", 0),
                    lambda logits: sum(
                        sign * logits[read][:, ids].mean(-1).mean()
                        for sign, ids in sets))
    for switch in (model.set_use_attn_result, model.set_use_split_qkv_input,
                   model.set_use_hook_mlp_in):
        switch(False)
    return out


def has_position(entry, job):
    """[run, pair, position]"""
    return [[[run in pair.tokens and pair.position(place, run) is not None
              for place in positions_of(entry, job)]
             for pair in job.pairs] for run in runs_of(entry)]


def expected(entry, job):
    """Array: values of one entry of `analyses`."""
    unknown = set(entry) - KEYS
    if unknown:
        raise ValueError(f"analysis {entry['name']}: no {sorted(unknown)}")
    if entry["name"] == "attention":
        return patterns(entry, job)
    if entry["name"] == "head_scores":
        return head_scores(entry, job)
    if entry["name"] == "edges":
        return edges(entry, job)
    return arrays_of(entry, job)

"""Path patching over TransformerLens, a sender and a receiver at a time.

ioi, the procedure of Wang et al. 2022: a pass over the base with q, k and v of
every head put back to the base's and the senders set; what arrives at the
receivers is recorded, before it is put back; then a pass with the receivers
set to it. direct: what the senders write, added to the base's residual stream
at the receivers; there LayerNorm is taken of the sum, or, with
direct_frozen_ln, at the scale of the base."""

import torch

import reference

PATH_KEYS = {"kind", "send", "receive"}
END_KEYS = {"site", "by", "layers", "positions", "heads", "neurons"}


def default_by(site):
    axes = reference.SITES[site][1]
    return ["layer"] + [a for a in axes if a in ("head", "neuron")]


class End(reference.Sweep):
    """One site of an end of a path: its points are the cells of a sweep."""

    def __init__(self, sweep, spec, site, value):
        reference.check_keys(f"path of {sweep['name']}", spec, END_KEYS)
        lists = any(isinstance(v, str) and v.startswith("L")
                    for key in ("heads", "neurons") for v in spec.get(key, []))
        self.point_spec = {
            **{k: v for k, v in spec.items() if k != "site"}, "site": site,
            "by": spec.get("by", [] if lists else default_by(site)),
            "name": sweep["name"], "metrics": [], "value": value,
            "base": sweep.get("base", "corrupted")}

    def open(self, model, pairs, folder):
        if "position" in self.point_spec["by"]:
            self.point_spec["labels"] = self.point_spec.pop("positions")
            self.point_spec["by"] = [
                "label" if a == "position" else a
                for a in self.point_spec["by"]]
        super().__init__(model, self.point_spec, pairs, folder)
        self.points = [{}]
        for axis, values in zip(self.axes, self.coordinates):
            self.points = [{**point, axis: v} for point in self.points
                           for v in values]
        self.points = [p.get("cell", p) for p in self.points]
        return self


class PathSweep(reference.Sweep):
    """A sweep with the key path."""

    def set_axes(self, folder):
        path = self.spec["path"]
        reference.check_keys(f"path of {self.name}", path, PATH_KEYS)
        self.kind = path.get("kind", "ioi")
        self.sender = End(self.spec, path["send"], self.site,
                          self.value).open(self.model, self.pairs, folder)
        sites = path["receive"]["site"]
        sites = sites if isinstance(sites, list) else [sites]
        self.senders = self.sender.points
        self.receivers = []
        for site in ("q", "k", "v", "resid_pre"):
            if site in sites:
                end = End(self.spec, path["receive"], site, "zero").open(
                    self.model, self.pairs, folder)
                self.receivers += [(end, point) for point in end.points]
        if "logits" in sites:
            self.receivers.append((None, {}))
        self.subset = {}
        self.axes = [a for a in ("sender", "receiver") if a in self.by]
        every = {"sender": range(len(self.senders)),
                 "receiver": range(len(self.receivers))}
        self.coordinates = [list(every[a]) for a in self.axes]
        self.shape = tuple(len(c) for c in self.coordinates)

    def changes(self, pair, point):
        """layer -> the sender's activation (S, ..) as it is set."""
        chosen = self.sender.selection(pair, point)
        if chosen is None:
            return {}
        to, source = (torch.meshgrid(*(
            torch.tensor([p[i] for p in chosen[a]])
            for a in self.sender.site_axes), indexing="ij") for i in range(2))
        out = {}
        for layer, _ in chosen["layer"]:
            name = self.sender.hook_name(layer)
            old = pair.cache[self.base][name][0]
            out[layer] = to, self.sender.new_values(
                pair, name, old, None)[source]
        return out

    def places(self, pair, receiver):
        """[(layer, index of what is received)]"""
        end, point = receiver
        chosen = end.selection(pair, point)
        if chosen is None:
            return []
        to = torch.meshgrid(*(torch.tensor([p[0] for p in chosen[a]])
                              for a in end.site_axes), indexing="ij")
        return [(layer, to) for layer, _ in chosen["layer"]]

    def writes(self, pair, sent):
        """[(layer, what the senders add to the residual stream (S, D))]"""
        out = []
        for layer, to, new in sent:
            old = pair.cache[self.base][self.sender.hook_name(layer)][0]
            delta = torch.zeros_like(old)
            delta[to] = new - old[to]
            block = self.model.blocks[layer]
            if self.site == "z":
                delta = torch.einsum("shk,hkd->sd", delta, block.attn.W_O)
            elif self.site == "mlp_post":
                delta = delta @ block.mlp.W_out
            out.append((layer, delta))
        return out

    def norm(self, ln, base, x):
        """LayerNorm of x, at the scale of base where it is frozen."""
        if self.kind == "direct":
            return ln(x[None])[0]
        centred = base - base.mean(-1, keepdim=True)
        scale = (centred.pow(2).mean(-1, keepdim=True) +
                 self.model.cfg.eps).sqrt()
        x = (x - x.mean(-1, keepdim=True)) / scale
        return x * ln.w + ln.b if hasattr(ln, "w") else x

    def carried_directly(self, pair, sent):
        """(site, layer) -> the activation there (S, ..), or the logits."""
        writes = self.writes(pair, sent)
        cache = pair.cache[self.base]

        def arrived(site, layer):
            last = self.model.cfg.n_layers
            before = sum((d for l, d in writes if l < layer),
                         torch.zeros(1, dtype=self.model.cfg.dtype))
            name = f"blocks.{layer}.hook_resid_pre" if layer < last else \
                f"blocks.{last - 1}.hook_resid_post"
            base = cache[name][0]
            resid = base + before
            if site == "resid_pre":
                return resid
            if site == "logits":
                return self.norm(self.model.ln_final, base, resid) @ \
                    self.model.W_U + self.model.b_U
            block = self.model.blocks[layer]
            normed = self.norm(block.ln1, base, resid)
            weight, bias = (getattr(block.attn, f"{kind}_{site.upper()}")
                            for kind in "Wb")
            return torch.einsum("sd,hdk->shk", normed, weight) + bias

        return arrived

    def carried(self, pair, sent):
        """The same, through MLPs, with every head put back."""
        cache, found, hooks = pair.cache[self.base], {}, []

        def set_sender(to, new):
            def hook(activation, hook):
                activation[0][to] = new
                return activation
            return hook

        def record(activation, hook):
            found[hook.name] = activation[0].clone()

        def put_back(activation, hook):
            return cache[hook.name].clone()

        for layer in range(self.model.cfg.n_layers):
            hooks.append((f"blocks.{layer}.hook_resid_pre", record))
            for site in "qkv":
                name = f"blocks.{layer}.attn.hook_{site}"
                hooks += [(name, record), (name, put_back)]
        hooks += [(self.sender.hook_name(layer), set_sender(to, new))
                  for layer, to, new in sent]
        logits = self.model.run_with_hooks(pair.tokens[self.base],
                                           fwd_hooks=hooks)[0]

        def arrived(site, layer):
            if site == "logits":
                return logits
            hook = reference.SITES[site][0]
            return found[f"blocks.{layer}.{hook}"]

        return arrived

    def run_cell(self, pair, cell):
        senders = [self.senders[cell["sender"]]] if "sender" in cell \
            else self.senders
        receivers = [self.receivers[cell["receiver"]]] if "receiver" in cell \
            else self.receivers
        sent = [(layer, to, new) for point in senders
                for layer, (to, new) in self.changes(pair, point).items()]
        if not sent:
            return None
        first = min(layer for layer, _, _ in sent)
        arrived = (self.carried if self.kind == "ioi"
                   else self.carried_directly)(pair, sent)
        if receivers[0][0] is None:
            return arrived("logits", self.model.cfg.n_layers)
        hooks = []
        for receiver in receivers:
            site = receiver[0].site
            for layer, to in self.places(pair, receiver):
                if layer <= first:
                    continue
                def edit(activation, hook, to=to, new=arrived(site, layer)):
                    activation[0][to] = new[to]
                    return activation
                hooks.append((f"blocks.{layer}.{reference.SITES[site][0]}",
                              edit))
        if not hooks:
            return None
        return self.model.run_with_hooks(pair.tokens[self.base],
                                         fwd_hooks=hooks)[0]

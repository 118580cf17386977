"""/analyses of results.h5 against a fixture's. Bounds as for sweeps: of each
run of each pair 1e-5 of max(max - min, rms of its logits)."""

import numpy as np

TOLERANCE = 1e-5
PROBABILITIES = ("prob", "pattern", "previous_token", "duplicate_token",
                 "induction")


def flat(values):
    """[run, pair, ..] as [run and pair, ..]."""
    return values.reshape(-1, *values.shape[2:])


def bound_of(name, expected, rms):
    """[run and pair]"""
    if name == "answer_rank":
        return np.zeros(len(expected))
    rows = expected.reshape(len(expected), -1)
    known = np.isfinite(rows)
    span = rows.max(1, where=known, initial=-np.inf) - \
        rows.min(1, where=known, initial=np.inf)
    scale = np.ones(len(rows)) if name in PROBABILITIES else flat(rms)
    return TOLERANCE * np.nan_to_num(np.maximum(span, np.nan_to_num(scale)))


def compare_plain(report, what, found, data, rms):
    expected = flat(data)
    report.compare(what, flat(found), expected,
                   bound_of(what.split("/")[-1], expected, rms))


def take(values, index):
    """values [row, .., n] at index [row, .., rank]; NaN where it is -1."""
    out = np.take_along_axis(values, np.maximum(index, 0), -1)
    return np.where(index >= 0, out, np.nan)


def compare_tokens(report, name, group, logits, rms):
    """The most probable tokens of a lens; logits [run, pair, state, position,
    V]. A token is right where its logit is that of its rank."""
    n = group["top_token"].shape[-1]
    best = -np.sort(-logits, -1)[..., :n]
    total = np.log(np.exp(logits).sum(-1, keepdims=True))
    tokens = group["top_token"][()]
    compare_plain(report, f"{name}/top_logit", group["top_logit"][()], best,
                  rms)
    compare_plain(report, f"{name}/top_token", take(logits, tokens), best, rms)
    compare_plain(report, f"{name}/prob", group["top_prob"][()],
                  np.exp(best - total), rms)
    if any(len(set(row)) < n for row in tokens.reshape(-1, n) if row[0] >= 0):
        report.fail(f"{name}/top_token: a token twice")


def neurons_at(values, layer, neuron):
    """values [.., layer, neuron, position] at [.., position, rank]."""
    F = values.shape[-2]
    values = np.moveaxis(values.reshape(*values.shape[:-3], -1,
                                        values.shape[-1]), -1, -2)
    return take(values, np.where(layer >= 0, layer * F + neuron, -1))


def strongest(values, n):
    """The n largest sizes over neurons of [.., layer, neuron, position]."""
    values = np.moveaxis(values.reshape(*values.shape[:-3], -1,
                                        values.shape[-1]), -1, -2)
    return -np.sort(-np.abs(values), -1)[..., :n]


def compare_neurons(report, name, group, fixture, rms):
    layer, neuron = group["top_layer"][()], group["top_neuron"][()]
    by = np.where(np.isnan(fixture["logit_diff"][()]).all((2, 3, 4)),
                  "logit", "logit_diff")
    for key in "logit", "logit_diff":
        values = fixture[key][()]
        found = group[f"top_{key}"][()]
        compare_plain(report, f"{name}/top_{key}", found,
                      neurons_at(values, layer, neuron), rms)
        compare_plain(report, f"{name}/{key}_remainder",
                      group[f"{key}_remainder"][()],
                      fixture[f"{key}_total"][()] - found.sum(-1), rms)
        ranked = (by == key)[..., None, None]
        compare_plain(report, f"{name}/strongest by {key}",
                      np.where(ranked, np.abs(found), np.nan),
                      np.where(ranked, strongest(values, found.shape[-1]),
                               np.nan), rms)
    compare_mean_neurons(report, name, group, fixture["logit_diff"][()],
                         fixture.attrs["has_position"], rms)


def compare_mean_neurons(report, name, group, values, has_position, rms):
    """Means over pairs exist where the position is labelled, or counted from
    the end, or where every pair has it."""
    counted = np.isfinite(values).all((2, 3))  # [run, pair, position]
    texts = [t.decode() if isinstance(t, bytes) else str(t)
             for t in group["position"][()]]
    absolute = np.array([t.isdigit() for t in texts])
    pairs = group["status"][()] == 1
    lacks = (pairs[..., None] & ~has_position).any(1)  # [run, position]
    n = counted.sum(1)
    mean = np.where(counted[:, :, None, None], values, 0).sum(1) / \
        np.maximum(n, 1)[:, None, None]
    mean[np.broadcast_to(((n == 0) | (absolute & lacks))[:, None, None],
                         mean.shape)] = np.nan
    found = group["mean_top_logit_diff"][()]
    at = neurons_at(mean, group["mean_top_layer"][()],
                    group["mean_top_neuron"][()])
    bound = np.full(len(found), TOLERANCE * np.nanmax(rms))
    report.compare(f"{name}/mean_top_logit_diff", found, at, bound)
    report.compare(f"{name}/strongest in the mean", np.abs(found),
                   strongest(mean, found.shape[-1]), bound)


def compare_analysis(report, name, group, fixture):
    kind = fixture.attrs["kind"]
    what = f"analyses/{name}"
    if kind == "head_scores":
        for key, data in fixture.items():
            report.compare(f"{what}/{key}", group[key][()], data[()],
                           TOLERANCE)
        return
    rms = fixture.attrs["rms"]
    if kind == "neurons":
        compare_neurons(report, what, group, fixture, rms)
        return
    for key, data in fixture.items():
        if key == "logits":
            compare_tokens(report, what, group, data[()], rms)
        elif key in group:
            compare_plain(report, f"{what}/{key}", group[key][()], data[()],
                          rms)
        else:
            report.fail(f"{what}/{key}: not in results.h5")


def compare_analyses(report, results, fixture):
    names = set(fixture["analyses"]) ^ set(results.get("analyses", ()))
    if names:
        report.fail(f"analyses in the fixture or in results.h5 alone: "
                    f"{sorted(names)}")
    for name in fixture["analyses"]:
        if name not in names:
            compare_analysis(report, name, results["analyses"][name],
                             fixture["analyses"][name])

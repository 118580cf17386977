"""A whole run as one page of HTML that needs no network.

    patchsweep-report out/ioi -o report.html
    python -m patchsweep report out/ioi -o report.html

What was asked, the strongest cells with their confidence, every figure of the sweeps
and analyses, attention and neurons where the activations are there, and where the
numbers come from.
"""

from __future__ import annotations

import argparse
import html
import os
import sys

from .. import web
from ..cells import text
from ..results import Results, ResultsError
from ..results import open as open_results
from ..viewers import attention_data, neuron_data
from .findings import SweepFindings, sweep_findings
from .sections import (Section, analyses_section, asked_section, attention_section,
                       baseline_section, findings_section, neurons_section,
                       provenance_section, sweeps_section)
from .views import Figure, against_figure, analysis_figure, baseline_figure, sweep_figure

__all__ = ["main", "report", "write"]
# Neurons of the findings and of an analysis that the neuron view lists.
MOST_NAMED = 40
# Bytes of a sweep that are read whole.
MOST_BYTES = 500_000_000


def _first_head(found: list[SweepFindings]) -> tuple[int, int] | None:
    """The strongest head of the first sweep over single heads."""
    for each in found:
        for row in each.rows:
            if "head" in row.at and "layer" in row.at:
                return int(str(row.at["layer"])), int(str(row.at["head"]))
    return None


def _named_neurons(results: Results,
                   found: list[SweepFindings]) -> list[tuple[int, int, str]]:
    """The neurons that sweeps and analyses name, and which."""
    named = [(int(str(row.at["layer"])), int(str(row.at["neuron"])), each.sweep)
             for each in found for row in each.rows
             if "neuron" in row.at and "layer" in row.at]
    for name, analysis in results.analyses.items():
        if analysis.attrs.get("kind") == "neurons" and "mean_top_neuron" in analysis:
            layers, neurons = (analysis[f"mean_top_{key}"].values.reshape(-1)
                               for key in ("layer", "neuron"))
            named += [(int(layer), int(neuron), name)
                      for layer, neuron in zip(layers, neurons) if neuron >= 0]
    return list(dict.fromkeys(named))[:MOST_NAMED]


def _plotly() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise ResultsError("a report needs plotly: Debian's python3-plotly, or the "
                           "package's extra [interactive]") from error
    return str(get_plotlyjs())


def report(results: Results) -> str:
    """The page."""
    for sweep in results.sweeps.values():
        if sweep.nbytes < MOST_BYTES:
            sweep.load()  # once, since many figures are made of it
    found = [sweep_findings(sweep) for sweep in results.sweeps.values()]
    heads = attention_data(results, start=_first_head(found))
    neurons = neuron_data(results, named=_named_neurons(results, found))
    payloads: dict[str, str] = {}

    def keep(figure: Figure | None) -> str:
        """Where a figure will stand."""
        if figure is None or not figure.views:
            return ""
        name = f"figure-{len(payloads)}"
        payloads[name] = web.packed(figure.data())
        return (f'<figure data-view="figure" data-payload="{name}" '
                f'style="min-height:{figure.height + 110}px"></figure>')

    sections: list[Section | None] = [
        asked_section(results),
        findings_section(results, found, heads is not None, neurons is not None),
        baseline_section(results, keep(baseline_figure(results))),
        sweeps_section(results, {name: keep(sweep_figure(sweep))
                                 for name, sweep in results.sweeps.items()},
                       keep(against_figure(results))),
        analyses_section(results, {name: keep(analysis_figure(analysis))
                                   for name, analysis in results.analyses.items()}),
    ]
    scripts = []
    if heads is not None:
        payloads["attention-data"] = web.packed(heads)
        sections.append(attention_section(heads))
        scripts.append("attention.js")
    if neurons is not None:
        payloads["neurons-data"] = web.packed(neurons)
        sections.append(neurons_section(neurons))
        scripts.append("neurons.js")
    sections.append(provenance_section(results))
    payloads["plotly"] = web.packed(_plotly())
    title = text(results.attrs.get("title", "")) or "patchsweep"
    return web.page(title, _body(results, title, [s for s in sections if s]), payloads,
                    [*scripts, "report.js"])


def _body(results: Results, title: str, sections: list[Section]) -> str:
    attrs = results.attrs
    banner = f'<p class="warning" role="note">{html.escape(text(attrs["banner"]))}</p>' \
        if attrs.get("banner") else ""
    n_pairs, n_sweeps = results.pairs.sizes.get("pair", 0), len(results.sweeps)
    badges = [f'<span class="badge">{n_pairs} pair{"s" if n_pairs != 1 else ""}</span>',
              f'<span class="badge">{n_sweeps} sweep{"s" if n_sweeps != 1 else ""}</span>']
    if attrs.get("complete"):
        badges.append('<span class="badge">complete</span>')
    else:
        badges.append('<span class="badge bad">incomplete: cells are missing or failed'
                      '</span>')
    contents = "".join(f'<a href="#{each.id}">{html.escape(each.short)}</a>'
                       for each in sections)
    parts = "\n".join(f'<section id="{each.id}"><h2>{html.escape(each.title)}</h2>\n'
                      f"{each.body}</section>" for each in sections)
    return (f'<a class="skip" href="#{sections[0].id}">to the text</a>'
            f'<header class="top"><div><div class="brand">patchsweep report</div>'
            f"<h1>{html.escape(title)}</h1>"
            f'<div class="badges">{"".join(badges)}</div></div></header>'
            f'<nav class="contents" aria-label="Contents"><div>{contents}</div></nav>'
            f"<main>{banner}{parts}</main>")


def _models(out: str) -> list[str]:
    with open(os.path.join(out, "models"), encoding="utf-8") as file:
        return file.read().split()


def write(out: str, path: str) -> int:
    """The report of a run's folder, or results.h5; its bytes."""
    if os.path.isfile(os.path.join(out, "models")):
        raise ResultsError(f"{out}: a job over several models: write a report of each, "
                           f"{', '.join(os.path.join(out, name) for name in _models(out))}")
    with open_results(out) as results:
        made = report(results).encode()
    with open(path, "wb") as file:
        file.write(made)
    return len(made)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """OUT [-o FILE]"""
    parser.add_argument("out", metavar="OUT", help="the folder of a run, or a results.h5")
    parser.add_argument("-o", "--output", default="report.html", metavar="FILE",
                        help="default: report.html")


def run(options: argparse.Namespace) -> int:
    """Write it and say where."""
    n_bytes = write(options.out, options.output)
    print(f"{n_bytes / 1e6:.1f} MB: {options.output}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """The exit status of patchsweep-report."""
    parser = argparse.ArgumentParser(
        prog="patchsweep-report", description="A run as one page of HTML.")
    add_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        return run(options)
    except (ResultsError, OSError) as error:
        print(f"patchsweep-report: {error}", file=sys.stderr)
        return 2

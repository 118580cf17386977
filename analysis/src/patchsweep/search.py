"""Which single neurons or heads matter, without masking each: coarse groups first,
the important ones split, in stages.

    python -m patchsweep search JOB.yaml -o OUT --of mlp_post --groups 12

Stage 0 masks groups of every layer, one at a time. Each next stage takes the
`top` most important of all groups seen so far that were not split yet, splits
those of more than one component into `split` parts and masks these; it ends when
the `top` are single components. JOB.yaml gives the model, the pairs, the metrics;
its own sweeps are left out.

A stage is a sweep more of one output folder, OUT, so a search that was stopped goes
on where it was when the same command is given again. What a stage masks follows
from the values of the former ones alone, which are the same bits for any number of
ranks, kills and restarts; so is the whole search. OUT/stageN.json holds the groups
of stage N, OUT/sweeps.json the sweeps so far, OUT/search.json what was found.

What it cannot see: groups whose members cancel, a component that matters only where
another one is masked too, and whatever stands in a group that the others' damage
pushed out of the `top`. `--check` masks every component after all, and says what of
its first `top` the search has missed.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
from dataclasses import dataclass
from typing import Any

from .importance import importance, ranked, write_groups
from .results import Results, ResultsError, open as open_results


@dataclass
class Group:
    """Components that were masked together, and the damage that did."""

    components: list[str]   # single: L8N2744
    damage: float
    se: float
    is_split: bool = False


def expand(ranges: list[str]) -> list[str]:
    """L8N0-2 as L8N0, L8N1, L8N2."""
    out = []
    for item in ranges:
        first, _, last = item.partition("-")
        head = first.rstrip("0123456789")
        start = int(first[len(head):])
        out += [f"{head}{k}" for k in range(start, int(last or start) + 1)]
    return out


def parts(components: list[str], split: int) -> list[list[str]]:
    """At most `split` lists of neighbours, the first ones longer by one."""
    n = min(split, len(components))
    size, longer = divmod(len(components), n)
    out, at = [], 0
    for i in range(n):
        k = size + (i < longer)
        out.append(components[at:at + k])
        at += k
    return out


def best(groups: list[Group], top: int) -> list[Group]:
    """The `top` most damaging groups that were not split; earlier ones first where
    they are equal."""
    whole = [g for g in groups if not g.is_split]
    return sorted(whole, key=lambda g: -g.damage)[:top]


class Search:
    """A search in one output folder."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.groups: list[Group] = []
        self.sweeps: list[str] = []    # of the stages so far, as the language has them
        self.recorded: list[str] = []  # those that an earlier start came to
        self.record = os.path.join(options.output, "sweeps.json")
        if os.path.exists(self.record):
            with open(self.record, encoding="utf-8") as file:
                self.recorded = json.load(file)
        self.stages: list[dict[str, Any]] = []

    def sweep_text(self, name: str, groups: str, more: str = "") -> str:
        extra = "".join(f", {e.replace('=', ': ', 1)}" for e in self.options.extra)
        return f"{{name: {name}, groups: {groups}, mask: each{more}{extra}}}"

    def run(self, text: str) -> None:
        """One sweep more. What an earlier start had is computed to its end at once, by
        the first call: a run of fewer sweeps would be another job."""
        o = self.options
        is_first = not self.sweeps
        self.sweeps.append(text)
        if self.sweeps != self.recorded[:len(self.sweeps)]:
            if len(self.sweeps) <= len(self.recorded):
                raise ResultsError(f"{o.output} holds another search, whose sweep "
                                   f"{len(self.sweeps)} is "
                                   f"{self.recorded[len(self.sweeps) - 1]}: choose "
                                   "another folder")
            self.recorded = list(self.sweeps)
            with open(f"{self.record}.new", "w", encoding="utf-8") as file:
                json.dump(self.recorded, file, indent=1)
            os.replace(f"{self.record}.new", self.record)
        elif not is_first:
            return
        command = [*shlex.split(o.launcher), o.program, "run", o.job, "-o", o.output,
                   "--set", f"sweeps=[{', '.join(self.recorded)}]"]
        for override in o.set:
            command += ["--set", override]
        if o.model:
            command += ["--model", o.model]
        done = subprocess.run(command, check=False)
        if done.returncode:
            raise ResultsError(f"patchsweep run: exit status {done.returncode}" + (
                ": give the same command again to go on" if done.returncode == 75
                else ""))

    def measure(self, results: Results, name: str) -> list[Group]:
        """The groups of a stage, in the order of their numbers."""
        sweep = results[name]
        table = importance(sweep, self.options.metric)
        rows = sorted(ranked(table, sweep), key=lambda row: (
            row.get("layer", 0), row["component_group"]))
        made = [Group(expand(row["components"]), row["importance"], row["se"])
                for row in rows]
        self.stages.append({"sweep": name, "groups": len(made),
                            "cells": int(sweep.attrs["cells_computed"]),
                            "metric": table.attrs["metric"]})
        return made

    def stage(self, name: str, text: str) -> list[Group]:
        self.run(text)
        with open_results(self.options.output) as results:
            made = self.measure(results, name)
        self.groups += made
        print(f"{name}: {len(made)} groups, {self.stages[-1]['cells']} cells",
              flush=True)
        return made

    def list_file(self, name: str, groups: list[list[str]]) -> str:
        """The groups in a file beside the results, named as the job would."""
        path = os.path.join(self.options.output, f"{name}.json")
        write_groups(path, groups)
        return os.path.relpath(path, os.path.dirname(os.path.abspath(self.options.job)))

    def find(self) -> list[Group]:
        """The `top` single components."""
        o = self.options
        n = f", n: {o.groups}" if o.groups else ""
        self.stage("stage0", self.sweep_text("stage0", f"{{of: {o.of}{n}}}",
                                             ", by: [layer]"))
        self.n_components = sum(len(g.components) for g in self.groups)
        number = 0
        while True:
            chosen = best(self.groups, o.top)
            large = [g for g in chosen if len(g.components) > 1]
            if not large:
                return chosen
            number += 1
            name = f"stage{number}"
            lists = [part for g in large for part in parts(g.components, o.split)]
            for g in large:
                g.is_split = True
            path = self.list_file(name, lists)
            self.stage(name, self.sweep_text(
                name, f"{{of: {o.of}, per: model, partition: {json.dumps(path)}}}"))

    def check(self, found: list[Group]) -> dict[str, Any]:
        """Every component by itself, and what of its first `top` is not found."""
        name = "every_component"
        self.run(self.sweep_text(name, f"{{of: {self.options.of}}}", ", by: [layer]"))
        with open_results(self.options.output) as results:
            every = self.measure(results, name)
        cells = self.stages.pop()["cells"]
        order = sorted(every, key=lambda g: -g.damage)
        rank = {g.components[0]: i + 1 for i, g in enumerate(order)}
        names = {g.components[0] for g in found}
        missed = [g for g in order[:self.options.top] if g.components[0] not in names]
        return {"cells": cells,
                "ranks_of_found": {g.components[0]: rank[g.components[0]]
                                   for g in found},
                "missed": [{"component": g.components[0], "damage": g.damage,
                            "rank": rank[g.components[0]]} for g in missed]}


def search(options: argparse.Namespace) -> int:
    """Run the search that the command line asks for."""
    os.makedirs(options.output, exist_ok=True)
    one = Search(options)
    found = one.find()
    spent = sum(stage["cells"] for stage in one.stages)
    with open_results(options.output) as results:
        n_pairs = int((results.pairs["excluded"].values != 1).sum())
        banner = results.attrs.get("banner")
    full = one.n_components * n_pairs
    report: dict[str, Any] = {
        "of": options.of, "groups": options.groups, "split": options.split,
        "top": options.top, "stages": one.stages, "cells": spent,
        "cells_of_every_component": full,
        "found": [{"component": g.components[0], "damage": g.damage, "se": g.se}
                  for g in found]}
    if options.check:
        report["check"] = one.check(found)
    with open(os.path.join(options.output, "search.json"), "w",
              encoding="utf-8") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
    if banner:
        print(f"*** {banner} ***")
    for row in report["found"]:
        print(f"{row['component']:>12} {row['damage']:12.5g} +- {row['se']:.2g}")
    print(f"{spent} cells of the {full} that every component takes "
          f"({100 * spent / full:.1f} %)")
    if options.check:
        missed = report["check"]["missed"]
        print(f"of the first {options.top} of all components, {len(missed)} are missed"
              + "".join(f"\n{m['component']:>12} {m['damage']:12.5g}, rank {m['rank']}"
                        for m in missed))
    return 0


def add_commands(commands: Any) -> None:
    """search, for python -m patchsweep."""
    one = commands.add_parser("search", help="single components that matter, found by "
                                             "splitting groups in stages")
    one.add_argument("job", metavar="JOB.yaml", help="model, pairs and metrics; its "
                                                     "sweeps are left out")
    one.add_argument("-o", "--output", required=True, metavar="OUT")
    one.add_argument("--of", choices=("mlp_post", "z", "mlp_out"), default="mlp_post")
    one.add_argument("--groups", type=int, default=12, help="of every layer at first; "
                                                            "0: every component")
    one.add_argument("--split", type=int, default=4, help="parts of a group")
    one.add_argument("--top", type=int, default=8, help="groups taken on by a stage")
    one.add_argument("--metric", help="default: the job's first")
    one.add_argument("--extra", action="append", default=[], metavar="KEY=VALUE",
                     help="another key of the stages' sweeps: positions=[end]")
    one.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    one.add_argument("--model", metavar="DIR")
    one.add_argument("--check", action="store_true", help="mask every component too, "
                                                          "and say what was missed")
    one.add_argument("--program", default="patchsweep")
    one.add_argument("--launcher", default="", metavar="\"mpirun -n 4\"")
    one.set_defaults(run=search)

#!/usr/bin/python3
"""Run a parity job and compare every array with TransformerLens' own.

  compare.py PATCHSWEEP JOB.yaml FIXTURE.h5 WORKDIR [--launcher "mpirun -n 2"]

Runs the job twice, with the skipping of unchanged cells on and off. The bound
of an array is, pair by pair, 1e-5 of max(max - min, rms of the logits; 1 for
probabilities; nothing for counted metrics, which must be equal); where the
fixture says "float32", twice the error of the same passes in float32 PyTorch
if that is more.
Prints a line per array with its residual as a share of the bound; exits 1 on
any failure, or where it compared nothing; 77 (skipped) with --may-skip where
the program refuses a key of the job as not supported yet."""

import argparse
import hashlib
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np

import records
from compare_analyses import compare_analyses

TOLERANCE = 1e-5
SKIPPED = 77
COMPUTED, UNCHANGED, NOT_APPLICABLE, DETERMINED, ESTIMATED = 1, 2, 4, 6, 7
POSITIONS = ("position", "dest", "src")
RUNS = {"skip": (COMPUTED, UNCHANGED, DETERMINED, ESTIMATED),
        "full": (COMPUTED, DETERMINED, ESTIMATED)}


class Report:
    """Counts and prints; a failure is a sentence."""

    def __init__(self, way):
        self.way, self.values, self.failures = way, 0, 0
        self.worst, self.unchanged = 0.0, 0

    def fail(self, sentence):
        self.failures += 1
        print(f"FAILED {self.way}: {sentence}")

    def compare(self, what, found, expected, bound):
        """found and expected [pair, ..]; bound: for their first axes. NaN and
        infinities must stand where they stand in expected."""
        found, bound = found.astype(np.float64), np.asarray(bound)
        if found.shape != expected.shape:
            self.fail(f"{what}: shape {found.shape}, expected "
                      f"{expected.shape}")
            return
        finite = np.isfinite(expected)
        if not np.array_equal(np.isfinite(found), finite) or not \
                np.array_equal(found[~finite], expected[~finite], True):
            self.fail(f"{what}: NaN or infinities at other places than "
                      f"expected ({np.sum(np.isfinite(found))} finite values, "
                      f"expected {np.sum(finite)})")
            return
        bound = bound.reshape(bound.shape +
                              (1,) * (expected.ndim - bound.ndim))
        bound = np.broadcast_to(bound, expected.shape)[finite]
        off = np.abs(found[finite] - expected[finite])
        share = np.where(off == 0, 0, off / np.maximum(bound, 1e-300))
        share = share.max(initial=0)
        print(f"{self.way}: {what}: {off.size} values, residual "
              f"{off.max(initial=0):.2e} = {min(share, 9999):.4f} of the "
              f"bound")
        self.values += off.size
        self.worst = max(self.worst, share)
        if not share <= 1:
            self.fail(f"{what}: {np.sum(off > bound)} of {off.size} values "
                      f"out of bound")


def check_digests(fixture, root):
    """The sentences for inputs that are not what the fixture was made of."""
    for name, digest in json.loads(fixture.attrs["digests"]).items():
        data = (root / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            yield f"{name} changed since the fixture was made: generate.py"


def widen(bound, data, fixture):
    """The bound where float32 itself may not keep it."""
    if fixture.attrs["bound"] == "float32":
        bound = np.maximum(bound, 2 * np.asarray(data.attrs["float32_error"]))
    return bound


def bounds(expected, data):
    """[pair]: the bound of each pair's part of an array."""
    flat = expected.reshape(len(expected), -1)
    known = ~np.isnan(flat)  # a pair without any: no span, nothing to bound
    span = flat.max(1, where=known, initial=-np.inf) - flat.min(
        1, where=known, initial=np.inf)
    scale = np.asarray(data.attrs["scale"])
    # a scale of 0 marks a counted metric
    return TOLERANCE * np.where(scale > 0, np.maximum(span, scale), 0)


def compare_baseline(report, results, fixture):
    for metric, data in fixture["baseline"].items():
        if f"baseline/{metric}" not in results:
            report.fail(f"baseline/{metric}: not in results.h5")
            continue
        # each number is an array of its own, without a span
        bound = TOLERANCE * np.asarray(data.attrs["scale"])
        report.compare(f"baseline/{metric}",
                       results[f"baseline/{metric}"][()], data[()],
                       widen(bound, data, fixture))


def trim(found, expected, axes):
    """found without what pads its positions beyond the longest base run,
    which must be NaN."""
    if found.ndim != expected.ndim:
        return found
    inside = tuple(slice(n) if axis in POSITIONS else slice(None)
                   for n, axis in zip(expected.shape, axes))
    beyond = np.ones(found.shape, bool)
    beyond[inside] = False
    return found if np.isfinite(found[beyond]).any() else found[inside]


def compare_status(report, name, status, expected, allowed):
    """Applicable cells have an allowed status, the others not_applicable."""
    report.unchanged += np.sum(status == UNCHANGED)
    applies = np.zeros(status.shape, bool)
    applies[tuple(map(slice, expected.shape))] = np.isfinite(expected)
    wrong = np.where(applies, ~np.isin(status, allowed),
                     status != NOT_APPLICABLE)
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        report.fail(f"{name}/status: {wrong.sum()} cells of another status "
                    f"than expected, first {where}: {status[where]}")


def compare_sweep(report, name, group, fixture, allowed):
    expected_group, axes = fixture["sweeps"][name], ["pair"]
    axes += list(expected_group.attrs["axes"])
    shape = None
    for metric, data in expected_group.items():
        expected = data[()]
        if metric not in group:
            report.fail(f"{name}/{metric}: not in results.h5")
            continue
        found = group[metric][()]
        if metric.endswith("_overall"):  # means over the pairs: one array
            found, expected = found[None], expected[None]
        bound = widen(bounds(expected, data), data, fixture)
        report.compare(f"{name}/{metric}", trim(found, expected, axes),
                       expected, bound)
        if metric.endswith("_overall") or data.attrs.get("is_base", False):
            continue
        shape, known = found.shape, expected
    if shape is None:
        return
    if "status" in group and group["status"].shape == shape:
        compare_status(report, name, group["status"][()], known, allowed)
    else:
        report.fail(f"{name}/status: absent or not of the values' shape "
                    f"{shape}")


def compare_hooks(report, path, fixture, ids):
    if not path.exists():
        report.fail(f"{path.name}: not made")
        return
    with h5py.File(path) as file:
        for pair, hooks in fixture["hooks"].items():
            for hook, data in hooks.items():
                if f"clean/{hook}" not in file:
                    report.fail(f"clean/{hook}: not in activations.h5")
                    continue
                found = file[f"clean/{hook}"][ids.index(pair)]
                expected = data[()]
                if found.ndim != expected.ndim:
                    report.fail(f"{pair}: {hook}: {found.ndim} axes, "
                                f"expected {expected.ndim}")
                    continue
                found = found[tuple(map(slice, expected.shape))]
                finite = expected[np.isfinite(expected)]
                bound = TOLERANCE * max(np.ptp(finite),
                                        np.sqrt(np.mean(finite ** 2)))
                report.compare(f"{pair}: {hook}", found[None],
                               expected[None],
                               [widen(bound, data, fixture)])


def compare_run(report, out, fixture, allowed):
    ids = [i.decode() for i in fixture["pairs/id"][()]]
    with h5py.File(out / "results.h5") as results:
        found = [i.decode() if isinstance(i, bytes) else i
                 for i in results["pairs/id"][()]]
        if found != ids:
            report.fail(f"pairs {found}, expected {ids}")
            return
        compare_baseline(report, results, fixture)
        if "analyses" in fixture:
            compare_analyses(report, results, fixture)
        sweeps = fixture.get("sweeps", {})
        names = set(sweeps) ^ set(results["sweeps"])
        if names:
            report.fail(f"sweeps in the fixture or in results.h5 alone: "
                        f"{sorted(names)}")
        for name in sweeps:
            if name not in names:
                compare_sweep(report, name, results["sweeps"][name],
                              fixture, allowed)
    if "hooks" in fixture:
        compare_hooks(report, out / "activations.h5", fixture, ids)
    if "records" in fixture:
        with h5py.File(out / "activations.h5") as file:
            records.compare(report, file, fixture, widen)


def run_program(args, way, out):
    """The exit status and what went to standard error."""
    command = shlex.split(args.launcher) + [args.program, "run", args.job,
                                            "-o", str(out)]
    if way == "full":
        command += ["--set", "skip_unchanged=false"]
    shutil.rmtree(out, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    print(shlex.join(command), flush=True)
    done = subprocess.run(command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True, errors="replace")
    return done.returncode, done.stderr


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("job")
    parser.add_argument("fixture")
    parser.add_argument("workdir", type=Path)
    parser.add_argument("--launcher", default="")
    parser.add_argument("--may-skip", action="store_true")
    args = parser.parse_args(arguments)
    failures = 0
    with h5py.File(args.fixture) as fixture:
        root = Path(args.job).resolve().parent.parent
        for sentence in check_digests(fixture, root):
            print("FAILED", sentence)
            failures += 1
        for way, allowed in RUNS.items():
            out = args.workdir / way
            report = Report(way)
            status, said = run_program(args, way, out)
            if status and args.may_skip and "not supported yet" in said:
                print(f"skipped: {said.strip()}")
                return SKIPPED
            if status == 0:
                compare_run(report, out, fixture, allowed)
            else:
                report.fail(f"exit status {status}: {said.strip()}")
            if report.values == 0:
                report.fail("nothing was compared")
            print(f"{way}: {report.values} values compared, at most "
                  f"{report.worst:.4f} of a bound used, {report.unchanged} "
                  f"cells unchanged, {report.failures} failures")
            failures += report.failures
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

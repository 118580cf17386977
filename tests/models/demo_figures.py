#!/usr/bin/env python3
"""The demo model's figures on its held-out prompts, measured by patchsweep.

    PATCHSWEEP=PROGRAM demo_figures.py [FOLDER]

Writes two jobs from models/demo/heldout.jsonl, with BOS and without, runs them
(in FOLDER, else in one that is removed) and reads the clean runs out of
results.h5. Prints a table by task. Exit status 1 with a sentence per fault
where a figure is outside of what the demo model is held to.

Needs h5py and numpy.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy

DEMO = pathlib.Path(__file__).resolve().parents[2] / "models" / "demo"
PROGRAM = os.environ["PATCHSWEEP"]
METRICS = ["logit_diff", "prob", "accuracy"]

# The least share of right answers, logit_diff > 0; the first four are required.
LEAST_RIGHT = {"ioi": 0.95, "last_name": 0.95, "contraction": 0.90,
               "year": 0.90, "fact": 0.90, "pronoun": 0.90}
# Bounds of a task's means. A probability near 0 or 1 is hard to move, and so
# says little about an edit.
BOUNDS = {"prob": (0.30, 0.95), "logit_diff": (2.0, 8.0)}


def write_job(path, rows, bos):
    """A job with the rows as pairs and one small sweep. JSON is YAML."""
    keys = ("clean", "corrupted", "answer", "wrong")
    path.write_text(json.dumps({
        "title": "the held-out prompts of the demo model",
        "model": str(DEMO), "prepend_bos": bos, "metrics": METRICS,
        # In a few rows clean and corrupted differ in length; the sweep, which
        # nothing here reads, needs to know which positions are the same.
        "pairs": [{k: row[k] for k in keys} | {"align": "end"} for row in rows],
        "sweeps": [{"name": "last", "site": "resid_pre", "by": ["layer"],
                    "layers": [11]}]}))


def measure(rows, bos, folder):
    """The metrics of the rows' clean runs: arrays [row] by metric's name."""
    job, out = folder / f"bos_{bos}.yaml", folder / f"bos_{bos}"
    write_job(job, rows, bos)
    done = subprocess.run([PROGRAM, "run", job, "-o", out],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"demo_figures: patchsweep run {job}: exit status "
                 f"{done.returncode}\n{done.stdout}{done.stderr}")
    with h5py.File(out / "results.h5") as file:
        runs = [name.decode() for name in file["baseline/run"][...]]
        clean = runs.index("clean")
        return {m: file["baseline"][m][clean] for m in METRICS}


def measure_all(rows, folder):
    """Arrays [row] by metric's name, in the order of the rows."""
    all_rows = {m: numpy.full(len(rows), numpy.nan) for m in METRICS}
    for bos in (False, True):
        places = [i for i, row in enumerate(rows) if row["bos"] == bos]
        for metric, values in measure([rows[i] for i in places], bos,
                                      folder).items():
            all_rows[metric][places] = values
    return all_rows


def faults_of_task(task, right, means):
    if not right >= LEAST_RIGHT[task]:
        yield (f"{task}: {right:.1%} right, expected at least "
               f"{LEAST_RIGHT[task]:.0%}")
    for metric, (least, most) in BOUNDS.items():
        if not least <= means[metric] <= most:
            yield (f"{task}: mean {metric} {means[metric]:.3f}, expected "
                   f"{least} to {most}")


def report(rows, figures):
    """Prints the table and the faults; how many of these."""
    tasks = {}
    for i, row in enumerate(rows):
        tasks.setdefault(row["task"], []).append(i)
    faults = [f"{task}: no rows" for task in LEAST_RIGHT if task not in tasks]
    print(f"{'task':12}{'n':>5}{'right':>9}{'p answer':>10}{'logit diff':>12}"
          f"{'least':>8}")
    for task, places in tasks.items():
        of_task = {m: figures[m][places] for m in METRICS}
        means = {m: of_task[m].mean() for m in METRICS}
        right = (of_task["logit_diff"] > 0).mean()
        print(f"{task:12}{len(places):5}{right:9.1%}{means['prob']:10.3f}"
              f"{means['logit_diff']:12.2f}{of_task['logit_diff'].min():8.2f}")
        if means["accuracy"] != right:
            faults.append(f"{task}: accuracy {means['accuracy']}, expected "
                          f"{right}, the share of logit_diff > 0")
        faults += faults_of_task(task, right, means)
    for fault in faults:
        print(f"demo_figures: {fault}", file=sys.stderr)
    return len(faults)


def main(argv):
    lines = (DEMO / "heldout.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    if len(argv) > 1:
        folder = pathlib.Path(argv[1])
        folder.mkdir(parents=True, exist_ok=True)
        return 1 if report(rows, measure_all(rows, folder)) else 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        return 1 if report(rows, measure_all(rows, folder)) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))

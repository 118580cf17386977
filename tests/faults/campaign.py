#!/usr/bin/python3
"""Seeded faults against whole runs: what is said, what is kept, and whether
going on gives the results of an undisturbed run bit for bit.

    tests/faults/campaign.py [--seed 1] [--n 300] [--kind NAME]... [--keep]

PATCHSWEEP, PATCHSWEEP_MPIEXEC and PATCHSWEEP_SHIM name the program, mpirun and
the library of shim.c. Prints a line a fault and a table of kinds and outcomes;
status 1 where one ended otherwise than it must. docs/faults.md has the table.
"""

import argparse
import collections
import os
import random
import shutil
import sys
import tempfile
import time

from kinds import KINDS
from trial import Bench, Skip, Trial, Wrong


def try_one(bench, seed, number, name):
    """(outcome, trouble or None)."""
    folder = os.path.join(bench.folder, f"{number}")
    os.makedirs(folder)
    made = Trial(bench, random.Random(f"{seed}/{number}/{name}"), folder)
    try:
        return KINDS[name](made), None
    except Skip as reason:
        return f"skipped: {reason}", None
    except Wrong as trouble:
        return "WRONG", str(trouble)


def main():
    """The campaign."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--n", type=int, default=300)
    parser.add_argument("--first", type=int, default=0, help="number of the first fault")
    parser.add_argument("--kind", action="append", choices=sorted(KINDS))
    parser.add_argument("--keep", action="store_true", help="keep the folders")
    arguments = parser.parse_args()
    names = arguments.kind or list(KINDS)
    folder = tempfile.mkdtemp(prefix="patchsweep-faults-")
    table = collections.defaultdict(collections.Counter)
    n_wrong = 0
    began = time.monotonic()
    try:
        bench = Bench(folder)
        for number in range(arguments.first, arguments.first + arguments.n):
            name = names[number % len(names)]
            at = time.monotonic()
            outcome, trouble = try_one(bench, arguments.seed, number, name)
            table[name][outcome] += 1
            print(f"{number} {name}: {outcome} ({time.monotonic() - at:.1f} s)", flush=True)
            if trouble:
                n_wrong += 1
                print(trouble, flush=True)
            elif not arguments.keep:
                shutil.rmtree(os.path.join(folder, str(number)), ignore_errors=True)
    finally:
        if not arguments.keep and not n_wrong:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"kept: {folder}")
    print("\n| fault | outcomes |\n|---|---|")
    for name, outcomes in table.items():
        told = ", ".join(f"{text} {n}" for text, n in sorted(outcomes.items()))
        print(f"| {name.replace('_', ' ')} | {told} |")
    print(f"\n{arguments.n} faults, {n_wrong} wrong, seed {arguments.seed}, "
          f"{time.monotonic() - began:.0f} s")
    return 1 if n_wrong else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
"""Write tests/base/randn_fixture.inc: what a million draws of NumPy's
RandomState(seed).randn are, for test_randn.c. Needs python3-numpy."""

import hashlib
from pathlib import Path

import numpy as np

DRAWS, PARTS, SEEDS = 1_000_000, 100, (1, 0, 2 ** 32 - 1)
FIRST = 8


def main():
    lines = [f"/* By make_randn_fixture.py, NumPy {np.__version__}. */"]
    for seed in SEEDS:
        words = np.random.RandomState(seed).bytes(4 * DRAWS)
        draws = np.random.RandomState(seed).randn(DRAWS)
        parts = draws.reshape(PARTS, -1)
        digest = hashlib.sha256(words).hexdigest()
        lines += [f"{{{seed}u,", f' "{digest}",', " {"]
        lines += [f"  {float(x).hex()}," for x in draws[:FIRST]]
        lines += [" },", " {"]
        lines += [f"  {{{float(x).hex()}, {float(y).hex()}}}," for x, y in
                  zip(parts.sum(1), (parts * np.arange(parts.shape[1])).sum(1))]
        lines += [" }},"]
    path = Path(__file__).with_name("randn_fixture.inc")
    path.write_text("\n".join(lines) + "\n")


main()

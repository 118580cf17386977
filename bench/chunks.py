#!/usr/bin/python3
"""How activations.h5 is best cut: size and time to read, by chunk and filter.

  chunks.py ACTIVATIONS.h5 [HOOK ..]

Copies arrays of the group /clean into files of several layouts, and reads each
of them: one pair out of the middle (the median over 20 pairs, the file opened
anew for each), and the whole array. Files are in the page cache, so this is
the price of HDF5 and of inflating, not of the disk."""

import os
import statistics
import sys
import tempfile
import time

import h5py
import numpy as np

HOOKS = ("blocks.6.hook_resid_pre", "blocks.6.attn.hook_pattern", "blocks.6.mlp.hook_post")
VALUES = (1 << 13, 1 << 15, 1 << 17)
FILTERS = {"raw": {}, "deflate": {"shuffle": True, "compression": "gzip", "compression_opts": 4}}


def chunk_of(shape, values):
    """Whole trailing dimensions, as common/store/activations.c cuts them."""
    chunk, n = [], 1
    for extent in reversed(shape):
        parts = -(-extent // max(1, values // n))
        chunk.insert(0, -(-extent // parts))
        n *= chunk[0]
    return tuple(chunk)


def seconds(read):
    """How long a call takes."""
    began = time.perf_counter()
    read()
    return time.perf_counter() - began


def measure(path, n_pairs):
    """Seconds for one pair, and for all."""
    def one(pair):
        with h5py.File(path) as file:
            return file["x"][pair]

    def whole():
        with h5py.File(path) as file:
            return file["x"][()]

    pairs = np.random.default_rng(0).integers(0, n_pairs, 20)
    return (statistics.median(seconds(lambda p=p: one(int(p))) for p in pairs),
            min(seconds(whole) for _ in range(3)))


def main():
    """Print a table."""
    hooks = sys.argv[2:] or HOOKS
    print("| hook | chunk (values) | filter | MB | one pair, ms | all pairs, ms | write, ms |")
    print("|---|---|---|---|---|---|---|")
    with h5py.File(sys.argv[1]) as source, tempfile.TemporaryDirectory() as folder:
        for hook in hooks:
            data = source[f"clean/{hook}"][()]
            for values in VALUES:
                chunk = chunk_of(data.shape, values)
                for name, options in FILTERS.items():
                    path = os.path.join(folder, "x.h5")

                    def write(path=path, chunk=chunk, options=options, data=data):
                        with h5py.File(path, "w") as file:
                            x = file.create_dataset("x", data.shape, data.dtype,
                                                    chunks=chunk, **options)
                            for pair, row in enumerate(data):
                                x[pair] = row

                    wrote = seconds(write)
                    one, whole = measure(path, len(data))
                    print(f"| {hook} | {'x'.join(map(str, chunk))} ({values}) | {name} | "
                          f"{os.path.getsize(path) / 1e6:.1f} | {1e3 * one:.2f} | "
                          f"{1e3 * whole:.0f} | {1e3 * wrote:.0f} |", flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Fetch the real GPT-2 into models/ and check it. Standard library only.

    fetch_gpt2.py [gpt2 | gpt2-medium | gpt2-large | gpt2-xl]   fetch and check
    fetch_gpt2.py --check gpt2                  check what is there, no network
    fetch_gpt2.py --base URL gpt2               another copy of the model hub

What is fetched is config.json and model.safetensors (0.5, 1.5, 3.2 and 6.4
GB); a broken download goes on where it stopped. vocab.json and merges.txt are
those of models/demo, the same for every GPT-2.

What is checked: a file with a digest in gpt2.sha256 has that digest. A weight
file without one there must hold the tensors of its model, in their shapes, and
be as long as its header says; its digest is printed, for you to compare with
the one that the model's page shows.
"""

import argparse
import hashlib
import json
import pathlib
import shutil
import sys
import urllib.error
import urllib.request

MODELS = pathlib.Path(__file__).resolve().parent
BASE = "https://huggingface.co/openai-community"
SIZES = {  # n_layer, n_embd, n_head
    "gpt2": (12, 768, 12), "gpt2-medium": (24, 1024, 16),
    "gpt2-large": (36, 1280, 20), "gpt2-xl": (48, 1600, 25)}
N_VOCAB, N_POSITIONS = 50257, 1024
BYTES = {"F32": 4, "F16": 2, "BF16": 2}
FETCHED = ["config.json", "model.safetensors"]
COPIED = ["vocab.json", "merges.txt"]


class Fault(Exception):
    """A sentence for the user: what was found, what was expected."""


def expected_shapes(model):
    """HF's tensor names, without "transformer.", and their shapes."""
    n_layer, C, _ = SIZES[model]
    shapes = {"wte.weight": [N_VOCAB, C], "wpe.weight": [N_POSITIONS, C],
              "ln_f.weight": [C], "ln_f.bias": [C]}
    for i in range(n_layer):
        for name, ins, outs in [("attn.c_attn", C, 3 * C),
                                ("attn.c_proj", C, C),
                                ("mlp.c_fc", C, 4 * C),
                                ("mlp.c_proj", 4 * C, C)]:
            shapes[f"h.{i}.{name}.weight"] = [ins, outs]
            shapes[f"h.{i}.{name}.bias"] = [outs]
        for name in ("ln_1", "ln_2"):
            shapes[f"h.{i}.{name}.weight"] = [C]
            shapes[f"h.{i}.{name}.bias"] = [C]
    return shapes


def check_weights(path, model):
    """The tensors of a safetensors file are those of the model."""
    size = path.stat().st_size
    with open(path, "rb") as f:
        n = int.from_bytes(f.read(8), "little")
        if not 2 <= n <= min(size - 8, 100_000_000):
            raise Fault(f"{path}: not a safetensors file: its header would be "
                        f"{n} bytes long in a file of {size}")
        try:
            header = json.loads(f.read(n))
        except ValueError as e:
            raise Fault(f"{path}: header is not JSON: {e}") from e
    header.pop("__metadata__", None)
    tensors = {k.removeprefix("transformer."): v for k, v in header.items()}
    for name, shape in expected_shapes(model).items():
        if name not in tensors:
            raise Fault(f"{path}: tensor {name} is missing")
        got = tensors[name]
        if got["shape"] != shape:
            raise Fault(f"{path}: tensor {name}: shape {got['shape']}, "
                        f"expected {shape}")
        if got["dtype"] not in BYTES:
            raise Fault(f"{path}: tensor {name}: {got['dtype']}, expected one "
                        f"of {', '.join(BYTES)}")
    data = max(t["data_offsets"][1] for t in tensors.values())
    if size != 8 + n + data:
        raise Fault(f"{path}: {size} bytes, expected {8 + n + data}: the "
                    "download is not complete, or more than complete")


def check_config(path, model):
    config = json.loads(path.read_text())
    for key, expected in zip(("n_layer", "n_embd", "n_head"), SIZES[model]):
        if config.get(key) != expected:
            raise Fault(f"{path}: {key} is {config.get(key)}, expected "
                        f"{expected}")


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def known_digests():
    """gpt2.sha256, in the format of sha256sum: digest, two spaces, path."""
    lines = (MODELS / "gpt2.sha256").read_text().splitlines()
    return {path: digest for digest, path in
            (line.split() for line in lines if not line.startswith("#"))}


def check(model):
    folder, known = MODELS / model, known_digests()
    for name in FETCHED + COPIED:
        path = folder / name
        if not path.is_file():
            raise Fault(f"{path}: not there")
        digest, expected = sha256(path), known.get(f"{model}/{name}")
        if expected and digest != expected:
            raise Fault(f"{path}: sha256 {digest}, expected {expected}")
        if name == "config.json":
            check_config(path, model)
        if name == "model.safetensors":
            check_weights(path, model)
        if expected:
            print(f"{path}: sha256 as expected")
        elif name == "model.safetensors":
            print(f"{path}: tensors and length as expected; no digest of this "
                  f"file is known here. It has\n  sha256 {digest}\n"
                  f"Compare it with the one shown at\n"
                  f"  {BASE}/{model}/blob/main/{name}")
        else:
            print(f"{path}: sizes as expected")


def download(url, path):
    """url into path, by way of path.part, which a later call continues."""
    part = path.with_name(path.name + ".part")
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={
        "User-Agent": "patchsweep", **({"Range": f"bytes={have}-"} if have
                                       else {})})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            mode = "ab" if answer.status == 206 else "wb"
            length = answer.headers.get("Content-Length")
            print(f"{url}: {length or 'unknown'} bytes"
                  + (f" after {have}" if mode == "ab" else ""), flush=True)
            with open(part, mode) as f:
                shutil.copyfileobj(answer, f, 1 << 20)
                got = f.tell() - (have if mode == "ab" else 0)
    except urllib.error.HTTPError as e:
        if e.code != 416:       # all of it is there already
            raise Fault(f"{url}: {e}") from e
    except OSError as e:
        raise Fault(f"{url}: {e}") from e
    else:
        if length and got != int(length):
            raise Fault(f"{url}: {got} bytes came, expected {length}; run "
                        "this again to go on")
    part.rename(path)


def by_hand(model, base):
    return (f"Without a connection from here, put these files into "
            f"{MODELS / model}:\n"
            + "".join(f"  {name:18} {base}/{model}/resolve/main/{name}\n"
                      for name in FETCHED)
            + "".join(f"  {name:18} a copy of {MODELS / 'demo' / name}\n"
                      for name in COPIED)
            + f"and check them: {sys.argv[0]} --check {model}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", nargs="?", default="gpt2", choices=SIZES)
    parser.add_argument("--base", default=BASE, help=f"default {BASE}")
    parser.add_argument("--check", action="store_true", help="no network")
    args = parser.parse_args()
    folder = MODELS / args.model
    try:
        if not args.check:
            folder.mkdir(exist_ok=True)
            for name in COPIED:
                shutil.copyfile(MODELS / "demo" / name, folder / name)
            for name in FETCHED:
                if not (folder / name).exists():
                    download(f"{args.base}/{args.model}/resolve/main/{name}",
                             folder / name)
        check(args.model)
    except Fault as fault:
        print(f"fetch_gpt2: {fault}\n\n{by_hand(args.model, args.base)}",
              file=sys.stderr)
        return 1
    print(f"{folder}: ready")
    return 0


if __name__ == "__main__":
    sys.exit(main())

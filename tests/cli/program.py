"""What the tests of the program share: how to start it, a job on a small
model, and a reader of the journal that is not the program's own."""

import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ["PATCHSWEEP"]
MPIEXEC = os.environ.get("PATCHSWEEP_MPIEXEC", "mpirun")
MODEL = os.path.join(ROOT, "tests", "parity", "models", "deep")
TIMEOUT = 240

EXTRA = os.environ.get("PATCHSWEEP_TEST_KEEP")  # a folder to look at afterwards


def command(arguments, ranks=0):
    """argv of the program; ranks 0: without mpirun."""
    program = [PROGRAM, *map(str, arguments)]
    if not ranks:
        return program
    return [MPIEXEC, "-n", str(ranks), *program]


def run(arguments, ranks=0, **options):
    """The finished process, with its output as text."""
    return subprocess.run(command(arguments, ranks), capture_output=True, text=True,
                          timeout=TIMEOUT, check=False, **options)


def start(arguments, ranks=0):
    """A process under way, in a session of its own."""
    return subprocess.Popen(command(arguments, ranks), stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True,
                            start_new_session=True, restore_signals=False)


def descendants(pid):
    """The ids of a process and all its children that live now."""
    found = [pid]
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except FileNotFoundError:
        return found
    for task in tasks:
        try:
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                children = file.read().split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in children:
            found += descendants(int(child))
    return found


def kill_all(process, number=signal.SIGKILL):
    """A signal to the process and to everything it started."""
    for pid in reversed(descendants(process.pid)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


# A job

SWEEPS = [
    "{name: resid_post, site: resid_post, by: [layer, position]}",
    "{name: z, site: z, by: [layer, position, head]}",
    "{name: mlp_post, site: mlp_post, by: [layer, position, neuron], neurons: 0-20}",
    "{name: mlp_pre, site: mlp_pre, by: [layer, neuron], positions: [end]}",
    "{name: v, site: v, by: [layer, position, head]}",
    "{name: zero_mlp, site: mlp_out, by: [layer, position], base: clean, value: zero}",
    "{name: knock_out, site: attn_scores, by: [layer, head, src], base: clean, value: -inf}",
    "{name: path, path: {send: {site: z}, receive: {site: [q, v, logits]}}}",
    "{name: dims, site: resid_pre, by: [layer, position, dim], layers: [0, 2]}",
]
MORE_SWEEPS = ["{name: attn_out, site: attn_out, by: [layer, position]}"]

ANALYSES = [
    "{name: logit_lens, positions: all, top: 5}",
    "{name: decompose, positions: [end, 3]}",
    "{name: heads, run: clean}",
    "{name: neurons, top: 8}",
    "{name: attention, layers: [1, 4]}",
    "{name: head_scores, n: 2, length: 7}",
]


def make_job(path, n_pairs, sweeps, length=15, seed=1, analyses=()):
    """A job of random tokens on the model `deep` (vocabulary of 37)."""
    rng = random.Random(seed)
    lines = ["title: a job of the tests", f"model: {MODEL}", "prepend_bos: false",
             "metrics: [logit_diff, prob]", "pairs:"]
    for i in range(n_pairs):
        clean = [rng.randrange(37) for _ in range(length)]
        corrupted = list(clean)
        at = rng.randrange(length)
        corrupted[at] = (clean[at] + 1 + rng.randrange(36)) % 37
        lines.append(f"  - {{id: p{i}, group: g{i % 3}, clean_tokens: {clean}, "
                     f"corrupted_tokens: {corrupted}, answer_tokens: {rng.randrange(18)}, "
                     f"wrong_tokens: {18 + rng.randrange(18)}}}")
    lines += ["sweeps:", *(f"  - {sweep}" for sweep in sweeps)]
    if analyses:
        lines += ["analyses:", *(f"  - {analysis}" for analysis in analyses)]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return path


# The journal, read by its description in common/store/journal.h

KINDS = {1: "start", 2: "end", 3: "extension", 4: "result", 5: "failure", 6: "mark",
         7: "inputs", 8: "held"}


def read_journal(folder):
    """[(kind, payload)] of all whole records."""
    with open(os.path.join(folder, "journal"), "rb") as file:
        data = file.read()
    records, at = [], 16
    if data[:8] != b"PSJOURN1":
        return []
    while at + 20 <= len(data):
        kind, size, number = struct.unpack_from("<IIQ", data, at)
        end = at + 16 + size
        if end + 4 > len(data):
            break
        if struct.unpack_from("<I", data, end)[0] != zlib.crc32(data[at:end]):
            break
        assert number == len(records)
        records.append((KINDS[kind], data[at + 16:end]))
        at = end + 4
    return records


def units(records, kind="result"):
    """The unit of each result, in order."""
    return [struct.unpack_from("<Q", payload)[0] for name, payload in records if name == kind]


def marked(records):
    """The records before the last mark: those that no crash may lose."""
    last = max((i for i, (kind, _) in enumerate(records) if kind == "mark"), default=-1)
    return records[:last + 1]


# Results

def differences(one, other):
    """Paths where two results.h5 differ outside /run, bit for bit."""
    import h5py  # pylint: disable=import-outside-toplevel
    found = []

    def content(item):
        attributes = {name: str(item.attrs[name]) for name in item.attrs
                      if not name.startswith(("REFERENCE_LIST", "DIMENSION_LIST"))}
        if isinstance(item, h5py.Dataset):
            value = item[()]
            raw = repr(value.tolist() if item.shape else value) \
                if item.dtype.kind == "O" else value.tobytes()
            return attributes, item.dtype.str, item.shape, raw
        return attributes

    with h5py.File(one) as a, h5py.File(other) as b:
        names = []
        for file in (a, b):
            listed = []
            file.visit(lambda name, listed=listed: listed.append(name) and None)
            names.append({name for name in listed if not re.match(r"run(/|$)", name)})
        found += sorted(names[0] ^ names[1])
        for name in sorted(names[0] & names[1]):
            if content(a[name]) != content(b[name]):
                found.append(name)
        if {k: str(v) for k, v in a.attrs.items()} != {k: str(v) for k, v in b.attrs.items()}:
            found.append("/")
    return found


class ProgramTest(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="patchsweep-")
        if not EXTRA:
            self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name):
        """A path in the test's folder."""
        return os.path.join(self.folder, name)

    def job(self, name="job.yaml", n_pairs=24, sweeps=None, **options):
        """A job file in the test's folder."""
        return make_job(self.path(name), n_pairs, sweeps or SWEEPS, **options)

    def check(self, process, status=0):
        """The exit status, with what the program said where it is another."""
        self.assertEqual(process.returncode, status,
                         f"{process.args}\n{process.stdout}\n{process.stderr}")
        return process

    def assert_same_results(self, one, other):
        """Two runs' results.h5 are equal bit for bit outside /run."""
        self.assertEqual(differences(os.path.join(one, "results.h5"),
                                     os.path.join(other, "results.h5")), [])


def main():
    """As unittest.main, telling what is run."""
    unittest.main(verbosity=2, argv=sys.argv)

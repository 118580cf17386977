"""What the kinds of faults share: jobs with their undisturbed results, and a
trial with what every kind needs."""

import contextlib
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import program  # noqa: E402 pylint: disable=wrong-import-position
from program import marked, read_journal, units  # noqa: E402 pylint: disable=wrong-import-position

SHIM = os.environ.get("PATCHSWEEP_SHIM", "")
N_PAIRS = int(os.environ.get("PATCHSWEEP_TEST_PAIRS", "40"))


class Wrong(Exception):
    """What a fault led to and must not."""


class Skip(Exception):
    """Why a kind cannot be tried here."""


def check(condition, *what):
    """Else it went wrong."""
    if not condition:
        raise Wrong(" ".join(map(str, what)))


def disagreements(partial, whole):
    """Values of a partial results.h5 that are not those of the whole one."""
    import h5py  # pylint: disable=import-outside-toplevel
    import numpy  # pylint: disable=import-outside-toplevel
    found = []
    with h5py.File(partial) as a, h5py.File(whole) as b:
        for name in a["sweeps"]:
            for metric in a["sweeps"][name].attrs["metric_names"].split():
                if name not in b["sweeps"]:
                    continue
                mine, right = (file["sweeps"][name][metric][()] for file in (a, b))
                there = ~numpy.isnan(mine)
                if mine.shape != right.shape or \
                        mine[there].tobytes() != right[there].tobytes():
                    found.append(f"{name}/{metric}")
    return found


class Bench:
    """Jobs and their undisturbed results, computed once."""

    def __init__(self, folder):
        self.folder, self.wholes = folder, {}
        self.job = self.make("job", program.SWEEPS)
        self.seconds = 0.0
        began = time.monotonic()
        self.whole(self.job)
        self.seconds = time.monotonic() - began

    def make(self, name, sweeps, **options):
        """A job file."""
        path = os.path.join(self.folder, f"{name}.yaml")
        options.setdefault("n_pairs", N_PAIRS)
        return program.make_job(path, sweeps=sweeps, **options)

    def whole(self, job):
        """The folder of an undisturbed run of the job."""
        if job not in self.wholes:
            out = f"{job}.whole"
            process = program.run(["run", job, "-o", out], 2)
            check(process.returncode == 0, process.stderr)
            self.wholes[job] = out
        return self.wholes[job]


class Trial:
    """One fault: its random numbers, its folder, and what every kind needs."""

    def __init__(self, bench, rng, folder):
        self.bench, self.rng, self.folder = bench, rng, folder
        self.job = bench.job
        self.out = os.path.join(folder, "out")
        self.text = ""
        self.kept = []  # records that no start may lose

    # Starting

    def environment(self, faults):
        """What `env` needs before the program."""
        if not faults:
            return []
        preload = [f"LD_PRELOAD={SHIM}"] if SHIM else []
        return ["env", *preload, "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0",
                *(f"FAULT_{name}={value}" for name, value in faults.items())]

    def start(self, *options, ranks=0, out=None, job=None, faults=None, command="run",
              mpi=()):
        """The program under way."""
        named = [job or self.job, "-o", out or self.out, "--sync-seconds", "0.05"] \
            if command == "run" else [out or self.out]
        argv = [*self.environment(faults), program.PROGRAM, command,
                *map(str, [*named, *options])]
        if ranks:
            argv = [program.MPIEXEC, *mpi, "-n", str(ranks), *argv]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, errors="replace", start_new_session=True)

    def end(self, process, *statuses, says=None):
        """Its end: one of the statuses, and the sentence."""
        try:
            self.text = process.communicate(timeout=program.TIMEOUT)[0]
        except subprocess.TimeoutExpired as error:
            program.kill_all(process)
            raise Wrong("it hung:", process.communicate()[0]) from error
        check(process.returncode in statuses, f"status {process.returncode}, not one of "
              f"{statuses}:\n{self.text}")
        if says:
            check(re.search(says, self.text), f"no sentence /{says}/:\n{self.text}")
        check("Sanitizer" not in self.text, self.text)
        check(not re.search(r"[Ss]egmentation|Assertion", self.text), self.text)
        return process.returncode

    def run(self, *options, statuses=(0,), says=None, **how):
        """The program from beginning to end."""
        return self.end(self.start(*options, **how), *statuses, says=says)

    def ranks(self):
        """One rank alone, or a few."""
        return self.rng.choice([0, 2, 3])

    def pause(self, process):
        """Until any moment of a run; oftener one when it computes."""
        if self.rng.random() < 0.7:
            self.wait_for_units(process, 40)
        else:
            time.sleep(self.moment())

    def moment(self):
        """Seconds at which something happens to a run."""
        return self.rng.uniform(0.05, 1.1 * self.bench.seconds)

    def wait_for_units(self, process, most=10):
        """Until some units are recorded, or it is over."""
        n = self.rng.randrange(1, most + 1)
        while process.poll() is None and len(units(self.records())) < n:
            time.sleep(0.01)

    def workers(self, process):
        """The processes of the program, by rank."""
        found = {}
        for pid in program.descendants(process.pid):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/environ", "rb") as file:
                    rank = re.search(rb"OMPI_COMM_WORLD_RANK=(\d+)", file.read())
                name = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
                if name == os.path.basename(program.PROGRAM):
                    found[int(rank.group(1)) if rank else 0] = pid
        return found

    # Looking

    def records(self, out=None):
        """The journal's whole records."""
        out = out or self.out
        return read_journal(out) if os.path.exists(os.path.join(out, "journal")) else []

    def look(self, whole=True):
        """What was synced is there, no unit stands there twice, and no value of
        results.h5 is wrong."""
        now = self.records()
        check(now[:len(self.kept)] == self.kept, "synced records are gone")
        check(len(units(now)) == len(set(units(now))), "a unit was recorded twice")
        self.kept = marked(now)
        results = os.path.join(self.out, "results.h5")
        if whole and os.path.exists(results):
            wrong = disagreements(results, os.path.join(self.bench.whole(self.job), "results.h5"))
            check(not wrong, "wrong numbers:", wrong)
        left = [name for name in os.listdir(self.out) if ".tmp." in name] \
            if os.path.isdir(self.out) else []
        return now, left

    def go_on(self, *options, **how):
        """The same command again: the undisturbed results."""
        self.look()
        how.setdefault("ranks", self.ranks())
        self.run(*options, **how)
        self.look()
        wrong = program.differences(os.path.join(self.bench.whole(self.job), "results.h5"),
                                    os.path.join(self.out, "results.h5"))
        check(not wrong, "not the undisturbed results:", wrong)

    def begin(self, share=1.0):
        """A run that was stopped in order somewhere, with the given chance."""
        if self.rng.random() < share:
            seconds = self.rng.uniform(0.3, 1) * self.bench.seconds
            self.run("--time-limit", f"{seconds:.2f}s", statuses=(0, 75))
            self.look()

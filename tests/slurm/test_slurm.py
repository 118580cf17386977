#!/usr/bin/python3
"""Sweeps through slurm/submit on a real Slurm of two nodes: the time limit,
scancel, a stop file, a node that dies. Each time the results are, bit for bit,
those of a plain run. Where Slurm cannot start it is skipped; in CI it fails."""

import os
import re
import shutil
import signal
import sys
import tempfile
import time
import unittest

import h5py

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import program  # noqa: E402  pylint: disable=wrong-import-position
from cluster import CannotStart, Cluster, send  # noqa: E402

SUBMIT = os.path.join(program.ROOT, "slurm", "submit")
WAIT_S = 150

# Both nodes are one machine: Open MPI's shared memory between ranks would name
# the files of both alike, so messages go by tcp.
SITE = """\
site_setup() {{
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    export OMPI_MCA_btl=self,tcp OMPI_MCA_rmaps_base_oversubscribe=1
}}
patchsweep=({program})
launcher=${{TEST_LAUNCHER:-srun}}
mpi=${{TEST_MPI:-pmix}}
srun_options=()
mpirun_options=(--bind-to none)
scratch=/tmp
requeue=scontrol
cores_per_node=2
gflops=20
target_hours=1
max_nodes=2
max_minutes=10
"""

FOLDER = None
CLUSTER = None


class Sweeps(unittest.TestCase):
    """One cluster, one job; each test has an output folder of its own."""

    @classmethod
    def setUpClass(cls):
        cls.job = program.make_job(os.path.join(FOLDER, "job.yaml"), 480, program.SWEEPS)
        cls.whole = os.path.join(FOLDER, "whole")
        plain = program.run(["run", cls.job, "-o", cls.whole])
        assert plain.returncode == 0, plain.stderr
        cls.n_units = len(program.units(program.read_journal(cls.whole)))
        with open(os.path.join(FOLDER, "site.conf"), "w", encoding="utf-8") as file:
            file.write(SITE.format(program=program.PROGRAM))

    def setUp(self):
        self.out = os.path.join(FOLDER, self._testMethodName)
        self.log = self.out + ".log"
        self.number = None
        self.began = time.monotonic()

    def tearDown(self):
        print(f"({time.monotonic() - self.began:.0f} s)", end=" ", flush=True)
        if self.number:
            CLUSTER.run("scancel", self.number)
            self.wait("the job left", lambda: not self.state())

    def told(self):
        """The job's log."""
        if not os.path.exists(self.log):
            return ""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait(self, what, is_so):
        """Until it is so."""
        end = time.monotonic() + WAIT_S
        while not is_so():
            if time.monotonic() > end:
                job = CLUSTER.run("scontrol", "show", "job", self.number or 0).stdout
                self.fail(f"not within {WAIT_S} s: {what}\n{job}\n{self.told()}")
            time.sleep(0.05)

    def submit(self, minutes=5, sbatch=(), **environment):
        """Over both nodes, two ranks on each."""
        site = os.path.join(FOLDER, "site.conf")
        process = CLUSTER.run(SUBMIT, self.job, "-o", self.out, "-N", 2, "-n", 2,
                              "-t", minutes, "--", f"--output={self.log}", *sbatch,
                              PATCHSWEEP_SITE=site, **environment)
        self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
        self.number = re.search(r"Submitted batch job (\d+)", process.stdout).group(1)

    def field(self, name):
        """A field of `scontrol show job`."""
        text = CLUSTER.run("scontrol", "show", "job", self.number).stdout
        found = re.search(rf"\b{name}=(\S*)", text)
        return found.group(1) if found else ""

    def state(self):
        """The job's state as long as it is in the queue."""
        return CLUSTER.run("squeue", "-h", "-j", self.number, "-o", "%T").stdout.strip()

    def units(self):
        """How many units the journal has."""
        if not os.path.exists(os.path.join(self.out, "journal")):
            return 0
        return len(program.units(program.read_journal(self.out)))

    def wait_for_units(self):
        """Until this start has added some; how many there are."""
        before = self.units()
        self.wait("a unit more", lambda: self.units() > before)
        return self.units()

    def hold(self):
        """The ranks stand still in the middle of the sweep; their pids."""
        self.wait_for_units()
        pids = CLUSTER.ranks()
        for pid in pids:
            send(pid, signal.SIGSTOP)
        self.assertEqual(len(pids), 4)
        self.assertLess(self.units(), self.n_units)
        return pids

    def release(self, pids):
        """They go on."""
        for pid in pids:
            send(pid, signal.SIGCONT)

    def wait_for_requeue(self, restarts):
        """The job is back in the queue; Slurm starts it a few seconds later."""
        self.wait("requeued", lambda: self.field("Restarts") == str(restarts))

    def wait_for_end(self, state="COMPLETED"):
        """Until the job has left the queue, in the state."""
        ended = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
        self.wait(f"ended {state}", lambda: self.field("JobState") in ended)
        self.assertEqual(self.field("JobState"), state, self.told())
        self.wait("no rank left", lambda: not CLUSTER.ranks())

    def check_results(self):
        """As the plain run's outside /run; what /run says of each start."""
        differences = program.differences(os.path.join(self.whole, "results.h5"),
                                          os.path.join(self.out, "results.h5"))
        self.assertEqual(differences, [])
        with h5py.File(os.path.join(self.out, "results.h5")) as file:
            run = {name: [value.decode() if isinstance(value, bytes) else value
                          for value in file["run"][name][()].tolist()]
                   for name in file["run"] if file["run"][name].ndim == 1}
        self.assertEqual(set(run["slurm_nodes"]), {"n[1-2]"})
        self.assertTrue(all(n > 0 for n in run["units_computed"]), run["units_computed"])
        self.assertEqual(sum(run["units_computed"]), self.n_units)
        return run

    def test_time_limit_twice(self):
        """Slurm warns before the limit; the job requeues itself, twice."""
        self.submit(1, ["--signal=B:USR1@50"])
        for start in range(2):
            pids = self.hold()
            if start == 0:
                status = program.run(["status", self.out]).stdout
                self.assertRegex(status, rf"held by +host .*, slurm job {self.number}\n")
                self.assertRegex(status, rf"units +\d+ of {self.n_units} ")
            self.wait("the warning", lambda start=start: self.told().count(
                "the time limit is near") == start + 1)
            self.release(pids)
            self.wait_for_requeue(start + 1)
        self.wait_for_end()
        run = self.check_results()
        self.assertEqual(run["slurm_restarts"], [0, 1, 2])
        self.assertEqual(run["slurm_job_id"], [self.number] * 3)
        self.assertEqual(run["ending"], ["SIGUSR1", "SIGUSR1", "finished"])
        self.assertEqual(run["ranks"], [4, 4, 4])

    def test_scancel_and_submit_again(self):
        """scancel ends it for good; the same submission goes on, by mpirun."""
        self.submit(TEST_LAUNCHER="mpirun")
        self.wait_for_units()
        CLUSTER.run("scancel", self.number)
        self.wait_for_end("CANCELLED")
        self.assertEqual(self.field("Restarts"), "0")
        first, done = self.number, self.units()
        self.assertLess(done, self.n_units)
        status = program.run(["status", self.out, "--exit-code"])
        self.assertEqual(status.returncode, 75)
        self.assertRegex(status.stdout, "held by +nobody")
        self.submit(TEST_LAUNCHER="mpirun")
        self.wait_for_end()
        run = self.check_results()
        self.assertEqual(run["slurm_job_id"], [first, self.number])
        self.assertEqual(run["ending"][1], "finished")

    def test_node_dies(self):
        """A node dies with its ranks; the job comes back when it is there."""
        self.submit()
        self.hold()
        CLUSTER.kill_node("n2")
        self.wait_for_requeue(1)
        CLUSTER.start_node("n2")
        self.wait_for_end()
        run = self.check_results()
        self.assertEqual(run["slurm_restarts"], [0, 1])

    def test_stop_file_ends_it(self):
        """OUT/stop ends the run, and it is not requeued."""
        self.submit()
        pids = self.hold()
        with open(os.path.join(self.out, "stop"), "wb"):
            time.sleep(1.2)
        self.release(pids)
        self.wait_for_end("FAILED")
        self.assertEqual(self.field("ExitCode"), "1:0")
        self.assertIn("stopped by its file 'stop'", self.told())

    def test_without_pmix(self):
        """Ranks that do not find each other end it, and it is not requeued."""
        self.submit(TEST_MPI="none")
        self.wait_for_end("FAILED")
        self.assertRegex(self.told(), "use srun --mpi=pmix|PMI support")
        self.assertIn("the run did not come about: not requeued", self.told())


def main():
    """77 where Slurm cannot start; in CI 1."""
    global FOLDER, CLUSTER  # pylint: disable=global-statement
    FOLDER = tempfile.mkdtemp(prefix="patchsweep-slurm-")
    CLUSTER = Cluster(os.path.join(FOLDER, "cluster"))
    try:
        CLUSTER.start()
        result = unittest.main(verbosity=2, exit=False).result
        return 0 if result.wasSuccessful() else 1
    except CannotStart as reason:
        print(f"skipped: Slurm cannot start here: {reason}")
        return 1 if os.environ.get("CI") == "true" else 77
    finally:
        CLUSTER.stop()
        if not program.EXTRA:
            shutil.rmtree(FOLDER, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
"""SIGKILL of every rank at random moments: nothing that was synced is lost or
computed again, and the results are those of an uninterrupted run."""

import os
import random
import time

import program
from program import marked, read_journal, run, start, units

KILLS = int(os.environ.get("PATCHSWEEP_TEST_KILLS", "20"))
SEED = int(os.environ.get("PATCHSWEEP_TEST_SEED", "1"))


class Kill(program.ProgramTest):
    """One test: it takes half a minute."""

    def begin_and_kill(self, job, out, seconds, ranks):
        """True where the run was killed, False where it ended before."""
        process = start(["run", job, "-o", out, "--sync-seconds", "0.05"], ranks)
        time.sleep(seconds)
        is_over = process.poll() is not None
        program.kill_all(process)
        text = process.communicate(timeout=program.TIMEOUT)[0]
        if is_over:
            self.assertEqual(process.returncode, 0, text)
        return not is_over

    def kept(self, before, out):
        """What was synced is as it was; no unit stands there twice."""
        now = read_journal(out) if os.path.exists(os.path.join(out, "journal")) else []
        self.assertEqual(now[:len(marked(before))], marked(before))
        self.assertEqual(len(set(units(now))), len(units(now)))
        return now

    def test_killed_and_resumed_is_uninterrupted(self):
        rng = random.Random(SEED)
        job = self.job(n_pairs=104, analyses=program.ANALYSES)
        whole = self.path("whole")
        began = time.monotonic()
        self.check(run(["run", job, "-o", whole]))
        whole_s = time.monotonic() - began
        n_units = len(units(read_journal(whole)))
        self.assertGreaterEqual(n_units, 100)
        kills, rounds, lost = 0, 0, 0
        while kills < KILLS:
            rounds += 1
            out = self.path(f"out{rounds}")
            records = []
            while kills < KILLS:
                ranks = rng.choice([0, 2, 3])
                was_killed = self.begin_and_kill(job, out, rng.uniform(0.05, whole_s), ranks)
                kills += was_killed
                now = self.kept(records, out)
                # A unit that is there is not computed again: the results of
                # this start are others than those of before.
                fresh = units(now[len(marked(records)):])
                self.assertFalse(set(fresh) & set(units(marked(records))))
                lost += len(units(now)) - len(units(marked(now)))
                records = now
                if not was_killed:
                    break
            self.check(run(["run", job, "-o", out], 2))
            records = self.kept(records, out)
            self.assertEqual(sorted(units(records)), list(range(n_units)))
            self.assert_same_results(whole, out)
        print(f"{kills} kills in {rounds} runs of {n_units} units ({whole_s:.1f} s each); "
              f"{lost} units were recorded after the last mark")


if __name__ == "__main__":
    program.main()

"""A Slurm cluster of two nodes on this machine, in one folder: munged,
slurmctld and two slurmd of its own, on free ports. Nothing of the system's
configuration is read or written."""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time

NODES = ("n1", "n2")
PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "sbatch", "scontrol")
START_S = 60
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

# Two nodes on one machine: a slurmd each, with folders of its own; Slurm's
# PMIx plugin wants TmpFS to differ and to be there. cred_expire is also the time
# for which a requeued job waits: two minutes unless it is said, 5 s at least.
CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
StateSaveLocation={folder}/slurmctld
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/%n.log
SlurmdSpoolDir={folder}/%n
TmpFS={folder}/tmp/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_min_interval=200000
JobAcctGatherType=jobacct_gather/none
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=10
MessageTimeout=20
KillWait=5
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""


class CannotStart(Exception):
    """Why there is no cluster here, as a sentence."""


def free_ports(n):
    """n ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(n)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def environment_of(pid):
    """The environment that a process was started with; {} where it is gone."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            words = file.read().decode("utf-8", "replace").split("\0")
    except OSError:
        return {}
    return dict(word.split("=", 1) for word in words if "=" in word)


class Cluster:
    """Started by start, and ended with all that it started by stop."""

    def __init__(self, folder):
        self.folder = folder
        self.conf = os.path.join(folder, "slurm.conf")
        self.environment = dict(os.environ, SLURM_CONF=self.conf)
        self.environment["PATH"] = PATH + ":" + os.environ.get("PATH", "")
        self.daemons = {}

    def start(self):
        """CannotStart where something is missing or does not come up."""
        for program in PROGRAMS:
            if not shutil.which(program, path=self.environment["PATH"]):
                raise CannotStart(f"{program} is not installed")
        for name in ("munge", "slurmctld", *NODES, *(f"tmp/{node}" for node in NODES)):
            os.makedirs(os.path.join(self.folder, name), mode=0o755)
        os.chmod(self.folder, 0o755)
        self._start_munge()
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write(CONF.format(host=socket.gethostname().split(".")[0],
                                   ports=free_ports(3), folder=self.folder,
                                   user=pwd.getpwuid(os.getuid()).pw_name))
        self._start("slurmctld", ["slurmctld", "-D", "-i", "-f", self.conf])
        for node in NODES:
            self.start_node(node)
        end = time.monotonic() + START_S
        while self.run("sinfo", "-h", "-t", "idle", "-o", "%D").stdout.strip() != "2":
            if time.monotonic() > end:
                raise CannotStart(f"the nodes were not idle after {START_S} s: "
                                  + self._tail())
            time.sleep(0.3)

    def _start_munge(self):
        folder = os.path.join(self.folder, "munge")
        key = os.path.join(folder, "key")
        with open(key, "wb") as file:
            file.write(os.urandom(1024))
        os.chmod(key, 0o400)
        self._start("munged", ["munged", "--foreground", "--force", f"--key-file={key}",
                               f"--socket={folder}/socket", f"--pid-file={folder}/pid",
                               f"--log-file={folder}/log", f"--seed-file={folder}/seed"])
        end = time.monotonic() + START_S
        while not os.path.exists(os.path.join(folder, "socket")):
            if self.daemons["munged"].poll() is not None or time.monotonic() > end:
                raise CannotStart("munged did not come up: " + self._tail())
            time.sleep(0.05)

    def _start(self, name, command, **more):
        with open(os.path.join(self.folder, f"{name}.out"), "ab") as log:
            self.daemons[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(self.environment, **more), start_new_session=True)

    def start_node(self, node):
        """What it starts has PATCHSWEEP_TEST_NODE in its environment."""
        self._start(node, ["slurmd", "-D", "-N", node, "-f", self.conf],
                    PATCHSWEEP_TEST_NODE=node)

    def _tail(self):
        lines = []
        for path in glob.glob(os.path.join(self.folder, "*.out")):
            with open(path, encoding="utf-8", errors="replace") as file:
                lines += [f"{os.path.basename(path)}: {line.strip()}"
                          for line in file.readlines()[-3:]]
        return "; ".join(lines)

    def run(self, *command, **more):
        """A command of Slurm, finished."""
        return subprocess.run(list(map(str, command)), env=dict(self.environment, **more),
                              capture_output=True, text=True, timeout=120, check=False)

    def processes(self, **wanted):
        """The processes of this cluster whose environment has what is wanted."""
        wanted["SLURM_CONF"] = self.conf
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        return [pid for pid in pids if pid != os.getpid()
                and wanted.items() <= environment_of(pid).items()]

    def ranks(self, node=None):
        """The ranks of patchsweep at work."""
        wanted = {"SLURMD_NODENAME": node} if node else {}
        found = []
        for pid in self.processes(**wanted):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"/patchsweep") and words[1] == b"run":
                found.append(pid)
        return found

    def kill_node(self, node):
        """SIGKILL of its slurmd and of all that runs on it."""
        for pid in {self.daemons[node].pid, *self.processes(PATCHSWEEP_TEST_NODE=node),
                    *self.processes(SLURMD_NODENAME=node)}:
            send(pid, signal.SIGKILL)
        self.daemons.pop(node).wait()

    def stop(self):
        """End every process that this cluster started."""
        if "slurmctld" in self.daemons:
            self.run("scancel", "--me")
            time.sleep(1)
        for name in reversed(list(self.daemons)):
            self.daemons[name].terminate()
        end = time.monotonic() + 10
        while self.processes() and time.monotonic() < end:
            for daemon in self.daemons.values():
                daemon.poll()
            time.sleep(0.2)
        for pid in self.processes():
            send(pid, signal.SIGKILL)
        for daemon in self.daemons.values():
            daemon.wait()


def send(pid, number):
    """A signal to a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass

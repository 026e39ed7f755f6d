"""A SLURM cluster of one node, this machine, with two counted GPUs.

Needs root and Debian's packages slurm-wlm and munge. All state is in one folder, but for the link
``/run/slurm/conf``: the plugin's jobs lose SLURM_CONF, and this is where SLURM looks next.
"""

import os
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path
from string import Template

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun")
SITE = Path("/etc/slurm/slurm.conf")  # would win over ours
LINK = Path("/run/slurm/conf")


def obstacle():
    """Return why no cluster can be started here, or None."""
    if os.geteuid() != 0:
        return "only root can start a SLURM cluster"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian: slurm-wlm, munge)"
    if SITE.exists() or LINK.exists():
        return f"this machine has a SLURM already: {SITE if SITE.exists() else LINK}"
    return None


def wait_for(event, name, seconds=120):
    """Return once ``event()`` is true; raise TimeoutError when it takes too long."""
    end = time.monotonic() + seconds
    while not event():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s for {name}")
        time.sleep(0.2)


def free_ports(count):
    """Return ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Cluster:
    """Started and stopped by ``with``; ``folder`` is new and short, for the sake of its sockets."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.host = socket.gethostname().split(".")[0]
        self.environment = {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")}
        self.daemons = []

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception):
        self._run("scancel", "--user=root")
        try:
            wait_for(lambda: not self.steps(), "the end of all jobs")
        finally:
            for daemon in reversed(self.daemons):
                daemon.terminate()
                daemon.wait(60)
            if LINK.is_symlink() and LINK.readlink() == self.folder:
                LINK.unlink()

    def _start(self):
        for name in ("munge", "controller", "node"):
            (self.folder / name).mkdir(mode=0o755)
        self.folder.chmod(0o755)
        self._configure()
        munge = self.folder / "munge"
        self._daemon(
            "munged", "--foreground", f"--socket={munge}/socket", f"--key-file={munge}/key",
            f"--pid-file={munge}/pid", f"--log-file={munge}/log", f"--seed-file={munge}/seed",
        )  # fmt: skip
        wait_for((munge / "socket").exists, "munged")
        self._daemon("slurmctld", "-D")
        self._daemon("slurmd", "-D")
        wait_for(self._idle, "the node")

    def _configure(self):
        key = self.folder / "munge" / "key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        ports = free_ports(2)
        template = Template((Path(__file__).parent / "slurm.conf").read_text())
        (self.folder / "slurm.conf").write_text(
            template.substitute(
                host=self.host,
                folder=self.folder,
                controller_port=ports[0],
                node_port=ports[1],
            )
        )
        # SLURM counts GPUs by character devices; any will do.
        gpus = f"NodeName={self.host} Name=gpu File=/dev/null,/dev/zero\n"
        (self.folder / "gres.conf").write_text(gpus)
        LINK.parent.mkdir(exist_ok=True)
        LINK.symlink_to(self.folder)

    def _daemon(self, *command):
        with open(self.folder / f"{command[0]}.log", "w") as log:
            self.daemons.append(
                subprocess.Popen(
                    command, env=self.environment, stdout=log, stderr=log, start_new_session=True
                )
            )

    def _run(self, *command):
        return subprocess.run(command, env=self.environment, capture_output=True, text=True)

    def _idle(self):
        return self._run("sinfo", "--noheader", "--format=%T").stdout.strip() == "idle"

    def call(self, *command):
        """Run a command of SLURM, which must succeed."""
        run = self._run(*command)
        assert run.returncode == 0, run.stderr

    @staticmethod
    def steps():
        """Return the processes that hold steps of jobs; a new start of a job must not meet them."""
        return [
            process
            for process in psutil.process_iter(["name", "cmdline"])
            if process.info["name"] == "slurmstepd" and process.info["cmdline"]  # no zombie
        ]

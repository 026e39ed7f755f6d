"""Locks that the kernel frees with their process, however it ends, and the user's cache folder."""

import fcntl
import os
import time
from pathlib import Path


def cache_folder():
    """Return the folder that all clones and processes of a user share."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "g2lstm"


def lock(path, patience=0.0):
    """Lock the file ``path`` and return it open, or None when another process holds it.

    The lock lasts until the file is closed or the process ends. ``patience``: seconds to go on
    trying, against the instants for which :func:`held` takes a lock.
    """
    deadline = time.monotonic() + patience
    # NFS locks only what is open for writing.
    handle = open(path, "a")  # noqa: SIM115  the lock is as long as the file is open
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            if time.monotonic() >= deadline:
                handle.close()
                return None
            time.sleep(0.01)


def held(path):
    """Return whether a process holds the lock of the file ``path``.

    The kernel is asked by a shared lock, given back at once: unlike a look at the processes of
    this machine, this sees those of other machines too where they share the file.
    """
    try:
        with open(path) as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False

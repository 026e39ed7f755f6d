"""Locks that the kernel frees with their process, however it ends, and the user's cache folder."""

import fcntl
import os
from pathlib import Path


def cache_folder():
    """Return the folder that all clones and processes of a user share."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "g2lstm"


def lock(path):
    """Lock the file ``path`` and return it open, or None when another process holds it.

    The lock lasts until the file is closed or the process ends.
    """
    handle = open(path, "a")  # noqa: SIM115  the lock is as long as the file is open
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    return handle

"""Claims of CUDA devices: no two processes of a user compute on one.

A claim is a lock on a file named after the device in the user's cache folder. Names are UUIDs,
which are the same whatever number a process sees the device under.
"""

import os
import sys
import time

from g2lstm.errors import UserError
from g2lstm.locks import cache_folder, lock

WAIT = 1.0  # seconds between two looks at devices in use
_claims = {}  # UUID -> open lock file, of this process


def assigned():
    """Return whether a scheduler, or the user, has given this process a single device."""
    devices = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return len([name for name in devices.split(",") if name.strip()]) == 1


def claim(uuids):
    """Hold one of the devices ``uuids`` until the process ends; return its place in the list.

    The first free one is taken, or the one that this process holds already. When all are in use,
    says so and waits.
    """
    for place, uuid in enumerate(uuids):
        if uuid in _claims:
            return place
    place = _first_free(uuids)
    if place is None:
        print(f"waiting for one of {len(uuids)} CUDA devices", file=sys.stderr, flush=True)
    while place is None:
        time.sleep(WAIT)
        place = _first_free(uuids)
    return place


def _first_free(uuids):
    folder = cache_folder() / "devices"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for place, uuid in enumerate(uuids):
            handle = lock(folder / f"{uuid}.lock")
            if handle is not None:
                _claims[uuid] = handle
                return place
    except OSError as error:
        raise UserError(
            f"cannot claim a CUDA device in {folder} ({error.strerror or error}); set "
            "XDG_CACHE_HOME to a folder that can be written"
        ) from error
    return None

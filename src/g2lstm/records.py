"""Writing and reading results: atomic files, deterministic JSON records, provenance beside them.

Every result has two records. ``X.json`` holds only what is deterministic (metrics, parameters,
data hashes), so that an equal run gives an equal file. ``X.prov.json`` holds what is not: versions,
device, commit, times, memory.
"""

import hashlib
import json
import os
import platform
import resource
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from g2lstm import __version__
from g2lstm.errors import UserError, explain

SCHEMA = "g2lstm-record/1"


@contextmanager
def atomic_path(path):
    """Yield a temporary path in the folder of ``path``; rename it onto ``path`` when all went well.

    A reader sees the old file or the complete new one. On any error (a full disk, a signal) the
    temporary file is removed and the old file stays as it was. Raises UserError for what the
    system refuses.
    """
    path = Path(path)
    with ExitStack() as cleaning:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(path.suffix, f".{path.name}.", path.parent)
            temporary = Path(name)
            cleaning.callback(temporary.unlink, missing_ok=True)
            os.close(handle)
            yield temporary
            with open(temporary, "rb") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except OSError as error:
            raise UserError(f"cannot write {path}: {explain(error)}") from error


def link_or_copy(source, target):
    """Put ``source`` at ``target`` as well: by a hard link, or a copy where links do not work."""
    with atomic_path(target) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


def write_text(path, text):
    """Write ``text`` to ``path`` atomically, in UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def canonical_json(value):
    """Return ``value`` as JSON with sorted keys and no blanks: equal settings give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value):
    """Return the SHA-256 (hex) of ``value`` in canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def file_sha256(path):
    """Return the SHA-256 (hex) of a file's content."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_record(path, record):
    """Write a deterministic record as readable JSON; NaN and infinities are refused."""
    text = json.dumps({"schema": SCHEMA, **record}, indent=2, sort_keys=True, allow_nan=False)
    write_text(path, text + "\n")


def read_record(path):
    """Read a record written by :func:`write_record`.

    Raises UserError when the file is missing, damaged or of another schema.
    """
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such record; run the rule that makes it") from None
    except (ValueError, OSError) as error:
        raise UserError(f"{path}: unreadable record ({error}); delete it and run again") from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise UserError(f"{path}: not a record of schema {SCHEMA}; delete it and run again")
    return record


def write_provenance(record_path, started, **facts):
    """Write ``X.prov.json`` beside the record ``X.json``.

    ``started`` is the ``time.monotonic()`` at the start of the work, which no change of the clock
    spoils; ``facts`` are added as they are.
    """
    import numpy
    import torch

    provenance = {
        "g2lstm": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(time.monotonic() - started, 3),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        **facts,
    }
    write_text(
        Path(record_path).with_suffix(".prov.json"),
        json.dumps(provenance, indent=2, sort_keys=True) + "\n",
    )


def read_provenance(record_path):
    """Return the facts of :func:`write_provenance` on a record, or None when there are none.

    Raises UserError when the file is damaged.
    """
    path = Path(record_path).with_suffix(".prov.json")
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, OSError) as error:
        raise UserError(f"{path}: unreadable provenance ({error}); delete it") from error


def _commit():
    """Return the git commit of the source tree, with ``+dirty`` when it has changes, or None."""
    here = Path(__file__).parent

    def git(*arguments):
        return subprocess.run(
            ["git", "-C", here, *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        return commit + ("+dirty" if git("status", "--porcelain", "--", here) else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()

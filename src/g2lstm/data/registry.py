"""The registry of data sets, and the lock file beside it.

Where the registry knows no SHA-256, the first copy of a file is trusted and its hash goes into the
lock file; from then on that hash is as binding as one of the registry.
"""

import json
import math
import re
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from g2lstm import locks
from g2lstm.errors import UserError
from g2lstm.records import file_sha256, write_text


@dataclass(frozen=True)
class RemoteFile:
    """One file of the registry: see the head of ``resources/datasets.yaml``.

    ``also`` are other files that are as good, each {"bytes": size, "sha256": hex}. ``lock`` is the
    lock file when size and checksum come from there, otherwise None.
    """

    name: str
    mirror: str
    urls: list[str]
    bytes: int | None = None
    sha256: str | None = None
    also: list[dict] = field(default_factory=list)
    lock: Path | None = None

    def fits(self, path):
        """Tell whether the file at ``path`` has a right size and its SHA-256, as far as known."""
        size = path.stat().st_size
        known = [{"bytes": self.bytes, "sha256": self.sha256}, *self.also]
        hashes = [each["sha256"] for each in known if each["bytes"] in (None, size)]
        return bool(hashes) and (None in hashes or file_sha256(path) in hashes)

    def identity(self):
        """Return size and SHA-256 in words, with the way out when they come from the lock file."""
        known = [f"{self.bytes} bytes"] if self.bytes is not None else []
        known += [f"SHA-256 {self.sha256}"] if self.sha256 is not None else []
        text = ", ".join(known) or "no size or checksum known"
        text += "".join(
            f"; or {each['bytes']} bytes, SHA-256 {each['sha256']}" for each in self.also
        )
        if self.lock is None:
            return text
        return (
            f"{text}, as {self.lock} has it from the first copy; to accept another one, delete "
            f"the entry of {self.name} there"
        )


@dataclass(frozen=True)
class Dataset:
    """A data set of the registry: its files, and the sentence pairs of its splits.

    ``lines`` {split: pairs} is exact; ``lines_about`` are published counts that depend on the
    tokeniser.
    """

    files: list[RemoteFile]
    lines: dict[str, int] = field(default_factory=dict)
    lines_about: dict[str, int] = field(default_factory=dict)


def read_dataset(name, registry_path):
    """Return the :class:`Dataset` ``name``, with the checksums that the lock file adds.

    Raises UserError for an unknown data set and an unreadable registry or lock file.
    """
    try:
        registry = yaml.safe_load(Path(registry_path).read_text(encoding="utf-8"))
        if name in registry:
            entry = registry[name]
            files = [RemoteFile(**file) for file in entry["files"]]
            counts = {key: entry[key] for key in ("lines", "lines_about") if key in entry}
            return Dataset(_with_lock(name, files, _lock_path(registry_path)), **counts)
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{registry_path}: unreadable registry of data sets ({reason})") from error
    raise UserError(f"unknown data set {name!r}; known are: {', '.join(sorted(registry))}")


def trust(dataset, file, path, registry_path):
    """Enter size and SHA-256 of ``path``, the first copy of ``file``, into the lock file.

    Raises UserError when another process has meanwhile entered another copy, and when the lock
    file cannot be read or written.
    """
    lock = _lock_path(registry_path)
    found = {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
    with _guard(lock):
        entries = _read_lock(lock)
        entered = entries.setdefault(dataset, {}).setdefault(file.name, found)
        if entered != found:
            raise UserError(
                f"{path}: not the copy that another run has entered meanwhile; delete it and fetch "
                f"it again (expected: {replace(file, **entered, lock=lock).identity()})"
            )
        write_text(lock, json.dumps(entries, indent=2, sort_keys=True) + "\n")
    print(
        f"{file.name}: no checksum is known; this first copy is trusted, its SHA-256 "
        f"{found['sha256']} is now in {lock}",
        file=sys.stderr,
    )


def _lock_path(registry_path):
    return Path(registry_path).with_suffix(".lock")


@contextmanager
def _guard(lock):
    """Keep other processes, which may fetch other data sets, from changing the lock file."""
    # The lock file itself is replaced when it is written.
    guard = lock.with_name(f".{lock.name}.guard")
    try:
        with locks.lock(guard, patience=math.inf):
            yield
    except OSError as error:
        reason = error.strerror or error
        raise UserError(
            f"cannot write {lock} under its guard {guard} ({reason}); make its folder writable"
        ) from error


def _with_lock(dataset, files, lock):
    entries = _read_lock(lock).get(dataset, {})
    return [
        replace(file, **entries[file.name], lock=lock)
        if file.sha256 is None and file.name in entries
        else file
        for file in files
    ]


def _read_lock(lock):
    """Return ``{data set: {file: {"bytes": size, "sha256": hex}}}``; empty when there is none."""
    try:
        entries = json.loads(lock.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"{lock}: unreadable lock file ({error}); mend or delete it") from error
    if not isinstance(entries, dict):
        raise UserError(f"{lock}: unreadable lock file (no data sets); mend or delete it")
    for dataset, files in entries.items():
        if not isinstance(files, dict) or not all(map(_is_identity, files.values())):
            raise UserError(
                f"{lock}: unreadable lock file (not name: bytes, sha256 in the entry of "
                f"{dataset}); mend or delete it"
            )
    return entries


def _is_identity(entry):
    return (
        isinstance(entry, dict)
        and set(entry) == {"bytes", "sha256"}
        and isinstance(entry["bytes"], int)
        and re.fullmatch("[0-9a-f]{64}", str(entry["sha256"])) is not None
    )

"""Fetching the files of a data set: from a mirror folder, then from public addresses in order.

Nothing is trusted but size and SHA-256: a file appears under its name only when both are right.
Where the registry knows no SHA-256, the first copy is trusted and its hash goes into the lock file
beside the registry; from then on that hash is as binding as one of the registry.
"""

import fcntl
import json
import shutil
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import pooch
import yaml

from g2lstm.data.download import ResumingDownload, SourceError
from g2lstm.errors import UserError
from g2lstm.records import atomic_path, file_sha256, write_text


@dataclass(frozen=True)
class RemoteFile:
    """One file of the registry: see the head of ``resources/datasets.yaml``.

    ``lock`` is the lock file when size and checksum come from there, otherwise None.
    """

    name: str
    mirror: str
    urls: list[str]
    bytes: int | None = None
    sha256: str | None = None
    lock: Path | None = None

    def fits(self, path):
        """Tell whether the file at ``path`` has the size and the SHA-256, as far as known."""
        return self.bytes in (None, path.stat().st_size) and (
            self.sha256 in (None, file_sha256(path))
        )

    def identity(self):
        """Return size and SHA-256 in words, with the way out when they come from the lock file."""
        known = [f"{self.bytes} bytes"] if self.bytes is not None else []
        known += [f"SHA-256 {self.sha256}"] if self.sha256 is not None else []
        text = ", ".join(known) or "no size or checksum known"
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


def fetch(dataset, output_dir, registry_path, mirror=None, progress=True):
    """Put the files of ``dataset`` into ``output_dir`` and return their paths, in registry order.

    A file that is there with the right SHA-256 is kept. ``mirror`` is a folder that stands in for
    the network: its files must be right, those it lacks are downloaded. ``progress`` shows a bar
    when standard error is a terminal. An interrupted download leaves ``.<name>.part``, from which
    the next call goes on, unless no SHA-256 is known that could tell whether the parts belong
    together. The first copy of such a file is entered into ``registry_path`` with the suffix
    ``.lock``, with a notice.

    Raises UserError for an unknown data set, an unreadable registry or lock file, a mirror that
    is no folder or holds a wrong file, a full disk, or a file that no source delivers.
    """
    files = read_dataset(dataset, registry_path).files
    if mirror is not None and not Path(mirror).is_dir():
        raise UserError(
            f"data_mirror {mirror} is no folder; correct the path or remove the setting"
        )
    paths = []
    for file in files:
        paths.append(_fetch_file(file, Path(output_dir) / file.name, mirror, progress))
        if file.sha256 is None:
            _trust(dataset, file, paths[-1], Path(registry_path))
    return paths


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


def _lock_path(registry_path):
    return Path(registry_path).with_suffix(".lock")


def _with_lock(dataset, files, lock):
    entries = _read_lock(lock).get(dataset, {})
    return [
        replace(file, **entries[file.name], lock=lock)
        if file.sha256 is None and file.name in entries
        else file
        for file in files
    ]


def _read_lock(lock):
    try:
        return json.loads(lock.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"{lock}: unreadable lock file ({error}); mend or delete it") from error


def _trust(dataset, file, path, registry_path):
    """Enter size and SHA-256 of the first copy of ``file`` into the lock file."""
    lock = _lock_path(registry_path)
    found = {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
    with open(registry_path) as held:
        # Several data sets may be fetched at the same time.
        fcntl.flock(held, fcntl.LOCK_EX)
        entries = _read_lock(lock)
        entries.setdefault(dataset, {})[file.name] = found
        write_text(lock, json.dumps(entries, indent=2, sort_keys=True) + "\n")
    _notice(
        f"{file.name}: no checksum is known; this first copy is trusted, its SHA-256 "
        f"{found['sha256']} is now in {lock}"
    )


def _fetch_file(file, target, mirror, progress):
    if target.is_file():
        if file.fits(target):
            return target
        _notice(f"{target} has another SHA-256 or size than it should have; fetching it anew")
    tried = []
    if mirror is not None:
        copy = Path(mirror) / file.mirror
        if copy.is_file():
            _copy_from_mirror(file, copy, target)
            return target
        tried.append(f"{copy}: absent")
        _notice(f"{file.name} is not in the mirror {mirror}; trying its public addresses")
    for url in file.urls:
        try:
            _download(file, url, target, progress)
            return target
        except SourceError as error:
            tried.append(f"{url}: {error}")
    raise UserError(
        f"no source delivers {file.name} ({'; '.join(tried)}); put the file at "
        f"{target}, or set data_mirror to a folder with {file.mirror} ({file.identity()})"
    )


def _copy_from_mirror(file, copy, target):
    if not file.fits(copy):
        raise UserError(
            f"{copy}: wrong file in the mirror ({copy.stat().st_size} bytes, SHA-256 "
            f"{file_sha256(copy)}); replace or remove it (expected: {file.identity()})"
        )
    with atomic_path(target) as temporary:
        shutil.copyfile(copy, temporary)


def _download(file, url, target, progress):
    # pooch's own messages name its temporary files; the notices here are enough.
    pooch.get_logger().setLevel("WARNING")
    part = target.with_name(f".{target.name}.part")
    if file.sha256 is None:
        # Nothing could tell that an earlier run's beginning belongs to the same file.
        part.unlink(missing_ok=True)
    downloader = ResumingDownload(part, file.bytes, progress)
    try:
        pooch.retrieve(
            url,
            known_hash=file.sha256 and f"sha256:{file.sha256}",
            fname=target.name,
            path=target.parent,
            downloader=downloader,
        )
    except ValueError as error:
        if downloader.inherited:
            _notice(f"{file.name} does not fit its partial download; downloading all of it")
            return _download(file, url, target, progress)
        raise SourceError(f"right size, but another SHA-256 than {file.sha256[:12]}...") from error
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror or error}") from error


def _notice(text):
    print(text, file=sys.stderr)

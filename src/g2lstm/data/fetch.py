"""Fetching the files of a data set: from a mirror folder, then from public addresses in order.

Nothing is trusted but size and SHA-256: a file appears under its name only when both are right.
"""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pooch
import yaml

from g2lstm.data.download import ResumingDownload, SourceError
from g2lstm.errors import UserError
from g2lstm.records import atomic_path, file_sha256


@dataclass(frozen=True)
class RemoteFile:
    """One file of the registry: see the head of ``resources/datasets.yaml``."""

    name: str
    bytes: int
    sha256: str
    mirror: str
    urls: list[str]


def fetch(dataset, output_dir, registry_path, mirror=None, progress=True):
    """Put the files of ``dataset`` into ``output_dir`` and return their paths, in registry order.

    A file that is there with the right SHA-256 is kept. ``mirror`` is a folder that stands in for
    the network: its files must be right, those it lacks are downloaded. ``progress`` shows a bar
    when standard error is a terminal. An interrupted download leaves ``.<name>.part``, from which
    the next call goes on.

    Raises UserError for an unknown data set, an unreadable registry, a mirror that is no folder or
    holds a wrong file, a full disk, or a file that no source delivers.
    """
    files = _registered_files(dataset, registry_path)
    if mirror is not None and not Path(mirror).is_dir():
        raise UserError(
            f"data_mirror {mirror} is no folder; correct the path or remove the setting"
        )
    return [_fetch_file(file, Path(output_dir) / file.name, mirror, progress) for file in files]


def _registered_files(dataset, registry_path):
    try:
        registry = yaml.safe_load(Path(registry_path).read_text(encoding="utf-8"))
        if dataset in registry:
            return [RemoteFile(**entry) for entry in registry[dataset]["files"]]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{registry_path}: unreadable registry of data sets ({reason})") from error
    raise UserError(f"unknown data set {dataset!r}; known are: {', '.join(sorted(registry))}")


def _fetch_file(file, target, mirror, progress):
    if target.is_file():
        if file_sha256(target) == file.sha256:
            return target
        _notice(f"{target} has another SHA-256 than the registry's; fetching it anew")
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
        f"no source delivers {file.name} ({'; '.join(tried)}); put the file ({file.bytes} bytes, "
        f"SHA-256 {file.sha256}) at {target}, or set data_mirror to a folder with {file.mirror}"
    )


def _copy_from_mirror(file, copy, target):
    found = file_sha256(copy)
    if found != file.sha256:
        raise UserError(
            f"{copy}: wrong file in the mirror ({copy.stat().st_size} bytes, SHA-256 {found}, "
            f"instead of {file.bytes} bytes, {file.sha256}); replace or remove it"
        )
    with atomic_path(target) as temporary:
        shutil.copyfile(copy, temporary)


def _download(file, url, target, progress):
    # pooch's own messages name its temporary files; the notices here are enough.
    pooch.get_logger().setLevel("WARNING")
    part = target.with_name(f".{target.name}.part")
    downloader = ResumingDownload(part, file.bytes, progress)
    try:
        pooch.retrieve(
            url,
            known_hash=f"sha256:{file.sha256}",
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

"""Fetching the files of a data set: from a mirror folder, then from public addresses in order.

Nothing is trusted but size and SHA-256: a file appears under its name only when both are right, as
far as :mod:`g2lstm.data.registry` knows them.
"""

import shutil
import sys
from pathlib import Path

import pooch

from g2lstm.data.download import ResumingDownload, SourceError
from g2lstm.data.registry import read_dataset, trust
from g2lstm.errors import UserError, explain
from g2lstm.records import atomic_path, file_sha256, read_record

RECORD = "files.json"


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
            trust(dataset, file, paths[-1], registry_path)
    return paths


def fetched_hashes(raw_dir, names):
    """Return ``{name: SHA-256}`` of fetched files, which must be what they were when fetched.

    ``raw_dir`` holds the files and the record that `fetch` has written of them, files.json. Raises
    UserError when the record or a file is missing, or a file has changed since.
    """
    record = Path(raw_dir) / RECORD
    known = read_record(record).get("files", {})
    for name in names:
        path = Path(raw_dir) / name
        if name not in known:
            raise UserError(f"{record}: nothing about {name}; delete it and fetch again")
        if not path.is_file():
            raise UserError(f"{path}: no such file; delete {record} and fetch again")
        if file_sha256(path) != known[name]:
            raise UserError(
                f"{path}: changed since it was fetched; delete it and {record}, and fetch again"
            )
    return {name: known[name] for name in names}


def _fetch_file(file, target, mirror, progress):
    if target.is_file():
        if file.fits(target):
            return target
        _notice(f"{target} has another SHA-256 or size than it should have; fetching it anew")
        # Without a checksum, pooch takes any file of this name for the right one.
        target.unlink()
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
        raise UserError(f"cannot write {target}: {explain(error)}") from error
    if not file.fits(target):
        target.unlink()
        raise SourceError("another SHA-256 or size than it should have")


def _notice(text):
    print(text, file=sys.stderr)

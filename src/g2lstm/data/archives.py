"""Reading archives and text files: single members into memory, nothing is unpacked onto the disk.

A damaged archive or text ends in one line that names the file.
"""

import gzip
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path

from g2lstm.errors import UserError

DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError, zipfile.BadZipFile)


def read_file(path):
    """Return the bytes of a file."""
    with _mendable(path):
        return Path(path).read_bytes()


def read_gzip(path):
    """Return the bytes that a ``.gz`` file holds."""
    with _mendable(path), gzip.open(path) as stream:
        return stream.read()


def read_zip_member(path, member):
    """Return the bytes of one ``member`` of a zip archive."""
    with _mendable(path), zipfile.ZipFile(path) as archive:
        if member not in archive.namelist():
            raise _lacking(path, [member])
        return archive.read(member)


def read_tar_members(path, members):
    """Return ``{member: bytes}`` of regular files in a gzipped tar archive, read in one pass.

    As members are named and stay in memory, no path, link or device of the archive is followed.
    """
    found = {}
    with _mendable(path), tarfile.open(path, "r:gz") as archive:
        for entry in archive:
            if entry.name in members and entry.isreg():
                found[entry.name] = archive.extractfile(entry).read()
    missing = [member for member in members if member not in found]
    if missing:
        raise _lacking(path, missing)
    return found


def text_lines(content, name):
    """Return the lines of UTF-8 text, without their ends; only line feeds separate lines.

    Raises UserError, with ``name`` and line, for no text at all, broken UTF-8 and NUL bytes.
    """
    if not content.strip():
        raise UserError(f"{name}: the file is empty; fetch it again")
    if b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise UserError(f"{name}, line {line}: a NUL byte; this is not text, fetch it again")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{name}, line {line}: broken UTF-8; fetch the file again") from error
    return text.removesuffix("\n").split("\n")


@contextmanager
def _mendable(path):
    """Turn what a missing or damaged file raises into a UserError."""
    try:
        yield
    except DAMAGE as error:
        raise UserError(
            f"{path}: truncated or damaged archive ({error}); delete it and fetch it again"
        ) from error
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path}: cannot be read ({reason}); fetch it again") from error


def _lacking(path, members):
    return UserError(
        f"{path}: the archive lacks {', '.join(members)}; delete it and fetch it again"
    )

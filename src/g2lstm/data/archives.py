"""Reading archives and text files: single members into memory, nothing is unpacked onto the disk.

A damaged archive or text ends in one line that names the file, and so does an archive with links,
devices or paths that lead out of it: no corpus has any.
"""

import codecs
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from g2lstm.errors import UserError

DAMAGE = (
    EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, tarfile.TarError, zipfile.BadZipFile,
    # What zipfile and tarfile make of fields that hold nonsense: sizes, methods, flags, names.
    ArithmeticError, NotImplementedError, RuntimeError, ValueError, struct.error,
)  # fmt: skip


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
        for entry in archive.infolist():
            kind = stat.S_IFMT(entry.external_attr >> 16)
            _refuse_unsafe(path, entry.filename, kind in (0, stat.S_IFREG, stat.S_IFDIR))
        if member not in archive.namelist():
            raise _lacking(path, [member])
        return archive.read(member)


def read_tar_members(path, members):
    """Return ``{member: bytes}`` of regular files in a gzipped tar archive, read in one pass."""
    found = read_tar(path, lambda name: name in members)
    missing = [member for member in members if member not in found]
    if missing:
        raise _lacking(path, missing)
    return found


def read_tar(path, wanted):
    """Return ``{member: bytes}`` of the regular files of a gzipped tar archive whose names are
    ``wanted`` (a function that tells), read in one pass.
    """
    found = {}
    with _mendable(path), tarfile.open(path, "r:gz") as archive:
        for entry in archive:
            _refuse_unsafe(path, entry.name, entry.isreg() or entry.isdir())
            if entry.isreg() and wanted(entry.name):
                found[entry.name] = archive.extractfile(entry).read()
        while archive.fileobj.read(1 << 20):
            pass  # the checksum stands at the end, behind what tarfile reads
    return found


def text_lines(content, name):
    """Return the lines of UTF-8 text, without their ends; only line feeds separate lines.

    Raises UserError, with ``name`` and line, for no text at all, broken UTF-8 and NUL bytes.
    """
    content = content.removeprefix(codecs.BOM_UTF8)
    if b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise UserError(f"{name}, line {line}: a NUL byte; this is not text, fetch it again")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{name}, line {line}: broken UTF-8; fetch the file again") from error
    if not text.strip():
        raise UserError(f"{name}: the file is empty; fetch it again")
    return text.removesuffix("\n").split("\n")


def _refuse_unsafe(path, member, plain):
    """Raise UserError for a member that is no ``plain`` file or folder below the archive's own."""
    place = PurePosixPath(member)
    if not plain or place.is_absolute() or ".." in place.parts:
        raise UserError(
            f"{path}: {member!r} is a link, a device or a path out of the archive; it cannot be "
            "trusted, get it from elsewhere"
        )


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

"""SHA-256 of large files, remembered for as long as a file cannot have changed."""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from g2lstm.errors import UserError
from g2lstm.locks import cache_folder
from g2lstm.records import digest, file_sha256, write_text

SETTLED = 2.0  # seconds; a file changed since may change again within one tick of its times


class FileHashes:
    """Hashes of the files below ``folder``, kept in the user's cache.

    What counts is the content. A remembered hash is taken only for the same inode with the same
    size and times; among these the time of the last change of the inode, which nobody can set back.
    """

    def __init__(self, folder):
        name = digest(str(Path(folder).resolve()))[:16]
        self.path = cache_folder() / "hashes" / f"{name}.json"
        self.remembered, self.found = self._read(), {}

    def of(self, path):
        """Return the SHA-256 of a file, or None when there is no such file."""
        name = os.path.abspath(path)
        if name not in self.found:
            self.found[name] = self._look(name)
        return self.found[name][1]

    def prepare(self, paths):
        """Hash several files at the same time."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.of, paths))

    def save(self):
        """Remember the hashes; where that is not possible, the next call hashes again."""
        kept = {name: entry for name, entry in self.found.items() if entry[0]}
        if kept == self.remembered:
            return
        try:
            write_text(self.path, json.dumps(kept))
        except (UserError, OSError) as error:
            print(f"note: hashes are not remembered ({error})", file=sys.stderr)

    def _look(self, name):
        """Return (identity, hash); the identity is None where it must not be relied on."""
        try:
            facts = os.stat(name)
            identity = [facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]
            known = self.remembered.get(name)
            if known is not None and known[0] == identity:
                return known
            settled = time.time() - facts.st_ctime > SETTLED
            return [identity if settled else None, file_sha256(name)]
        except FileNotFoundError:
            return [None, None]
        except OSError as error:
            raise UserError(f"cannot read {name}: {error.strerror or error}") from error

    def _read(self):
        try:
            return dict(json.loads(self.path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}  # as on the first call

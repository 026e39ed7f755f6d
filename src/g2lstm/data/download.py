"""A downloader for pooch that goes on with a partial file and gives up politely."""

import os
import time
from contextlib import suppress

import requests
from tqdm import tqdm

ATTEMPTS = 3
FIRST_WAIT = 1.0  # seconds; doubles with each attempt
LONGEST_WAIT = 30.0  # seconds, also when the server asks for more
TIMEOUT = (10, 60)  # seconds to connect, and between two pieces
PIECE = 1 << 16  # bytes
FAILURES_THAT_PASS = (408, 425, 429, 500, 502, 503, 504)


class SourceError(Exception):
    """This address does not deliver the file; the message is a short reason."""


class _PassingError(Exception):
    """A failure that may pass: worth another attempt, after ``wait`` seconds when it is given."""

    def __init__(self, reason, wait=None):
        super().__init__(reason)
        self.wait = wait


class ResumingDownload:
    """Downloads one file by way of a partial one, which outlives a broken connection.

    Call it as pooch does, with the address and the path to write. The partial file goes on from
    its end with an HTTP Range request. ``inherited`` tells whether an earlier run, perhaps from
    another address, has left the beginning.

    Raises SourceError when the address answers with something else, or ATTEMPTS times in a row
    not with the whole file; a full disk raises OSError.
    """

    def __init__(self, part, size, progress):
        """Take the path of the partial file, the size of the whole in bytes (None: what the
        server says), and whether to show a bar on a terminal.
        """
        self.part = part
        self.size = size
        self.progress = progress
        self.inherited = part.exists()

    def __call__(self, url, output_file, _pooch):
        """Download ``url`` to ``output_file``; the part is gone when this has worked."""
        for attempt in range(ATTEMPTS):
            try:
                self._go_on(url)
                break
            except (_PassingError, requests.RequestException) as error:
                if attempt + 1 == ATTEMPTS:
                    raise SourceError(f"{_reason(error)} ({ATTEMPTS} attempts)") from error
                wait = getattr(error, "wait", None) or FIRST_WAIT * 2**attempt
                time.sleep(min(wait, LONGEST_WAIT))
        os.replace(self.part, output_file)

    def _go_on(self, url):
        have = self.part.stat().st_size if self.part.exists() else 0
        if self.size is not None and have >= self.size:
            # Left by a run that ended before its hash was checked: no byte of it can be trusted.
            self.part.unlink()
            have = 0
        # Without `identity`, Content-Length would be the size of the compressed text.
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            self._check(response, have)
            start = have if response.status_code == 206 else 0
            self._receive(response, start, self._expected_size(response, start))

    def _check(self, response, have):
        status = response.status_code
        content_range = response.headers.get("Content-Range", "")
        if status in FAILURES_THAT_PASS:
            asked = response.headers.get("Retry-After", "")
            raise _PassingError(f"HTTP {status}", float(asked) if asked.isdigit() else None)
        if status == 416 or (status == 206 and not content_range.startswith(f"bytes {have}-")):
            self.part.unlink(missing_ok=True)
            raise _PassingError("the server does not go on from the partial file")
        if status not in (200, 206):
            raise SourceError(f"HTTP {status}")
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise SourceError("an HTML page instead of data")

    def _expected_size(self, response, start):
        """Return the size of the whole file in bytes; None when nobody says it."""
        length = response.headers.get("Content-Length", "")
        if not length.isdigit():
            return self.size
        told = start + int(length)
        if self.size not in (None, told):
            raise SourceError(f"{told} bytes instead of {self.size}")
        return told

    def _receive(self, response, start, size):
        """Write the body after the first ``start`` bytes of the part, and check the size."""
        bar = tqdm(
            total=size,
            initial=start,
            unit="B",
            unit_scale=True,
            desc=self.part.name.removeprefix(".").removesuffix(".part"),
            disable=None if self.progress else True,
        )
        # A broken connection shows in the size below, which tells more than the exception, if
        # there is a size.
        broken = suppress(*([] if size is None else [requests.RequestException]))
        with open(self.part, "ab" if start else "wb") as stream, bar, broken:
            for piece in response.iter_content(PIECE):
                stream.write(piece)
                bar.update(len(piece))
        received = self.part.stat().st_size
        if size is not None and received > size:
            self.part.unlink()
            raise SourceError(f"more than {size} bytes")
        if size is not None and received < size:
            raise _PassingError(f"truncated: {received} of {size} bytes")


def _reason(error):
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return str(error)

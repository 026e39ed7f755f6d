"""A server on this machine with one file, served well and badly, page by page."""

import hashlib
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from g2lstm.data import download

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SIZE = len(CONTENT)
HALF = 2 * download.PIECE
UNKNOWN = {"size": None, "sha256": None}


@contextmanager
def serving():
    """Run the server; ``requests`` holds what it was asked, ``stalled`` is set in a stall."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.requests = []
        running.stalled, running.released = threading.Event(), threading.Event()
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.released.set()
        running.shutdown()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append((self.path, self.headers.get("Range")))
        getattr(self, "serve_" + self.path.strip("/"), self.serve_missing)()

    def serve_missing(self):
        self.send_error(404)

    def serve_good(self):
        requested = self.headers.get("Range")
        start = int(requested.removeprefix("bytes=").removesuffix("-")) if requested else 0
        fields = {"Content-Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"}
        self.reply(206 if start else 200, CONTENT[start:], fields if start else {})

    def serve_html(self):
        self.reply(200, b"<html>login</html>", {"Content-Type": "text/html; charset=utf-8"})

    def serve_nosize(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(CONTENT)

    def serve_wrong(self):
        self.reply(200, CONTENT[::-1])

    def serve_short(self):
        self.reply(200, CONTENT[:1000])

    def serve_broken(self):
        self.reply(200, CONTENT[:HALF], length=len(CONTENT))

    def serve_slow(self):
        self.reply(200, b"", length=len(CONTENT))
        for start in range(0, len(CONTENT), SIZE // 20):
            time.sleep(0.05)
            self.wfile.write(CONTENT[start : start + SIZE // 20])

    def serve_stalling(self):
        if len(self.server.requests) > 1:
            return self.serve_good()
        self.reply(200, CONTENT[:HALF], length=len(CONTENT))
        self.server.stalled.set()
        self.server.released.wait()

    def serve_flaky(self):
        if len(self.server.requests) == 1:
            self.reply(503, b"", {"Retry-After": "0"})
        elif len(self.server.requests) == 2:
            self.serve_broken()
        else:
            self.serve_good()

    def reply(self, status, body, fields=(), length=None):
        self.send_response(status)
        for name, value in {"Content-Type": "text/plain", **dict(fields)}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

import threading
from http.server import ThreadingHTTPServer

import pytest
import yaml
from download_server import SHA256, SIZE, Handler

from g2lstm.data import download
from g2lstm.data.fetch import fetch


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "FIRST_WAIT", 0.01)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.requests = []
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def fetched(server, tmp_path):
    def call(*pages, size=SIZE, sha256=SHA256, **options):
        registry = tmp_path / "datasets.yaml"
        entry = {
            "name": "toy.txt",
            "bytes": size,
            "sha256": sha256,
            "mirror": "toy/toy.txt",
            "urls": [f"http://127.0.0.1:{server.server_port}/{page}" for page in pages],
        }
        registry.write_text(yaml.safe_dump({"toy": {"files": [entry]}}))
        (path,) = fetch("toy", tmp_path / "raw", registry, **options)
        return path

    return call

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from g2lstm.data import download
from g2lstm.data.fetch import fetch
from g2lstm.errors import UserError

CONTENT = bytes(range(256)) * 1000
HALF = 2 * download.PIECE


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

    def serve_wrong(self):
        self.reply(200, CONTENT[::-1])

    def serve_short(self):
        self.reply(200, CONTENT[:1000])

    def serve_broken(self):
        self.reply(200, CONTENT[:HALF], length=len(CONTENT))

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
    def call(*pages, **options):
        registry = tmp_path / "datasets.yaml"
        entry = {
            "name": "toy.txt",
            "bytes": len(CONTENT),
            "sha256": hashlib.sha256(CONTENT).hexdigest(),
            "mirror": "toy/toy.txt",
            "urls": [f"http://127.0.0.1:{server.server_port}/{page}" for page in pages],
        }
        registry.write_text(yaml.safe_dump({"toy": {"files": [entry]}}))
        (path,) = fetch("toy", tmp_path / "raw", registry, **options)
        return path

    return call


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_download_gives_the_file_and_leaves_nothing_else(fetched, tmp_path):
    path = fetched("good")
    assert path == tmp_path / "raw" / "toy.txt"
    assert path.read_bytes() == CONTENT
    assert files_in(path.parent) == ["toy.txt"]


def test_file_that_is_there_is_kept_without_a_request(fetched, server):
    fetched("good")
    fetched("good")
    assert len(server.requests) == 1


def test_wrong_file_that_is_there_is_replaced_with_a_notice(fetched, tmp_path, capsys):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "toy.txt").write_text("something else")
    assert fetched("good").read_bytes() == CONTENT
    assert "another SHA-256" in capsys.readouterr().err


@pytest.mark.parametrize("bad", ["missing", "html", "wrong", "short", "broken"])
def test_next_address_is_tried_after_a_bad_one(fetched, bad):
    path = fetched(bad, "good")
    assert path.read_bytes() == CONTENT
    assert files_in(path.parent) == ["toy.txt"]


def test_passing_failures_are_tried_again_and_the_rest_is_resumed(fetched, server):
    assert fetched("flaky").read_bytes() == CONTENT
    assert [part for _, part in server.requests] == [None, None, f"bytes={HALF}-"]


def test_partial_file_of_an_earlier_run_is_resumed(fetched, server, tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / ".toy.txt.part").write_bytes(CONTENT[:5000])
    assert fetched("good").read_bytes() == CONTENT
    assert server.requests == [("/good", "bytes=5000-")]


@pytest.mark.parametrize("left", [b"not the beginning", bytes(len(CONTENT)), CONTENT + b"more"])
def test_wrong_partial_file_does_not_spoil_a_good_address(fetched, tmp_path, left):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / ".toy.txt.part").write_bytes(left)
    assert fetched("good").read_bytes() == CONTENT


def test_failure_names_each_source_with_its_reason_and_where_to_put_the_file(fetched, tmp_path):
    with pytest.raises(UserError) as caught:
        fetched("missing", "html", "wrong", "short", "broken")
    message = str(caught.value)
    for reason in (
        "/missing: HTTP 404",
        "/html: an HTML page",
        "/wrong: right size, but another SHA-256",
        f"/short: 1000 bytes instead of {len(CONTENT)}",
        f"/broken: truncated: {HALF} of {len(CONTENT)} bytes",
    ):
        assert reason in message
    assert str(tmp_path / "raw" / "toy.txt") in message
    assert "set data_mirror to a folder with toy/toy.txt" in message
    assert "\n" not in message
    assert not (tmp_path / "raw" / "toy.txt").exists()


def test_address_without_a_server_is_a_short_reason(fetched, server):
    server.shutdown()
    server.server_close()
    with pytest.raises(UserError, match="/good: no connection"):
        fetched("good")


def test_mirror_serves_without_a_request(fetched, server, tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "toy.txt").write_bytes(CONTENT)
    assert fetched("good", mirror=tmp_path).read_bytes() == CONTENT
    assert server.requests == []


def test_corrupt_mirror_is_an_error_and_not_passed_over(fetched, server, tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "toy.txt").write_bytes(CONTENT[:-1])
    with pytest.raises(UserError, match=r"toy/toy\.txt: wrong file in the mirror"):
        fetched("good", mirror=tmp_path)
    assert server.requests == []


def test_file_absent_from_the_mirror_is_downloaded_with_a_notice(fetched, tmp_path, capsys):
    assert fetched("good", mirror=tmp_path).read_bytes() == CONTENT
    assert "not in the mirror" in capsys.readouterr().err


def test_mirror_that_is_no_folder_is_an_error(fetched, tmp_path):
    with pytest.raises(UserError, match=r"data_mirror .* is no folder"):
        fetched("good", mirror=tmp_path / "absent")


def test_unknown_data_set_lists_the_known_ones(tmp_path):
    registry = tmp_path / "datasets.yaml"
    registry.write_text("b: {files: []}\na: {files: []}\n")
    with pytest.raises(UserError, match="unknown data set 'c'; known are: a, b"):
        fetch("c", tmp_path, registry)


def test_unreadable_registry_is_named(tmp_path):
    registry = tmp_path / "datasets.yaml"
    registry.write_text("toy: [")
    with pytest.raises(UserError, match=r"datasets\.yaml: unreadable registry"):
        fetch("toy", tmp_path, registry)


def test_registry_of_the_project_is_complete(pytestconfig):
    registry = yaml.safe_load((pytestconfig.rootpath / "resources/datasets.yaml").read_text())
    for dataset in registry.values():
        assert {"description", "homepage", "licence", "files"} <= set(dataset)
        for file in dataset["files"]:
            assert len(bytes.fromhex(file["sha256"])) == 32
            assert len(file["urls"]) == len(set(file["urls"])) >= 2
            assert all(url.endswith(file["name"]) for url in file["urls"])

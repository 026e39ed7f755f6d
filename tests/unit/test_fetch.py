import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from g2lstm.data import download
from g2lstm.data.fetch import fetch, read_dataset
from g2lstm.data.parallel_sources import READERS
from g2lstm.errors import UserError

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SIZE = len(CONTENT)
HALF = 2 * download.PIECE
UNKNOWN = {"size": None, "sha256": None}


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


def lock_of(tmp_path):
    return json.loads((tmp_path / "datasets.lock").read_text())


@pytest.mark.parametrize("page", ["good", "nosize", "flaky"])
def test_first_copy_without_a_checksum_is_trusted_and_locked(fetched, tmp_path, capsys, page):
    assert fetched(page, **UNKNOWN).read_bytes() == CONTENT
    assert lock_of(tmp_path) == {"toy": {"toy.txt": {"bytes": len(CONTENT), "sha256": SHA256}}}
    (notice,) = capsys.readouterr().err.splitlines()
    assert "toy.txt: no checksum is known" in notice
    assert str(tmp_path / "datasets.lock") in notice


def test_file_with_a_checksum_is_not_locked(fetched, tmp_path):
    fetched("good")
    assert not (tmp_path / "datasets.lock").exists()


def test_locked_file_is_kept_without_a_request_or_a_notice(fetched, server, capsys):
    fetched("good", **UNKNOWN)
    capsys.readouterr()
    fetched("good", **UNKNOWN)
    assert len(server.requests) == 1
    assert capsys.readouterr().err == ""


def test_other_content_than_the_locked_one_names_file_lock_and_way_out(fetched, tmp_path):
    fetched("good", **UNKNOWN).unlink()
    with pytest.raises(UserError) as caught:
        fetched("wrong", "short", **UNKNOWN)
    message = str(caught.value)
    assert "/wrong: right size, but another SHA-256" in message
    assert f"/short: 1000 bytes instead of {len(CONTENT)}" in message
    assert str(tmp_path / "raw" / "toy.txt") in message
    assert f"as {tmp_path / 'datasets.lock'} has it" in message
    assert "to accept another one, delete the entry of toy.txt there" in message
    assert "\n" not in message


def test_another_file_is_accepted_once_its_lock_is_deleted(fetched, tmp_path):
    fetched("good", **UNKNOWN).unlink()
    (tmp_path / "datasets.lock").unlink()
    assert fetched("wrong", **UNKNOWN).read_bytes() == CONTENT[::-1]


def test_mirror_can_be_the_first_copy_and_is_then_held_to_it(fetched, tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "toy.txt").write_bytes(CONTENT)
    fetched("good", mirror=tmp_path, **UNKNOWN).unlink()
    (tmp_path / "toy" / "toy.txt").write_bytes(CONTENT[::-1])
    with pytest.raises(UserError, match=r"wrong file in the mirror.*datasets\.lock has it"):
        fetched("good", mirror=tmp_path, **UNKNOWN)


def test_known_size_counts_though_no_checksum_is_known(fetched, tmp_path):
    with pytest.raises(UserError, match=f"{len(CONTENT)} bytes instead of 5"):
        fetched("good", size=5, sha256=None)
    assert not (tmp_path / "datasets.lock").exists()


def test_partial_file_of_an_earlier_run_is_not_trusted_without_a_checksum(
    fetched, server, tmp_path
):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / ".toy.txt.part").write_bytes(b"of another file")
    assert fetched("good", **UNKNOWN).read_bytes() == CONTENT
    assert server.requests == [("/good", None)]


def test_truncated_download_of_unknown_size_is_noticed(fetched, tmp_path):
    with pytest.raises(UserError, match=f"/broken: truncated: {HALF} of {len(CONTENT)} bytes"):
        fetched("broken", **UNKNOWN)
    assert not (tmp_path / "datasets.lock").exists()


def test_lock_keeps_the_entries_of_other_data_sets(fetched, tmp_path):
    other = {"sea": {"b.txt": {"bytes": 1, "sha256": "00"}}}
    (tmp_path / "datasets.lock").write_text(json.dumps(other))
    fetched("good", **UNKNOWN)
    assert set(lock_of(tmp_path)) == {"sea", "toy"}


def test_unreadable_lock_is_named(fetched, tmp_path):
    (tmp_path / "datasets.lock").write_text("{")
    with pytest.raises(UserError, match=r"datasets\.lock: unreadable lock file"):
        fetched("good")


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
    path = pytestconfig.rootpath / "resources/datasets.yaml"
    registry = yaml.safe_load(path.read_text())
    for name, entry in registry.items():
        assert {"description", "homepage", "licence", "files"} <= set(entry)
        files = read_dataset(name, path).files
        assert len({file.name for file in files}) == len(files)
        for file in files:
            assert file.sha256 is None or len(bytes.fromhex(file.sha256)) == 32
            assert file.mirror.count("/") == 1
            assert len(file.urls) == len(set(file.urls)) >= 1
            assert all(url.startswith(("https://", "http://")) for url in file.urls)
            assert all(url.endswith("/" + file.name) for url in file.urls)
    assert set(READERS) <= set(registry)

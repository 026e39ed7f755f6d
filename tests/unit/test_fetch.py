from hashlib import sha256

import pytest
import yaml
from download_server import CONTENT, HALF

from g2lstm.data.fetch import fetch, fetched_hashes
from g2lstm.data.parallel_sources import READERS
from g2lstm.data.registry import read_dataset
from g2lstm.errors import UserError
from g2lstm.records import file_sha256, write_record


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


def test_changed_or_missing_file_is_noticed_before_it_is_used(tmp_path):
    (tmp_path / "a.txt").write_text("one")
    with pytest.raises(UserError, match=r"files\.json: no such record"):
        fetched_hashes(tmp_path, ["a.txt"])
    known = {"a.txt": file_sha256(tmp_path / "a.txt"), "b.txt": "0" * 64}
    write_record(tmp_path / "files.json", {"kind": "dataset", "files": known})
    assert fetched_hashes(tmp_path, ["a.txt"]) == {"a.txt": known["a.txt"]}
    with pytest.raises(UserError, match=r"b\.txt: no such file; delete .*files\.json and fetch"):
        fetched_hashes(tmp_path, ["a.txt", "b.txt"])
    with pytest.raises(UserError, match=r"files\.json: nothing about c\.txt; delete it and fetch"):
        fetched_hashes(tmp_path, ["c.txt"])
    (tmp_path / "a.txt").write_text("two")
    changed = r"a\.txt: changed since it was fetched; delete it and .*files\.json, and fetch again"
    with pytest.raises(UserError, match=changed):
        fetched_hashes(tmp_path, ["a.txt"])


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
            assert all(url.startswith("https://") for url in file.urls)
            assert all(url.endswith("/" + file.name) for url in file.urls)
    assert set(READERS) <= set(registry)


def test_a_mirror_may_hold_another_copy_that_is_as_good(fetched, tmp_path):
    other = b"the same text, packed anew"
    also = [{"bytes": len(other), "sha256": sha256(other).hexdigest()}]
    (tmp_path / "mirror" / "toy").mkdir(parents=True)
    copy = tmp_path / "mirror" / "toy" / "toy.txt"
    for content in (other, CONTENT):
        (tmp_path / "raw" / "toy.txt").unlink(missing_ok=True)
        copy.write_bytes(content)
        path = fetched("missing", mirror=tmp_path / "mirror", also=also)
        assert path.read_bytes() == content
    copy.write_bytes(other[::-1])
    (tmp_path / "raw" / "toy.txt").unlink()
    with pytest.raises(UserError, match=f"or {len(other)} bytes, SHA-256 {also[0]['sha256']}"):
        fetched("missing", mirror=tmp_path / "mirror", also=also)
    (tmp_path / "raw" / "toy.txt").write_bytes(other)
    assert fetched("missing", also=also).read_bytes() == other

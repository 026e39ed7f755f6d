import errno
import fcntl
import json

import pooch
import pytest
from download_server import CONTENT, HALF, SHA256, UNKNOWN

from g2lstm.data.registry import RemoteFile, trust
from g2lstm.errors import UserError


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
    other = {"sea": {"b.txt": {"bytes": 1, "sha256": "0" * 64}}}
    (tmp_path / "datasets.lock").write_text(json.dumps(other))
    fetched("good", **UNKNOWN)
    assert set(lock_of(tmp_path)) == {"sea", "toy"}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"toy": []}',
        '{"toy": {"toy.txt": "00"}}',
        '{"toy": {"toy.txt": {"bytes": 1}}}',
        '{"toy": {"toy.txt": {"bytes": 1, "sha512": "00"}}}',
        '{"toy": {"toy.txt": {"bytes": 1, "sha256": "00"}}}',
        json.dumps({"toy": {"toy.txt": {"bytes": "1", "sha256": SHA256}}}),
    ],
)
def test_unreadable_lock_is_named(fetched, tmp_path, text):
    (tmp_path / "datasets.lock").write_text(text)
    with pytest.raises(UserError, match=r"datasets\.lock: unreadable lock file") as caught:
        fetched("good", **UNKNOWN)
    assert "\n" not in str(caught.value)


def test_wrong_size_that_is_there_is_replaced_though_no_checksum_is_known(
    fetched, tmp_path, capsys
):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "toy.txt").write_text("something else")
    assert fetched("good", sha256=None).read_bytes() == CONTENT
    assert "fetching it anew" in capsys.readouterr().err
    assert lock_of(tmp_path)["toy"]["toy.txt"]["sha256"] == SHA256


def test_download_is_checked_again_before_it_is_trusted(fetched, tmp_path, monkeypatch):
    def deliver(url, fname, path, **_):
        path.mkdir(exist_ok=True)
        (path / fname).write_bytes(CONTENT if url.endswith("/good") else b"another file")

    monkeypatch.setattr(pooch, "retrieve", deliver)
    assert fetched("bad", "good", sha256=None).read_bytes() == CONTENT
    (tmp_path / "raw" / "toy.txt").unlink()
    (tmp_path / "datasets.lock").unlink()
    with pytest.raises(UserError, match="/bad: another SHA-256 or size"):
        fetched("bad", sha256=None)
    assert not (tmp_path / "raw" / "toy.txt").exists()
    assert not (tmp_path / "datasets.lock").exists()


def test_copy_that_another_run_has_entered_meanwhile_is_not_replaced(tmp_path):
    registry, path = tmp_path / "datasets.yaml", tmp_path / "toy.txt"
    file = RemoteFile("toy.txt", "toy/toy.txt", [])
    path.write_bytes(CONTENT)
    trust("toy", file, path, registry)
    trust("toy", file, path, registry)
    before = lock_of(tmp_path)
    path.write_bytes(CONTENT[::-1])
    with pytest.raises(UserError) as caught:
        trust("toy", file, path, registry)
    assert f"{path}: not the copy that another run has entered" in str(caught.value)
    assert f"SHA-256 {SHA256}, as {tmp_path / 'datasets.lock'} has it" in str(caught.value)
    assert lock_of(tmp_path) == before


def test_guard_is_a_file_open_for_writing_as_nfs_wants_it(fetched, tmp_path, monkeypatch):
    def flock(held, _):
        if not held.writable():
            raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(fcntl, "flock", flock)
    fetched("good", **UNKNOWN)
    assert lock_of(tmp_path)["toy"]["toy.txt"]["sha256"] == SHA256


def test_folder_without_locks_is_named(fetched, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(UserError, match=r"cannot write .*datasets\.lock .*No locks available"):
        fetched("good", **UNKNOWN)

"""Whatever bit of a file is flipped, the file says the same or is refused; so are odd archives."""

import gzip
import io
import tarfile
import zipfile

import numpy as np
import pytest
import torch

from g2lstm.arrays import load_arrays, save_arrays
from g2lstm.data.archives import read_gzip, read_tar_members, read_zip_member
from g2lstm.errors import UserError
from g2lstm.training import checkpoint

TEXT = b"ein Satz, ein zweiter Satz\n" * 3
META = {"epoch": 3, "job": {"gate": {"tau": 0.2}}, "best": 1.25}
TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(7)}


def flipped(content):
    """The content with one bit flipped, for every bit in turn."""
    for place in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[place] ^= 1 << bit
            yield bytes(changed)


def read_or_refuse(read, *arguments):
    """What ``read`` returns, or None when it refuses."""
    try:
        return read(*arguments)
    except UserError:
        return None


def test_a_file_of_arrays_is_refused_whatever_bit_is_flipped(tmp_path):
    path = tmp_path / "arrays.safetensors"
    save_arrays(path, {"a": np.arange(5, dtype=np.int32), "b": np.float32(2.5)}, META)
    for content in flipped(path.read_bytes()):
        path.write_bytes(content)
        assert read_or_refuse(load_arrays, path) is None


@pytest.mark.parametrize("kept", [0, 7, 8, 100, -1])
def test_a_cut_file_of_arrays_is_refused(tmp_path, kept):
    path = tmp_path / "arrays.safetensors"
    save_arrays(path, {"a": np.arange(5)}, META)
    path.write_bytes(path.read_bytes()[:kept])
    assert read_or_refuse(load_arrays, path) is None


def test_a_file_whose_digest_does_not_cover_the_metadata_is_still_read(tmp_path):
    # Such files are around: corpora and models of finished runs.
    path, state = tmp_path / "arrays.safetensors", {"a": np.arange(5)}
    save_arrays(path, state, {})
    digest = path.read_bytes().split(b'digest\\":\\"')[1][:64].decode()
    save_arrays(path, state, META)
    new = path.read_bytes().split(b'digest\\":\\"')[1][:64]
    path.write_bytes(path.read_bytes().replace(new, digest.encode()))
    arrays, meta = load_arrays(path)
    assert meta == META
    np.testing.assert_array_equal(arrays["a"], state["a"])


def save_twice(folder):
    for epoch in (1, 2):
        checkpoint.save(folder, TENSORS, {**META, "epoch": epoch, "finished": False})
    return folder / checkpoint.CURRENT, folder / checkpoint.PREVIOUS


@pytest.mark.parametrize("place", [0, 20, 200, 400, -1])
def test_a_damaged_checkpoint_never_takes_the_place_of_the_sound_one(tmp_path, capsys, place):
    current, previous = save_twice(tmp_path)
    content = bytearray(current.read_bytes())
    content[place] ^= 4
    current.write_bytes(content)
    _, meta = checkpoint.load(tmp_path)
    assert meta["epoch"] == 1
    (warning,) = capsys.readouterr().err.splitlines()
    assert str(current) in warning
    assert f"going on from {previous}" in warning
    sound = previous.read_bytes()
    checkpoint.save(tmp_path, TENSORS, {**META, "epoch": 2, "finished": False})
    assert previous.read_bytes() == sound
    assert checkpoint.load(tmp_path)[1]["epoch"] == 2


def test_two_damaged_checkpoints_are_both_named_and_kept(tmp_path):
    paths = save_twice(tmp_path)
    for path in paths:
        path.write_bytes(b"nothing")
    with pytest.raises(UserError, match="no sound checkpoint is left") as error:
        checkpoint.load(tmp_path)
    assert all(str(path) in str(error.value) for path in paths)
    assert all(path.exists() for path in paths)


def write_tar(path, *entries):
    with tarfile.open(path, "w:gz") as archive:
        for entry in entries:
            content = TEXT if entry.isreg() else b""
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def write_zip(path, name="a.txt", mode=0o100644):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, TEXT)


@pytest.mark.parametrize("kind", ["zip", "tgz", "gz"])
def test_an_archive_gives_the_same_text_or_none_whatever_bit_is_flipped(tmp_path, kind):
    path = tmp_path / f"archive.{kind}"
    if kind == "zip":
        write_zip(path)
    elif kind == "tgz":
        write_tar(path, tarfile.TarInfo("a.txt"))
    else:
        path.write_bytes(gzip.compress(TEXT))
    read = {
        "zip": lambda: read_zip_member(path, "a.txt"),
        "tgz": lambda: read_tar_members(path, ["a.txt"])["a.txt"],
        "gz": lambda: read_gzip(path),
    }[kind]
    assert read() == TEXT
    for content in flipped(path.read_bytes()):
        path.write_bytes(content)
        assert read_or_refuse(read) in (TEXT, None)


OUTSIDE = ["../a.txt", "/a.txt", "top/../../a.txt", "top/.."]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_path_out_of_the_archive_is_refused(tmp_path, name):
    write_tar(tmp_path / "a.tgz", tarfile.TarInfo("a.txt"), tarfile.TarInfo(name))
    write_zip(tmp_path / "a.zip", name)
    before = sorted(tmp_path.parent.rglob("*"))
    for read, archive in ((read_tar_members, "a.tgz"), (read_zip_member, "a.zip")):
        asked = ["a.txt"] if read is read_tar_members else name
        with pytest.raises(UserError, match=rf"{archive}: '.*' is a link, a device or a path out"):
            read(tmp_path / archive, asked)
    assert sorted(tmp_path.parent.rglob("*")) == before


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar_archive_are_refused(tmp_path, kind):
    entry = tarfile.TarInfo("a.txt")
    entry.type, entry.linkname = kind, "/etc/hostname"
    write_tar(tmp_path / "a.tgz", entry)
    with pytest.raises(UserError, match=r"a\.tgz: 'a\.txt' is a link, a device"):
        read_tar_members(tmp_path / "a.tgz", ["a.txt"])


@pytest.mark.parametrize("mode", [0o120777, 0o020644, 0o060644, 0o010644])
def test_links_and_devices_in_a_zip_archive_are_refused(tmp_path, mode):
    write_zip(tmp_path / "a.zip", mode=mode)
    with pytest.raises(UserError, match=r"a\.zip: 'a\.txt' is a link, a device"):
        read_zip_member(tmp_path / "a.zip", "a.txt")

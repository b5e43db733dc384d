"""A zip with one file is read as what is in it, in the order of its bytes; anything else is told."""

from __future__ import annotations

import contextlib
import io
import random
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamframe as sf
from streamframe.errors import DecodeError, PlanError, TruncatedError
from streamframe.io.compression import ZIP, DecompressedStream
from tests.io.reading import Scripted, drain

TEXT = "".join(f"{n},{random.Random(n).random()}\n" for n in range(300)).encode()


class Pipe(io.RawIOBase):
    """Something that cannot seek: then the sizes stand behind the member."""

    def __init__(self):
        self.data = b""

    def writable(self):
        return True

    def write(self, data):
        self.data += bytes(data)
        return len(data)


def deflated(data, **options):
    info = zipfile.ZipInfo("a.csv")
    info.compress_type = options.pop("method", zipfile.ZIP_DEFLATED)
    target = io.BytesIO() if options.pop("seekable", True) else Pipe()
    with zipfile.ZipFile(target, "w") as archive:
        with archive.open(info, "w", force_zip64=options.pop("zip64", False)) as file:
            file.write(data)
        archive.comment = options.pop("comment", b"")
    return target.getvalue() if isinstance(target, io.BytesIO) else target.data


def unpack(data, step=1 << 20, out=1 << 16):
    return drain(DecompressedStream(Scripted(data, step), ZIP), out)


WAYS = {
    "deflated": {},
    "stored": {"method": zipfile.ZIP_STORED},
    "streamed": {"seekable": False},
    "zip64": {"zip64": True},
    "streamed zip64": {"seekable": False, "zip64": True},
    "with a comment": {"comment": b"PK\x05\x06 hello"},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("data", [b"", b"x", TEXT], ids=["nothing", "a byte", "text"])
@pytest.mark.parametrize(("step", "out"), [(1, 1 << 16), (7, 3), (1 << 20, 1)])
def test_the_member_is_read_however_the_bytes_arrive(way, data, step, out):
    assert unpack(deflated(data, **WAYS[way]), step, out) == data


@pytest.mark.parametrize("way", set(WAYS) - {"with a comment"})
def test_a_cut_at_any_byte_is_truncated(way):
    data = deflated(b"one,two\n" * 9, **WAYS[way])
    for count in range(len(data)):
        with pytest.raises(TruncatedError):
            unpack(data[:count])


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=40, deadline=None)
@given(where=st.floats(0, 0.999), bit=st.integers(0, 7))
def test_a_flipped_bit_is_an_error_or_changes_nothing(way, where, bit):
    data = bytearray(deflated(TEXT, **WAYS[way]))
    data[int(where * len(data))] ^= 1 << bit
    with contextlib.suppress(DecodeError, TruncatedError):
        assert unpack(bytes(data)) == TEXT


def test_more_than_one_member_is_told_by_their_names():
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a.csv", "1")
        archive.writestr("b.csv", "2")
    with pytest.raises(DecodeError, match=r"more than one file: 'a\.csv', 'b\.csv'"):
        unpack(target.getvalue())


def test_a_folder_is_no_member():
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.mkdir("data")
        archive.writestr("data/a.csv", "1")
    assert unpack(target.getvalue()) == b"1"


def test_what_is_behind_the_archive_is_refused():
    with pytest.raises(DecodeError, match="behind its zip data"):
        unpack(deflated(TEXT) + b"garbage")


def test_a_zip_is_read_by_its_suffix_and_never_written(tmp_path):
    (tmp_path / "a.csv.zip").write_bytes(deflated(b"a,b\n1,2\n"))
    assert sf.read(tmp_path / "a.csv.zip").to_arrow().to_pydict() == {"a": [1], "b": [2]}
    with pytest.raises(PlanError, match="zip is for reading"):
        sf.from_arrow({"a": [1]}).to_csv(tmp_path / "b.csv.zip")
    assert not (tmp_path / "b.csv.zip").exists()


def test_lz4_goes_there_and_back(tmp_path):
    sf.from_arrow({"a": [1, 2]}).to_csv(tmp_path / "a.csv.lz4")
    assert sf.read(tmp_path / "a.csv.lz4").to_arrow().to_pydict() == {"a": [1, 2]}

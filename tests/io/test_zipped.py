"""A zip archive of one file is read whole, or refused, also where it comes from front to back."""

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
from streamframe.testing import page, serve
from tests.io.reading import Scripted, drain, read_all

TEXT = "".join(f"{n},{random.Random(n).random()}\n" for n in range(300)).encode()
LAYOUTS = ["deflated", "stored", "unseekable", "zip64", "unseekable zip64", "comment"]


class _Unseekable(io.RawIOBase):
    """A target that cannot go back, so that sizes stand behind the file."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        self.data += data
        return len(data)


def packed(members: dict[str, bytes], layout: str = "deflated") -> bytes:
    target = _Unseekable() if "unseekable" in layout else io.BytesIO()
    method = zipfile.ZIP_STORED if layout == "stored" else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in members.items():
            with archive.open(name, "w", force_zip64="zip64" in layout) as member:
                member.write(data)
        if layout == "comment":
            archive.comment = b"made by hand PK\5\6" * 20
    return bytes(target.data) if isinstance(target, _Unseekable) else target.getvalue()


def unpack(data: bytes, step: int = 1 << 20, out: int = 1 << 16) -> bytes:
    return drain(DecompressedStream(Scripted(data, step), ZIP), out)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("step", "out"), [(1, 1 << 16), (7, 3), (1 << 20, 1 << 16)])
def test_the_file_is_read_whole_however_the_bytes_arrive(layout, step, out):
    assert unpack(packed({"a.csv": TEXT}, layout), step, out) == TEXT
    assert unpack(packed({"a.csv": b""}, layout), step, out) == b""


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_cut_at_any_byte_is_truncated(layout):
    data = packed({"a.csv": b"one,two\n" * 9}, layout)
    for count in range(len(data)):
        with pytest.raises(TruncatedError):
            unpack(data[:count])


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=40, deadline=None)
@given(where=st.floats(0, 0.999), bit=st.integers(0, 7))
def test_a_flipped_bit_is_an_error_or_changes_nothing(layout, where, bit):
    data = bytearray(packed({"a.csv": TEXT}, layout))
    data[int(where * len(data))] ^= 1 << bit
    with contextlib.suppress(DecodeError, TruncatedError):
        assert unpack(bytes(data)) == TEXT


@pytest.mark.parametrize("layout", ["stored", "unseekable", "deflated"])
def test_a_wrong_checksum_is_told(layout):
    data = packed({"a.csv": TEXT}, layout)
    crc = zipfile.ZipFile(io.BytesIO(data)).infolist()[0].CRC.to_bytes(4, "little")
    with pytest.raises(DecodeError, match="checksum"):
        unpack(data.replace(crc, b"oops"))


def test_folders_and_what_macos_adds_do_not_count(tmp_path):
    data = packed({"x/": b"", "x/a.csv": TEXT, "__MACOSX/x/._a.csv": b"attributes"})
    assert unpack(data) == TEXT
    (tmp_path / "a.csv.zip").write_bytes(data)
    assert read_all(tmp_path / "a.csv.zip") == TEXT


def test_several_files_are_listed_before_a_byte_is_read_where_that_can_be(tmp_path):
    path = tmp_path / "a.csv.zip"
    path.write_bytes(packed({"a.csv": b"a\n1\n", "b.csv": b"a\n2\n", "c.csv": b"a\n3\n"}))
    with pytest.raises(DecodeError, match=r"several files: 'a.csv', 'b.csv', 'c.csv'") as caught:
        sf.read(path).head()
    assert caught.value.source == str(path)
    with pytest.raises(DecodeError, match=r"several files: 'a\.csv', 'b\.csv', and perhaps more"):
        unpack(path.read_bytes())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (packed({}), "holds no file"),
        (packed({"x/": b""}), "holds no file"),
        (b"a,b\n1,2\n", "is not zip"),
        (packed({"a.csv": TEXT}) * 2, "behind its zip data"),
        (packed({"a.csv": TEXT}) + b"garbage", "behind its zip data"),
    ],
)
def test_what_is_no_archive_of_one_file_is_refused(data, message):
    with pytest.raises(DecodeError, match=message):
        unpack(data)


@pytest.mark.parametrize(("offset", "value", "message"), [(6, 1, "encrypted"), (8, 9, "deflate64")])
def test_what_only_other_tools_can_unpack_is_named(offset, value, message):
    data = bytearray(packed({"a.csv": TEXT}))
    data[offset] = value
    with pytest.raises(DecodeError, match=message) as caught:
        unpack(bytes(data))
    assert "unpack" in caught.value.hint


def test_a_bomb_comes_out_in_bounded_steps():
    stream = DecompressedStream(Scripted(packed({"a": bytes(20_000_000)})), ZIP)
    assert 0 < stream.read_into(memoryview(bytearray(30_000_000))) <= 1 << 20
    assert len(drain(stream, 1 << 20)) > 18_000_000


def test_a_server_need_not_know_ranges():
    with serve(page(packed({"a.csv": b"n,x\n" + TEXT}, "unseekable"), framing="chunked")) as url:
        assert sf.read_csv(url, compression="zip").to_arrow()["n"].to_pylist() == list(range(300))


def test_zip_is_not_written(tmp_path):
    for options in ({"compression": "zip"}, {}):
        with pytest.raises(PlanError, match="not written"):
            sf.from_arrow({"a": [1]}).to_csv(tmp_path / "a.csv.zip", **options)
    assert not list(tmp_path.iterdir())

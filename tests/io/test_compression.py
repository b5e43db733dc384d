"""Compressed input is read whole, or refused: never a part of it in silence."""

from __future__ import annotations

import bz2
import contextlib
import dataclasses
import gzip
import lzma
import random
import sys
from importlib.util import find_spec

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from streamframe.errors import DecodeError, MissingDependencyError, PlanError, TruncatedError
from streamframe.io import compression
from streamframe.io.compression import BZ2, GZIP, LZ4, XZ, ZSTD, DecompressedStream, codec_named
from tests.io.reading import Scripted, drain

NEEDS_LZ4 = pytest.mark.skipif(find_spec("lz4") is None, reason="lz4 is an extra")


def pack_lz4(data):
    import lz4.frame

    return lz4.frame.compress(data, content_checksum=True)


ZLIB = dataclasses.replace(GZIP, new_decoder=compression._new_zlib)
PACKERS = [
    pytest.param(GZIP, gzip.compress, id="gzip"),
    pytest.param(ZLIB, gzip.compress, id="gzip without isal"),
    pytest.param(ZSTD, zstd.compress, id="zstd"),
    pytest.param(BZ2, bz2.compress, id="bz2"),
    pytest.param(XZ, lzma.compress, id="xz"),
    pytest.param(LZ4, pack_lz4, id="lz4", marks=NEEDS_LZ4),
]
TEXT = "".join(f"{n},{random.Random(n).random()}\n" for n in range(300)).encode()


def unpack(data, codec, step=1 << 20, out=1 << 16):
    return drain(DecompressedStream(Scripted(data, step), codec), out)


@pytest.mark.parametrize(("codec", "pack"), PACKERS)
@pytest.mark.parametrize(("step", "out"), [(1, 1 << 16), (7, 3), (1 << 20, 1 << 16), (1 << 20, 1)])
def test_members_are_read_whole_however_the_bytes_arrive(codec, pack, step, out):
    data = pack(TEXT) + pack(b"") + pack(b"last\n")
    assert unpack(data, codec, step, out) == TEXT + b"last\n"


@pytest.mark.parametrize(("codec", "pack"), PACKERS)
def test_a_cut_at_any_byte_is_truncated(codec, pack):
    first = pack(b"one,two\n" * 9)
    data = first + pack(b"three\n")
    for count in range(len(data)):
        if count == len(first):
            continue  # a whole file of its own
        with pytest.raises(TruncatedError) as caught:
            unpack(data[:count], codec)
        assert caught.value.byte_offset == count


@pytest.mark.parametrize(("codec", "pack"), PACKERS)
@settings(max_examples=25, deadline=None)
@given(where=st.floats(0, 0.999), bit=st.integers(0, 7))
def test_a_flipped_bit_is_an_error_or_changes_nothing(codec, pack, where, bit):
    if codec is ZSTD:
        pack = lambda data: zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})  # noqa: E731
    data = bytearray(pack(TEXT))
    data[int(where * len(data))] ^= 1 << bit
    with contextlib.suppress(DecodeError, TruncatedError):
        assert unpack(bytes(data), codec) == TEXT  # a header's date or name


@pytest.mark.parametrize("codec", [GZIP, XZ])
def test_zero_padding_is_no_error(codec):
    pack = gzip.compress if codec is GZIP else lzma.compress
    for step in (1, 1000):
        assert unpack(pack(b"a") + bytes(512) + pack(b"b") + bytes(64), codec, step) == b"ab"


@pytest.mark.parametrize(("codec", "pack"), [PACKERS[2], PACKERS[-1]])
def test_skippable_frames_are_skipped(codec, pack):
    skippable = b"\x5a\x2a\x4d\x18\x04\x00\x00\x00abcd"
    data = skippable + pack(b"a") + skippable + pack(b"b") + skippable
    assert unpack(data, codec, step=3) == b"ab"


@pytest.mark.parametrize(("codec", "pack"), PACKERS)
def test_garbage_behind_the_end_is_refused(codec, pack):
    with pytest.raises(DecodeError, match="behind"):
        unpack(pack(TEXT) + b"garbage!", codec)


@pytest.mark.parametrize(("codec", "pack"), PACKERS)
def test_a_file_that_is_not_compressed_says_so(codec, pack):
    with pytest.raises(DecodeError, match=f"is not {codec.name}") as caught:
        unpack(b"a,b\n1,2\n", codec)
    assert "compression=None" in caught.value.hint


@pytest.mark.slow
@pytest.mark.parametrize(("codec", "pack"), PACKERS)
def test_a_bomb_comes_out_in_bounded_steps(codec, pack):
    stream = DecompressedStream(Scripted(pack(bytes(20_000_000))), codec)
    assert 0 < stream.read_into(memoryview(bytearray(30_000_000))) <= 1 << 20
    assert len(drain(stream, 1 << 20)) > 18_000_000


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(PlanError, match="compression='zsdt'") as caught:
        codec_named("zsdt")
    assert "zst" in caught.value.hint


def test_a_package_that_is_missing_is_named_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "lz4.frame", None)
    with pytest.raises(MissingDependencyError, match="'lz4'") as caught:
        unpack(b"\x04\x22\x4d\x18", LZ4)
    assert "streamframe-arrow[lz4]" in caught.value.hint

"""Text in another encoding comes out as UTF-8."""

from __future__ import annotations

import pytest

from streamframe.errors import DecodeError, PlanError
from streamframe.io.transcode import TranscodedStream, checked_encoding
from tests.io.reading import Scripted, drain

TEXT = "naïve,Ł,日本\n" * 50


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "gb18030", "utf-7"])
@pytest.mark.parametrize(("step", "out"), [(1, 100), (1000, 1), (7, 7)])
def test_any_cut_gives_the_same_text(encoding, step, out):
    stream = TranscodedStream(Scripted(TEXT.encode(encoding), step), encoding)
    assert drain(stream, out).decode() == TEXT


@pytest.mark.parametrize("step", [1, 3, 100])
def test_an_undecodable_byte_is_named_with_its_offset(step):
    stream = TranscodedStream(Scripted(b"abc\xe3\x81\x82\xe3\x81x", step), "ascii")
    with pytest.raises(DecodeError) as caught:
        drain(stream)
    assert caught.value.byte_offset == 3
    stream = TranscodedStream(Scripted("あ".encode("shift_jis") * 3 + b"\x82", step), "shift_jis")
    with pytest.raises(DecodeError) as caught:
        drain(stream)
    assert caught.value.byte_offset == 6


def test_an_unknown_encoding_is_refused_with_the_nearest():
    with pytest.raises(PlanError, match="utf-99"):
        checked_encoding("utf-99")
    with pytest.raises(PlanError) as caught:
        checked_encoding("lattin1")
    assert "latin1" in caught.value.hint


@pytest.mark.parametrize("encoding", ["rot13", "zlib"])
def test_a_codec_that_is_not_text_is_refused(encoding):
    with pytest.raises(PlanError):
        checked_encoding(encoding)

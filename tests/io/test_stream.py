"""What every stream promises, whatever is below it."""

from __future__ import annotations

import pytest

from streamframe.errors import SourceError, TruncatedError
from streamframe.io.stream import ByteStream
from tests.io.reading import Scripted, drain


class FailsOnce(ByteStream):
    """The worst case: after its failure it looks like a clean end."""

    def _fill(self, target: memoryview) -> int:
        self._fill = lambda target: 0  # type: ignore[method-assign]
        raise TruncatedError("cut")

    def _release(self) -> None:
        pass


def test_a_failure_never_looks_like_the_end_afterwards():
    stream = FailsOnce("x")
    for _ in range(3):
        with pytest.raises(TruncatedError):
            drain(stream)


def test_what_was_unread_comes_again_at_its_offset():
    stream = Scripted(b"abcdef", step=2)
    stream.unread(stream.read_up_to(5))
    assert (stream.offset, stream.read_up_to(2), stream.offset) == (0, b"ab", 2)
    assert drain(stream, 1) == b"cdef"


def test_a_closed_stream_raises():
    stream = Scripted(b"abc")
    stream.close()
    stream.close()
    with pytest.raises(SourceError, match="closed"):
        stream.read_up_to(1)

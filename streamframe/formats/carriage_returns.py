"""Lines that end with a lone carriage return, as on the first Macs, as lines that end with a newline.

Rules: only where the start of a file has such ends and no newline at all, since a log may have carriage returns inside
its lines, as progress bars do. Each byte keeps its offset.
"""

from __future__ import annotations

from streamframe.io.stream import ByteStream, WrappedStream

# What is looked at, unless a newline comes before.
START_BYTES = 64 * 1024


def with_newlines(stream: ByteStream) -> ByteStream:
    """Return the stream with newlines where its lines end with carriage returns; else the stream as it is."""
    start = bytearray()
    while b"\n" not in start and len(start) < START_BYTES:
        more = bytearray(START_BYTES - len(start))
        with memoryview(more) as view:
            count = stream.read_into(view)
        if not count:
            break
        start += more[:count]
    stream.unread(bytes(start))
    return ReturnedLines(stream) if b"\r" in start and b"\n" not in start else stream


class ReturnedLines(WrappedStream):
    """Text whose lone carriage returns are newlines."""

    def __init__(self, inner: ByteStream) -> None:
        super().__init__(inner)
        self.offset = inner.offset

    @property
    def seekable(self) -> bool:
        return self._inner.seekable

    @property
    def can_skip(self) -> bool:
        return self._inner.can_skip

    def unread(self, data: bytes) -> None:
        # As they were: another reader of these bytes looks at them anew.
        self._inner.unread(data.replace(b"\n", b"\r"))
        self.offset -= len(data)

    def _fill(self, target: memoryview) -> int:
        count = self._inner.read_into(target)
        if not count:
            return 0
        text = bytes(target[:count])
        if text.endswith(b"\r"):
            # Whether it is a lone one, the next byte says.
            following = self._inner.read_up_to(1)
            self._inner.unread(following)
            text = _translated(text + following)[:count]
        else:
            text = _translated(text)
        target[:count] = text
        return count

    def _seek(self, offset: int) -> None:
        if self._inner.seekable:
            self._inner.seek(offset)
        else:
            self._inner.skip_to(offset)


def _translated(text: bytes) -> bytes:
    """Return lone carriage returns as newlines; where none is followed by a newline, in one go."""
    if b"\r\n" not in text:
        return text.replace(b"\r", b"\n")
    return b"\r\n".join(lines.replace(b"\r", b"\n") for lines in text.split(b"\r\n"))

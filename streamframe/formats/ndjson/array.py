"""A JSON array as NDJSON: each element becomes a line, and each byte keeps its offset.

Rules: a comma between two elements becomes a newline, a newline inside of an element a space, and
so do the brackets of the array itself. So whatever reads lines reads arrays too, and what it says of places
is true. Only brackets, commas and quotes are looked at; what an element holds is for the decoder to judge.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from streamframe.errors import DecodeError, TruncatedError
from streamframe.formats.parity import inside_of
from streamframe.formats.sniffing import BOM, peek
from streamframe.io.stream import ByteStream, WrappedStream

if TYPE_CHECKING:
    import numpy as np

_SPACE, _NEWLINE, _BRACKET, _QUOTE, _BACKSLASH, _COMMA_BYTE, _RETURN = b' \n]"\\,\r'
_OPEN_CURLY, _CLOSE_CURLY = b"{}"
# "[" and "]" with this bit are "{" and "}".
_CURLY = 0x20
_OPEN, _CLOSE, _COMMA, _BREAK = range(1, 5)
_KINDS = bytearray(256)
for _chars, _kind in ((b"[{", _OPEN), (b"]}", _CLOSE), (b",", _COMMA), (b"\r\n", _BREAK)):
    for _char in _chars:
        _KINDS[_char] = _kind
_CONTENT = re.compile(rb"[^ \t\r\n]")
# How much whitespace may stand before an array.
_MAX_HEAD_BYTES = 1 << 16
# What is looked at in one go, so that what is in between stays in the cache: half the time.
_PIECE_BYTES = 1 << 17


def as_lines(stream: ByteStream) -> ByteStream:
    """Return the elements as lines, if the stream starts with an array; else the stream as it is."""
    head = bytearray()
    text = head
    # Also while this may be the start of a BOM that is not all there yet.
    while len(head) < _MAX_HEAD_BYTES and BOM.startswith(text):
        more = bytearray(_MAX_HEAD_BYTES)
        with memoryview(more) as view:
            count = stream.read_into(view)
        if not count:
            break
        head += more[:count]
        text = head.removeprefix(BOM).lstrip(b" \t\r\n")
    stream.unread(bytes(head))
    return ArrayLines(stream) if text.startswith(b"[") else stream


class ArrayLines(WrappedStream):
    """The elements of an array, one in each line."""

    def __init__(self, inner: ByteStream) -> None:
        super().__init__(inner)
        self.offset = inner.offset
        self._piece_offset = self.offset  # of the bytes that are looked at
        self._depth = 0
        self._in_string = False
        self._escaped = False  # the next byte is
        self._elements = 0  # that a comma ended
        self._blank = True  # nothing was seen of the next element
        self._ended = False

    def peek(self) -> list[bytearray]:
        """Return some bytes of the array, as they are, from its middle and its end; what `sniffing.peek` does."""
        return peek(self._inner)

    def _fill(self, target: memoryview) -> int:
        count = self._inner.read_into(target)
        if not count and not self._ended:
            raise TruncatedError(
                f"{self.label} is cut off: its array has no ']' before the end, at byte offset {self.offset:,}",
                source=self.label,
                byte_offset=self.offset,
                hint="get the file again, or wait until it is written: what is there is not all of it.",
            )
        for at in range(0, count, _PIECE_BYTES):
            self._piece_offset = self.offset + at
            with target[at : min(at + _PIECE_BYTES, count)] as piece:
                self._cut(piece)
        return count

    def _cut(self, text: memoryview) -> None:
        """Make lines of these bytes, in place."""
        import numpy as np

        start = 0 if self._ended else self._cut_elements(np.frombuffer(text, np.uint8), text)
        if self._ended and (behind := _CONTENT.search(text, start)):
            raise self._wrong(
                behind.start(),
                "there is more behind the array",
                "a file holds one array of objects, or NDJSON: one object in each line.",
            )

    def _cut_elements(self, content: np.ndarray[Any, Any], text: memoryview) -> int:
        """Make lines of these bytes up to the end of the array; return where that is."""
        import numpy as np

        places, kinds = self._structure(content)
        start = 0
        if not self._depth:
            opening = places[kinds == _OPEN][:1]
            content[opening] = _SPACE
            start = int(opening[0]) + 1 if len(opening) else len(text)
        depths = self._depth + np.cumsum((kinds == _OPEN).astype(np.int64) - (kinds == _CLOSE))
        ends = np.flatnonzero((kinds == _CLOSE) & (depths == 0))[:1]
        if len(ends):
            self._ended = True
            places, kinds, depths = places[: ends[0] + 1], kinds[: ends[0] + 1], depths[: ends[0] + 1]
            if content[places[-1]] != _BRACKET:
                raise self._wrong(int(places[-1]), "brackets do not match: a '}' ends the array")
        self._depth = int(depths[-1]) if len(depths) else self._depth
        bounds = places[((kinds == _COMMA) & (depths == 1)) | ((kinds == _CLOSE) & (depths == 0))]
        self._check_elements(text, start, bounds, begun=places[(kinds == _OPEN) & (depths == 2)])
        content[places[kinds == _BREAK]] = _SPACE
        content[bounds] = _NEWLINE
        return int(places[-1]) + 1 if self._ended else len(text)

    def _structure(self, content: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return where brackets, commas and line breaks stand outside of strings, and which they are."""
        import numpy as np

        quotes = content == _QUOTE
        backslashes = content == _BACKSLASH
        if self._escaped or backslashes.any():
            escaped = self._escapes(np.flatnonzero(backslashes))
            self._escaped = bool(len(escaped)) and escaped[-1] == len(content)
            quotes[escaped[: len(escaped) - self._escaped]] = False
        packed = np.zeros(-(-len(content) // 64) * 8, np.uint8)
        packed[: -(-len(content) // 8)] = np.packbits(quotes, bitorder="little")
        inside = inside_of(packed.view(np.uint64))
        if self._in_string:
            np.invert(inside, out=inside)
        # Square brackets become curly ones, and nothing else does.
        either = content | _CURLY
        found = (either == _OPEN_CURLY) | (either == _CLOSE_CURLY) | (content == _COMMA_BYTE)
        found |= (content == _NEWLINE) | (content == _RETURN)
        places = np.append(np.flatnonzero(found), len(content) - 1)
        is_inside = (inside[places >> 6] >> (places & 63).astype(np.uint64)) & np.uint64(1) == 1
        self._in_string = bool(is_inside[-1])
        places = places[:-1][~is_inside[:-1]]
        return places, np.frombuffer(_KINDS, np.uint8)[content[places]]

    def _escapes(self, backslashes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return which bytes are escaped: those behind an odd number of backslashes."""
        import numpy as np

        first = [0] if self._escaped else []
        if first and len(backslashes) and backslashes[0] == 0:
            backslashes = backslashes[1:]
        breaks = np.flatnonzero(np.diff(backslashes) != 1)
        starts = np.concatenate([backslashes[:1], backslashes[breaks + 1]])
        ends = np.concatenate([backslashes[breaks], backslashes[-1:]])
        odd: np.ndarray[Any, Any] = ends[(ends - starts) % 2 == 0] + 1
        return np.concatenate([np.array(first, odd.dtype), odd])

    def _check_elements(
        self, text: memoryview, start: int, bounds: np.ndarray[Any, Any], begun: np.ndarray[Any, Any]
    ) -> None:
        """Raise if there is no element before a comma, or before the end: a blank line would pass for no record.

        Parameters
        ----------
        text, start
            The bytes, and where the elements start in them.
        bounds
            Where elements end.
        begun
            Where objects and arrays start: only elements without one have to be looked at.
        """
        import numpy as np

        starts = np.concatenate([[start], bounds + 1])
        unsure = np.flatnonzero(np.diff(np.searchsorted(begun, bounds), prepend=0) == 0)
        for at in unsure:
            if (at or self._blank) and not _CONTENT.search(text, int(starts[at]), int(bounds[at])):
                is_end = self._ended and at == len(bounds) - 1
                if is_end and not (at or self._elements):
                    continue  # an array without elements
                raise self._wrong(
                    int(bounds[at]),
                    "the array ends with a comma" if is_end else "a comma of the array has no element before it",
                    "mend the file: JSON has one comma between two elements.",
                )
        self._elements += len(bounds)
        self._blank = (self._blank or bool(len(bounds))) and not _CONTENT.search(text, int(starts[-1]))

    def _wrong(self, at: int, what: str, hint: str | None = None) -> DecodeError:
        offset = self._piece_offset + at
        return DecodeError(f"{what}, at byte offset {offset:,}", source=self.label, byte_offset=offset, hint=hint)

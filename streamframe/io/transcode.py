"""Text in another encoding becomes UTF-8 bytes; the formats know nothing else.

Rules: UTF-8 itself is never touched here, so it costs nothing. Bytes that mean nothing in the encoding are an
error, or, where it is lenient, no UTF-8 either: so they take only the record with them in which they stand.
"""

from __future__ import annotations

import codecs
import re

from streamframe.errors import DecodeError, PlanError, did_you_mean
from streamframe.io.stream import ByteStream, WrappedStream

_CHUNK_BYTES = 1 << 17
# A byte that means nothing, as Python's "surrogateescape" names it (which leaves out ASCII, that may be half of a
# UTF-16 letter): U+DC00 and what it is. In UTF-8 no such letter may stand, and none of its bytes can be a separator.
_FIRST_MARK = 0xDC00
_MARK = re.compile(rb"\xed([\xb0-\xb3])([\x80-\xbf])")
_MARKING = "streamframe.marking"


def checked_encoding(encoding: str) -> str:
    """Return Python's name of a text encoding.

    Raises
    ------
    PlanError
        If there is no such text encoding.
    """
    try:
        found = codecs.lookup(encoding)
    except (LookupError, TypeError, ValueError) as error:
        from encodings.aliases import aliases

        near = did_you_mean(str(encoding), [*aliases, *aliases.values()])
        raise PlanError(
            f"encoding={encoding!r} is not known", hint=near or 'use a name such as "utf-8" or "cp1252".'
        ) from error
    # codecs also holds rot13 and zip; only this (private, but stable) field tells them apart.
    if not getattr(found, "_is_text_encoding", True):
        raise PlanError(f"encoding={encoding!r} is not a text encoding", hint='use a name such as "utf-8".')
    return found.name


def with_escapes(text: bytes) -> bytes:
    r"""Return text of a lenient stream, in which bytes that mean nothing are shown as Python does it: ``\x81``."""
    return _MARK.sub(lambda found: rb"\x%02x" % ((found[1][0] & 0x03) << 6 | found[2][0] & 0x3F), text)


class TranscodedStream(WrappedStream):
    """A stream of text, as UTF-8; if `lenient`, with marks for bytes that mean nothing, else these are an error."""

    def __init__(self, inner: ByteStream, encoding: str, *, lenient: bool = False) -> None:
        super().__init__(inner)
        self._encoding = checked_encoding(encoding)
        self._decoder = codecs.getincrementaldecoder(self._encoding)(_MARKING if lenient else "strict")
        self._unpaired = "surrogatepass" if lenient else "strict"
        self._buffer = bytearray(_CHUNK_BYTES)
        self._ready = memoryview(b"")
        self._ended = False

    def _fill(self, target: memoryview) -> int:
        while not self._ready and not self._ended:
            self._ready = memoryview(self._next_text())
        count = min(len(target), len(self._ready))
        target[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _next_text(self) -> bytes:
        # The decoder may have kept the start of a character from the chunk before.
        start = self._inner.offset - len(self._decoder.getstate()[0])
        with memoryview(self._buffer) as view:
            count = self._inner.read_into(view)
        self._ended = count == 0
        try:
            return self._decoder.decode(bytes(self._buffer[:count]), final=self._ended).encode("utf-8", self._unpaired)
        except UnicodeError as error:
            at = start + error.start if isinstance(error, UnicodeDecodeError) else start
            raise DecodeError(
                f"{self.label} is not {self._encoding}: {getattr(error, 'reason', 'invalid text')} "
                f"at byte offset {at:,}",
                source=self.label,
                byte_offset=at,
                hint='pass the encoding the file was written in, such as encoding="cp1252".',
            ) from error


def _marked(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(_FIRST_MARK + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_MARKING, _marked)

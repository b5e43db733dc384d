"""Text in another encoding becomes UTF-8 bytes; the formats know nothing else.

Rule: UTF-8 itself is never touched here, so it costs nothing.
"""

from __future__ import annotations

import codecs

from streamframe.errors import DecodeError, PlanError, did_you_mean
from streamframe.io.stream import ByteStream, WrappedStream

_CHUNK_BYTES = 1 << 17


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


class TranscodedStream(WrappedStream):
    """A stream of text, as UTF-8."""

    def __init__(self, inner: ByteStream, encoding: str) -> None:
        super().__init__(inner)
        self._encoding = checked_encoding(encoding)
        self._decoder = codecs.getincrementaldecoder(self._encoding)("strict")
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
            return self._decoder.decode(bytes(self._buffer[:count]), final=self._ended).encode()
        except UnicodeError as error:
            at = start + error.start if isinstance(error, UnicodeDecodeError) else start
            raise DecodeError(
                f"{self.label} is not {self._encoding}: {getattr(error, 'reason', 'invalid text')} "
                f"at byte offset {at:,}",
                source=self.label,
                byte_offset=at,
                hint='pass the encoding the file was written in, such as encoding="cp1252".',
            ) from error

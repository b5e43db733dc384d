"""The bytes of one text file as they come, handed on in pieces that end at record boundaries.

Rules: bytes are read into the buffer they are parsed from. What is left behind the last complete
record moves on, once. A piece is handed over when its buffer is full, at the end of the file, or
when the source has made us wait: then with the complete records there are.
Until the first piece is taken, all bytes are kept, so that they can be given back.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from streamframe.errors import BudgetError, ResumeError
from streamframe.io.stream import ByteStream

if TYPE_CHECKING:
    import numpy as np

# Large enough to infer types from, small enough to be there at once.
FIRST_BLOCK_BYTES = 256 * 1024
# A longer one is more likely a quote that nobody closed.
MAX_RECORD_BYTES = 64 * 1024 * 1024
# How long we wait for the rest of a block, all reads together, before we hand over what is there.
PATIENCE_S = 0.2
# Buffers that wait to be read into again. An allocator would keep as much of what was just freed.
_MOST_SPARE = 2
_NEWLINE = 0x0A
# What ends a record is not counted.
_END_BYTES = 2
# Logs shrink to a hundredth at best.
_SUSPICIOUS_RATIO = 200


class Piece(NamedTuple):
    """Complete records: ``data[start:stop]``."""

    data: bytearray
    start: int
    stop: int
    # Absolute offset of ``data[start]``.
    byte_offset: int
    # One record that does not end, at the end of the file.
    broken: bool = False


def joined_lines(pieces: Sequence[Piece]) -> tuple[Piece, list[int]] | None:
    """Return pieces of several files as one, and how many lines each of them has.

    None where a carriage return may end a line: then there may be more records than lines.
    """
    joined = bytearray()
    lines = []
    for piece in pieces:
        data, span = piece.data, (piece.start, piece.stop)
        if data.find(b"\r", *span) >= 0 and data.count(b"\r", *span) != data.count(b"\r\n", *span):
            return None
        with memoryview(data) as view:
            joined += view[piece.start : piece.stop]
        last = b"" if joined.endswith(b"\n") else b"\n"
        joined += last
        lines.append(data.count(b"\n", *span) + len(last))
    return Piece(joined, 0, len(joined), 0), lines


class Records(ABC):
    """Takes bytes from a stream, which it owns, and cuts them where records end.

    Parameters
    ----------
    stream
        The bytes, decompressed and as UTF-8.
    block_bytes
        How large a piece may get; the first ones are smaller. A longer record is still one piece.
    """

    def __init__(self, stream: ByteStream, *, block_bytes: int) -> None:
        self.stream = stream
        self._max_record_bytes = MAX_RECORD_BYTES
        self._max_bytes = block_bytes
        self._size = min(FIRST_BLOCK_BYTES, block_bytes)
        self._data = bytearray(self._size)
        self._spare: list[bytearray] = []
        self._start = 0  # of the first record that was not taken
        self._filled = 0
        self._base = stream.offset  # absolute offset of data[0]
        self._at_end = False
        self._taken = False
        self._waited_s = 0.0  # inside of reads, since the last piece was taken
        # What is left at the end of the file is no complete record, but handed over all the same.
        self._broken = False
        # What a seek has passed over.
        self.passed_bytes = 0
        self.read_again_bytes = 0

    @property
    def byte_offset(self) -> int:
        """Absolute offset of the next record."""
        return self._base + self._start

    @property
    def held_bytes(self) -> int:
        """What the next piece will hold, raw."""
        return max(len(self._data), self._size)

    def limit_size(self, nbytes: int) -> None:
        """Keep pieces below this size, since not many records are wanted."""
        self._max_bytes = min(self._max_bytes, max(nbytes, FIRST_BLOCK_BYTES))

    def allow_records_of(self, nbytes: int | None) -> None:
        """Hold records up to this size; None is the default."""
        if nbytes is not None:
            self._max_record_bytes = nbytes

    def skip(self, prefix: bytes) -> None:
        """Pass over these bytes, if they are what comes next."""
        while self._filled - self._start < len(prefix) and self._read_more():
            pass
        if self._data.startswith(prefix, self._start, self._filled):
            self._start += len(prefix)

    def go_to(self, offset: int) -> None:
        """Go on at the record at an absolute offset: by passing over what lies before it, or by reading it."""
        if offset > self._base + self._filled and self.stream.can_skip:
            self.passed_bytes = offset - self._base - self._filled
            self.stream.skip_to(offset)
            self._base, self._start, self._filled = offset, 0, 0
        self.read_again_bytes = max(0, offset - self._base - self._filled)
        while self._base + self._filled < offset:
            self._base, self._start, self._filled = self._base + self._filled, 0, 0
            if not self._read_more():
                raise ResumeError(
                    f"ends at byte {self._base:,}, before the place to go on from, {offset:,}",
                    source=self.stream.label,
                    hint="the source has changed: start from the beginning.",
                )
        self._start = offset - self._base
        self._taken = True
        self._waited_s = 0.0

    def peek_piece(self) -> Piece | None:
        """Read the next piece and return it, and keep it; None at the end of the file."""
        stop = self._fill()
        return None if stop == self._start else Piece(self._data, self._start, stop, self.byte_offset, self._broken)

    def take_piece(self) -> Piece | None:
        """Read the next piece and hand it over; None at the end of the file.

        Raises
        ------
        SourceError
            If the stream fails.
        DecodeError
            If the file ends inside of a record.
        BudgetError
            If a record is longer than is allowed: 64 MiB, unless the user allows more.
        """
        # Does not read on if a piece was looked at: the buffer is full, or has made us wait enough.
        stop = self._fill()
        if stop == self._start:
            return None
        if stop - self._start > self._max_record_bytes + _END_BYTES:
            # Those that fit into a buffer have come with others, so that nobody has counted.
            piece = Piece(self._data, self._start, stop, self.byte_offset, self._broken)
            if (long := self._first_longer(piece, self._max_record_bytes + _END_BYTES)) is not None:
                raise self._too_long(self._base + long, None)
        self._taken = True
        self._waited_s = 0.0
        offset, start, data = self.byte_offset, self._start, self._data
        self._base += stop
        self._start = 0
        if stop - start < len(data) // 2:
            # A short piece of a slow source must not hold a whole buffer.
            piece = Piece(data[start:stop], 0, stop - start, offset, self._broken)
            rest = self._filled - stop
            data[:rest] = data[stop : self._filled]
            self._filled = rest
            return piece
        if self._filled == len(data):
            self._size = min(self._size * 2, self._max_bytes)
        rest = self._filled - stop
        self._data = self._buffer(max(self._size, rest + 1) if not self._at_end else rest)
        self._data[:rest] = memoryview(data)[stop : self._filled]
        self._filled = rest
        return Piece(data, start, stop, offset, self._broken)

    def take_back(self, data: bytearray) -> None:
        """Read into this buffer again, that of a piece nobody needs any more; from any thread.

        A new buffer costs more than to read into it: its pages have to be asked for, and filled with zeros.
        """
        if len(data) != self._max_bytes or len(self._spare) >= _MOST_SPARE:
            return
        try:
            # While somebody looks into a bytearray, its length cannot be changed.
            data.append(data.pop())
        except BufferError:
            return
        self._spare.append(data)

    def _buffer(self, nbytes: int) -> bytearray:
        if nbytes == self._max_bytes and self._spare:
            return self._spare.pop()
        return bytearray(nbytes)

    def give_back(self) -> None:
        """Push all bytes back into the stream, if none were taken."""
        if not self._taken and self._filled:
            self.stream.unread(bytes(memoryview(self._data)[: self._filled]))
            self._filled = self._start = 0

    def _fill(self) -> int:
        """Read until there is a piece; return its end, which is its start at the end of the file."""
        patience = PATIENCE_S
        while True:
            while not self._at_end and self._filled < len(self._data) and self._waited_s < patience:
                self._read_more()
            stop = self._end_of_records()
            if self._at_end:
                return self._end_of_file(stop)
            if stop > self._start:
                return stop
            # Cutting again costs a pass over what is there, so not at each read.
            patience = self._waited_s + PATIENCE_S
            self._read_more()

    @abstractmethod
    def _end_of_records(self) -> int:
        """Return the position behind the last complete record there is; `_start` if there is none."""

    @abstractmethod
    def _end_of_file(self, stop: int) -> int:
        """Return where the last piece ends, when records are complete up to `stop`; its start if there is none."""

    @abstractmethod
    def _first_longer(self, piece: Piece, nbytes: int) -> int | None:
        """Return the position in `piece.data` of the first record that is longer, with its end, if there is one."""

    @abstractmethod
    def _endless_hint(self) -> str | None:
        """Return what may be wrong with a record that does not end."""

    def _bomb_hint(self) -> str | None:
        """Return how much was made of how little, if that is far more than text shrinks by."""
        ratio = self.stream.offset // max(self.stream.bytes_read, 1)
        if ratio < _SUSPICIOUS_RATIO:
            return None
        return f"it may be a bomb: {ratio:,} bytes came out for each compressed one."

    def _read_more(self) -> bool:
        """Read some bytes behind those that are there, growing the buffer if it is full."""
        if self._at_end:
            return False
        if self._filled == len(self._data):
            self._grow()
        asked = time.monotonic()
        with memoryview(self._data) as view, view[self._filled :] as room:
            count = self.stream.read_into(room)
        self._waited_s += time.monotonic() - asked
        self._filled += count
        self._at_end = not count
        return bool(count)

    def _grow(self) -> None:
        longest = self._max_record_bytes + _END_BYTES
        if self._filled - self._start >= longest:
            raise self._too_long(self.byte_offset, self._bomb_hint() or self._endless_hint())
        # Copied, not resized: a piece that was only looked at may still point here.
        grown = bytearray(max(min(2 * len(self._data), self._start + longest), len(self._data) + 1))
        grown[: self._filled] = memoryview(self._data)[: self._filled]
        self._data = grown

    def _too_long(self, byte_offset: int, why: str | None) -> BudgetError:
        return BudgetError(
            f"a record is longer than {self._max_record_bytes / 1024**2:,.4g} MiB, the most that is held for one",
            source=self.stream.label,
            byte_offset=byte_offset,
            hint=f"{why + ' ' if why else ''}If records are as long as that, pass max_record_bytes=.",
        )


class LineRecords(Records):
    """Records of one line each; the last one may lack its newline."""

    def _end_of_records(self) -> int:
        return max(self._data.rfind(b"\n", self._start, self._filled) + 1, self._start)

    def _end_of_file(self, stop: int) -> int:
        return self._filled

    def _first_longer(self, piece: Piece, nbytes: int) -> int | None:
        import numpy as np

        starts = line_starts(piece)
        long = np.flatnonzero(np.diff(starts, append=piece.stop) > nbytes)
        return int(starts[long[0]]) if len(long) else None


def line_starts(piece: Piece) -> np.ndarray[Any, Any]:
    """Return the positions in `piece.data` at which its lines start."""
    import numpy as np

    content = np.frombuffer(piece.data, np.uint8, piece.stop - piece.start, piece.start)
    starts = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(content == _NEWLINE) + 1])
    # Behind the newline that ends the piece no line starts.
    return starts[: np.searchsorted(starts, len(content))] + piece.start

"""The bytes of one CSV file as they come, handed on in pieces that end at record boundaries.

Rules: bytes are read into the buffer they are parsed from. What is left behind the last complete
record moves on, once. A piece is handed over when its buffer is full, at the end of the file, or
when the source has made us wait: then with the complete records there are.
Until the first piece is taken, all bytes are kept, so that they can be given back.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from streamframe.errors import BudgetError, DecodeError
from streamframe.formats.csv.cutter import end_of_records, open_quote
from streamframe.formats.csv.dialect import Dialect
from streamframe.io.stream import ByteStream

# Large enough to infer types from, small enough to be there at once.
FIRST_BLOCK_BYTES = 256 * 1024
# A longer one is more likely a quote that nobody closed.
MAX_RECORD_BYTES = 64 * 1024 * 1024
# How long we wait for the rest of a block, all reads together, before we hand over what is there.
PATIENCE_S = 0.2
_SHORT_RECORD_BYTES = 64 * 1024


class Piece(NamedTuple):
    """Complete records: ``data[start:stop]``."""

    data: bytearray
    start: int
    stop: int
    # Absolute offset of ``data[start]``.
    byte_offset: int


class Records:
    """Takes bytes from a stream, which it owns, and cuts them where records end.

    Parameters
    ----------
    stream
        The bytes, decompressed and as UTF-8.
    dialect
        What ends a record.
    block_bytes
        How large a piece may get; the first ones are smaller. A longer record is still one piece.
    """

    def __init__(self, stream: ByteStream, dialect: Dialect, *, block_bytes: int) -> None:
        self.stream = stream
        self._dialect = dialect
        self._max_bytes = block_bytes
        self._size = min(FIRST_BLOCK_BYTES, block_bytes)
        self._data = bytearray(self._size)
        self._start = 0  # of the first record that was not taken
        self._filled = 0
        self._base = stream.offset  # absolute offset of data[0]
        self._at_end = False
        self._taken = False
        self._waited_s = 0.0  # inside of reads, since the last piece was taken

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

    def skip(self, prefix: bytes) -> None:
        """Pass over these bytes, if they are what comes next."""
        while self._filled - self._start < len(prefix) and self._read_more():
            pass
        if self._data.startswith(prefix, self._start, self._filled):
            self._start += len(prefix)

    def skip_line(self) -> bool:
        """Pass over one line, whatever is in it; False at the end of the file."""
        searched = self._start
        while True:
            ends = [at for at in (self._data.find(end, searched, self._filled) for end in (b"\n", b"\r")) if at >= 0]
            # Behind a \r at the very end, a \n may follow that belongs to it.
            if ends and (min(ends) + 1 < self._filled or self._at_end or self._data[min(ends)] == 0x0A):
                end = min(ends) + 1
                self._start = end + (self._data[end - 1 : end + 1] == b"\r\n" and end < self._filled)
                return True
            searched = max(searched, self._filled - 1)
            if not self._read_more():
                skipped = self._start < self._filled
                self._start = self._filled
                return skipped

    def peek_record(self) -> tuple[int, bytes] | None:
        """Return the next record that is not empty and no comment, with its offset; None at the end of the file."""
        while True:
            found = self._dialect.one_whole_record.match(self._data, self._start, self._filled)
            if found is None:
                if self._read_on():
                    continue
                if self._start == self._filled:
                    return None
                self._require_closed(self._start)
                found = self._dialect.one_record.match(self._data, self._start, self._filled)
            text = found[0] if found else b""
            if text.strip(b"\r\n") and not (self._dialect.comment and text.startswith(self._dialect.comment.encode())):
                return self.byte_offset, text
            self._start += len(text)

    def skip_record(self, text: bytes) -> None:
        """Pass over the record that `peek_record` returned."""
        self._start += len(text)

    def peek_piece(self) -> Piece | None:
        """Read the next piece and return it, and keep it; None at the end of the file."""
        stop = self._fill()
        return None if stop == self._start else Piece(self._data, self._start, stop, self.byte_offset)

    def take_piece(self) -> Piece | None:
        """Read the next piece and hand it over; None at the end of the file.

        Raises
        ------
        SourceError
            If the stream fails.
        DecodeError
            If the file ends inside of quotes.
        BudgetError
            If a record is longer than 64 MiB.
        """
        # Does not read on if a piece was looked at: the buffer is full, or has made us wait enough.
        stop = self._fill()
        if stop == self._start:
            return None
        self._taken = True
        self._waited_s = 0.0
        offset, start, data = self.byte_offset, self._start, self._data
        self._base += stop
        self._start = 0
        if stop - start < len(data) // 2:
            # A short piece of a slow source must not hold a whole buffer.
            piece = Piece(data[start:stop], 0, stop - start, offset)
            rest = self._filled - stop
            data[:rest] = data[stop : self._filled]
            self._filled = rest
            return piece
        if self._filled == len(data):
            self._size = min(self._size * 2, self._max_bytes)
        rest = self._filled - stop
        self._data = bytearray(max(self._size, rest + 1) if not self._at_end else rest)
        self._data[:rest] = memoryview(data)[stop : self._filled]
        self._filled = rest
        return Piece(data, start, stop, offset)

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
            stop = end_of_records(self._dialect, self._data, self._start, self._filled)
            if self._at_end:
                return self._end_of_file(stop)
            if stop > self._start:
                return stop
            # Cutting again costs a pass over what is there, so not at each read.
            patience = self._waited_s + PATIENCE_S
            self._read_more()

    def _end_of_file(self, stop: int) -> int:
        if stop == self._filled:
            return stop
        if stop > self._start and open_quote(self._dialect, self._data, stop, self._filled) is not None:
            # The complete records first; the next call raises.
            return stop
        self._require_closed(stop)
        return self._filled

    def _require_closed(self, start: int) -> None:
        quote = open_quote(self._dialect, self._data, start, self._filled)
        if quote is not None:
            raise DecodeError(
                "the file ends inside of quotes: an opening quote is never closed",
                source=self.stream.label,
                byte_offset=self._base + quote,
                hint="look at that place; pass quotechar=None if quotes have no meaning in this file.",
            )

    def _read_on(self) -> bool:
        """Read more of a record that is not complete; False at the end of the file."""
        # Trying again costs a pass over what is there: for long ones, each time it has doubled.
        wanted = 2 * self._filled if self._filled > _SHORT_RECORD_BYTES else self._filled + 1
        more = False
        while self._filled < wanted and self._read_more():
            more = True
        return more

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
        if len(self._data) >= MAX_RECORD_BYTES:
            quote = open_quote(self._dialect, self._data, self._start, self._filled)
            raise BudgetError(
                f"a record is longer than {MAX_RECORD_BYTES // 1024**2} MiB, the most that is held for one",
                source=self.stream.label,
                byte_offset=self.byte_offset,
                hint=None
                if quote is None
                else f"the quote at byte offset {self._base + quote:,} is not closed; if quotes have no meaning "
                "in this file, pass quotechar=None.",
            )
        # Copied, not resized: a piece that was only looked at may still point here.
        grown = bytearray(max(2 * len(self._data), 1))
        grown[: self._filled] = memoryview(self._data)[: self._filled]
        self._data = grown

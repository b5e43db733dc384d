"""Where the records of a CSV file start and end, as its bytes come."""

from __future__ import annotations

from streamframe.errors import DecodeError
from streamframe.formats.csv.cutter import end_of_records, open_quote
from streamframe.formats.csv.dialect import Dialect
from streamframe.formats.records import Piece, Records
from streamframe.io.stream import ByteStream

NEVER_CLOSED = "an opening quote is never closed"
_SHORT_RECORD_BYTES = 64 * 1024


class CsvRecords(Records):
    """Records as `dialect` ends them; `stream` and `block_bytes` are those of `Records`.

    Attributes
    ----------
    lenient : bool
        A last record whose quote is never closed is handed over, as broken; otherwise it is an error.
    """

    def __init__(self, stream: ByteStream, dialect: Dialect, *, block_bytes: int) -> None:
        super().__init__(stream, block_bytes=block_bytes)
        self._dialect = dialect
        self.lenient = False

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
            text = found[0] if found else bytes(self._data[self._start : self._filled])
            if text.strip(b"\r\n") and not (self._dialect.comment and text.startswith(self._dialect.comment.encode())):
                return self.byte_offset, text
            self._start += len(text)

    def skip_record(self, text: bytes) -> None:
        """Pass over the record that `peek_record` returned."""
        self._start += len(text)

    def _end_of_records(self) -> int:
        return end_of_records(self._dialect, self._data, self._start, self._filled)

    def _end_of_file(self, stop: int) -> int:
        if stop == self._filled:
            return stop
        if stop > self._start and open_quote(self._dialect, self._data, stop, self._filled) is not None:
            # The complete records first; the next call raises.
            return stop
        if self.lenient:
            self._broken = open_quote(self._dialect, self._data, stop, self._filled) is not None
        else:
            self._require_closed(stop)
        return self._filled

    def _first_longer(self, piece: Piece, nbytes: int) -> int | None:
        from streamframe.formats.csv.places import first_longer

        return first_longer(piece, self._dialect, nbytes)

    def _endless_hint(self) -> str | None:
        quote = open_quote(self._dialect, self._data, self._start, self._filled)
        if quote is None:
            return None
        return (
            f"the quote at byte offset {self._base + quote:,} is not closed; if quotes have no meaning "
            "in this file, pass quotechar=None."
        )

    def _require_closed(self, start: int) -> None:
        quote = None if self.lenient else open_quote(self._dialect, self._data, start, self._filled)
        if quote is not None:
            raise DecodeError(
                f"the file ends inside of quotes: {NEVER_CLOSED}",
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

"""One piece of NDJSON to one batch: computing only.

Rules: a record is one object in one line. Arrow parses the whole piece as one block, but knows
no lines: it takes two objects in a line, or one in two lines, and it *crashes* on a piece that
starts with the literal ``null``. So it only gets lines that start with ``{`` and end with ``}``:
a line's end is then a record's end, and each line holds one record exactly if there are as many
rows as lines. It does not look at encodings either; the batch is validated. What fails is
looked at again, line by line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pyarrow as pa

from streamframe.errors import StreamError
from streamframe.formats.ndjson.exactness import loses_digits
from streamframe.formats.ndjson.kernel import Kernel
from streamframe.formats.ndjson.locating import Unit, refused
from streamframe.formats.ndjson.mending import mended, scalars_of
from streamframe.formats.ndjson.parsing import REFUSED, parsed
from streamframe.formats.ndjson.records import line_offsets
from streamframe.formats.records import Piece
from streamframe.formats.rejects import Errors, Salvaged

Line = bytes | bytearray
_NEWLINE, _OPEN, _CLOSE = b"\n{}"


@dataclass(frozen=True)
class Decoding:
    """How the pieces of one file become batches.

    Parameters
    ----------
    known
        All columns of the file.
    schema
        The columns that are wanted, with their types, in the order wanted.
    text
        Columns that take any value, as its JSON text.
    chosen
        The columns were chosen: what else there is may be left out.
    errors
        What a record does that cannot be read.
    encoding
        What the text was written in, for what is said of bytes that mean nothing there.
    unit
        What holds a record, for what is said of one: a line, or an element of an array.
    exact
        Columns whose types were found: no digit of a whole number is lost in them.
    """

    known: pa.Schema
    schema: pa.Schema
    text: frozenset[str] = frozenset()
    chosen: bool = False
    errors: Errors = "raise"
    encoding: str = "utf-8"
    unit: Unit = "line"
    exact: frozenset[str] = frozenset()

    def narrowed(self, schema: pa.Schema) -> Decoding:
        """Return the same for fewer columns."""
        return replace(self, schema=schema)

    def batch(self, piece: Piece) -> pa.RecordBatch:
        """Return the records of this piece.

        Raises
        ------
        DecodeError
            With `row` counted from 1 at the start of the piece.
        """
        by_kernel = self._kernel.batch(piece) if self._kernel else None
        if by_kernel is None or loses_digits(by_kernel, memoryview(piece.data)[piece.start : piece.stop], self.exact):
            return self._by_arrow(piece)
        return by_kernel

    def _by_arrow(self, piece: Piece) -> pa.RecordBatch:
        data = pa.py_buffer(memoryview(piece.data)[piece.start : piece.stop])
        records = _count_objects(data)
        if not records:
            lines = _lines(piece)
            if not lines:
                return pa.RecordBatch.from_pylist([], schema=self.schema)
            data = pa.py_buffer(b"\n".join(lines))
            records = _count_objects(data)
        if records:
            try:
                return self.at_once(data, records)
            except REFUSED:
                pass
        return self._second_look(piece)

    def at_once(self, data: pa.Buffer, records: int) -> pa.RecordBatch:
        """Return the records in so many lines without taking one apart; raise one of `REFUSED` if that has to be."""
        try:
            return self._kept(self._first_look(data, records), data)
        except REFUSED:
            # Where values are nested, a name may be found inside of one that is not to be touched.
            if not self.text or self._any_nested:
                raise
        text = pa.py_buffer(self._scalars.sub(rb'\1"\2"', data.to_pybytes()))
        return self._kept(self._first_look(text, records), text)

    def _first_look(self, data: pa.Buffer, records: int) -> pa.RecordBatch:
        if self.strict:
            return parsed(data, records, self.schema, self.schema, unexpected="error")
        if self._any_nested:
            # "ignore" would also pass over what is new inside of a column that is wanted.
            return parsed(data, records, self.known, self.schema, unexpected="error")
        return parsed(data, records, self.schema, self.schema, unexpected="ignore")

    def _second_look(self, piece: Piece) -> pa.RecordBatch:
        lines = _lines(piece)
        whole = next((at for at, line in enumerate(lines) if not _is_object(line)), len(lines))
        records = [self.record(line) for line in lines[:whole]]
        try:
            batch = self.of_lines(records)
        except REFUSED as error:
            raise self._located(piece, lines, self._first_refused(records)) from error
        if whole < len(lines):
            raise self._located(piece, lines, whole)
        return batch

    def salvaged(self, piece: Piece) -> Salvaged:
        """Return what is left of a piece that `batch` has refused."""
        # Late: whatever is clean never needs it.
        from streamframe.formats.ndjson.salvage import salvaged

        lines = _lines(piece)
        return salvaged(piece, self, lines, [at for at, line in enumerate(lines) if _is_object(line)])

    def offsets(self, piece: Piece) -> pa.Int64Array:
        """Return where each record of a piece starts in the file."""
        return line_offsets(piece)

    def record(self, line: Line) -> Line:
        """Return a line as Arrow can read it."""
        if self.strict and not self.text:
            return line
        return mended(line, None if self.strict else frozenset(self.schema.names), self.text)

    def of_lines(self, lines: Sequence[Line]) -> pa.RecordBatch:
        """Return the records in these lines; raise one of `REFUSED` if one cannot be read."""
        if not lines:
            return pa.RecordBatch.from_pylist([], schema=self.schema)
        data = pa.py_buffer(b"\n".join(lines))
        return self._kept(parsed(data, len(lines), self.schema, self.schema, unexpected="error"), data)

    def _kept(self, batch: pa.RecordBatch, data: pa.Buffer) -> pa.RecordBatch:
        """Return the records, or raise one of `REFUSED` if digits have been lost."""
        if loses_digits(batch, data, self.exact):
            raise pa.ArrowInvalid("a whole number has lost digits among floats")
        return batch

    def _first_refused(self, lines: Sequence[Line]) -> int:
        first, behind = 0, len(lines)
        while behind - first > 1:
            middle = (first + behind) // 2
            try:
                self.of_lines(lines[first:middle])
            except REFUSED:
                behind = middle
            else:
                first = middle
        return first

    def _located(self, piece: Piece, lines: Sequence[bytearray], index: int) -> StreamError:
        offset = at = piece.start
        for line in lines[: index + 1]:
            offset = piece.data.find(line, at)
            at = offset + len(line)
        error = refused(
            bytes(lines[index]), self.schema, self.text, strict=self.strict, unit=self.unit, exact=self.exact
        )
        return error.locate(row=index + 1, byte_offset=piece.byte_offset + offset - piece.start)

    @cached_property
    def _kernel(self) -> Kernel | None:
        return None if self.text else Kernel.of(self.schema, strict=self.strict)

    @cached_property
    def _scalars(self) -> re.Pattern[bytes]:
        return scalars_of(self.text)

    @cached_property
    def _any_nested(self) -> bool:
        return any(pa.types.is_nested(field.type) for field in self.schema)

    @cached_property
    def strict(self) -> bool:
        """Every field must be a column."""
        return not self.chosen and bool(self.schema.names == self.known.names)


def _count_objects(data: pa.Buffer) -> int:
    """Return how many lines there are, if all start and end as objects do; 0 otherwise."""
    import numpy as np

    content = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(content == _NEWLINE)
    if not len(ends) or ends[-1] != len(content) - 1:
        ends = np.append(ends, len(content))
    opened = content[0] == _OPEN and (content[ends[:-1] + 1] == _OPEN).all()
    return len(ends) if opened and (content[ends - 1] == _CLOSE).all() else 0


def _lines(piece: Piece) -> list[bytearray]:
    """Return the lines that are not blank, without the whitespace around them."""
    return [line for part in piece.data[piece.start : piece.stop].split(b"\n") if (line := part.strip(b" \t\r"))]


def _is_object(line: bytearray) -> bool:
    return line[0] == _OPEN and line[-1] == _CLOSE

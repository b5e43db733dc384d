"""One piece of CSV to one batch: computing only.

Rule: the whole piece is one Arrow block (`block_size` above its length, no threads), so that
Arrow reads quoted newlines rightly and names the row of what it cannot read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import pyarrow as pa
import pyarrow.csv as pacsv

from streamframe.errors import DecodeError
from streamframe.formats.csv.dialect import Dialect
from streamframe.formats.csv.exactness import loses_digits
from streamframe.formats.csv.kernel import Kernel
from streamframe.formats.csv.locating import located, rejected
from streamframe.formats.csv.spelling import Spelling
from streamframe.formats.records import Piece
from streamframe.formats.rejects import Errors, Salvaged
from streamframe.formats.sniffing import BOM

_USUAL = Spelling()
_BYTES = pa.binary()


@dataclass(frozen=True)
class Decoding:
    """How the pieces of one file become batches.

    Parameters
    ----------
    dialect
        What separates fields.
    names
        The columns as they stand in the file.
    schema
        The columns that are wanted, with their types, in the order wanted.
    spelling
        How values are spelled.
    errors
        What a record does that cannot be read.
    encoding
        What the text was written in, for what is said of bytes that mean nothing there.
    exact
        Columns whose types were found: no digit of a whole number is lost in them.
    """

    dialect: Dialect
    names: tuple[str, ...]
    schema: pa.Schema
    spelling: Spelling = _USUAL
    errors: Errors = "raise"
    encoding: str = "utf-8"
    exact: frozenset[str] = frozenset()

    def narrowed(self, schema: pa.Schema) -> Decoding:
        return replace(self, schema=schema)

    def batch(self, piece: Piece) -> pa.RecordBatch:
        """Return the records of this piece.

        Raises
        ------
        DecodeError
            With `row` counted from 1 at the start of the piece.
        """
        by_kernel = self._kernel.batch(piece) if self._kernel else None
        return self._by_arrow(piece) if by_kernel is None else by_kernel

    def _by_arrow(self, piece: Piece) -> pa.RecordBatch:
        data = arrow_buffer(piece, self.dialect)
        if not data.size:
            return self.no_rows
        try:
            table = pacsv.read_csv(
                pa.BufferReader(data),
                read_options=read_options(data, self.names),
                parse_options=self.dialect.arrow,
                convert_options=self._converted,
            )
        except pa.ArrowInvalid as error:
            raise self.refused(error, piece) from error
        if self._grouped:
            try:
                table = self._with_numbers(table)
            except pa.ArrowInvalid as error:
                raise self.refused(error, piece) from error
        batches = table.to_batches()
        if not batches:
            return self.no_rows
        batch = batches[0] if len(batches) == 1 else pa.concat_batches(batches)
        if loses_digits(batch, self.exact, partial(self._as_bytes, data), self.spelling):
            raise self.refused(pa.ArrowInvalid("a whole number has lost digits among floats"), piece)
        if self._has_no_such_day(batch, data):
            raise self.refused(pa.ArrowInvalid("a day that is in no calendar"), piece)
        return batch if len(self.schema) else batch.select([])

    def _has_no_such_day(self, batch: pa.RecordBatch, data: pa.Buffer) -> bool:
        found = zip(batch.schema.names, map(self.spelling.may_be_off, batch.columns), strict=True)
        doubtful = {name: rows for name, rows in found if rows is not None}
        if not doubtful:
            return False
        texts = self._as_bytes(data, list(doubtful), pa.string())
        return any(self.spelling.has_no_such_day(texts[name].filter(rows)) for name, rows in doubtful.items())

    def _as_bytes(self, data: pa.Buffer, names: Sequence[str], kind: pa.DataType = _BYTES) -> pa.Table:
        return pacsv.read_csv(
            pa.BufferReader(data),
            read_options=read_options(data, self.names),
            parse_options=self.dialect.arrow,
            convert_options=self.spelling.options(dict.fromkeys(names, kind), include_columns=list(names)),
        )

    def salvaged(self, piece: Piece) -> Salvaged:
        """Return what is left of a piece that `batch` has refused."""
        # Late: whatever is clean never needs it.
        from streamframe.formats.csv.salvage import salvaged

        return salvaged(piece, self)

    def offsets(self, piece: Piece) -> pa.Int64Array:
        """Return where each record of a piece starts in the file."""
        # Late: only who asks for places needs it.
        from streamframe.formats.csv.places import record_offsets

        return record_offsets(piece, self.dialect)

    @property
    def no_rows(self) -> pa.RecordBatch:
        """A batch without rows."""
        return pa.RecordBatch.from_pylist([], schema=self.schema)

    @cached_property
    def _kernel(self) -> Kernel | None:
        if not self.spelling.is_plain:
            return None
        null_values = self.spelling.options({}).null_values
        return Kernel.of(self.dialect, self.names, self.schema, null_values, self.exact)

    @cached_property
    def _converted(self) -> pacsv.ConvertOptions:
        # Somebody has to be counted; bytes are the cheapest, since nothing in them is looked at.
        types = {field.name: field.type for field in self.schema} or {self.names[0]: pa.binary()}
        types |= dict.fromkeys(self._grouped, pa.string())
        return self.spelling.options(types, include_columns=list(types))

    @cached_property
    def _grouped(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.schema if self.spelling.is_grouped(field.type))

    def _with_numbers(self, table: pa.Table) -> pa.Table:
        for name in self._grouped:
            field = self.schema.field(name)
            at = table.schema.get_field_index(name)
            if self.spelling.is_dated(field.type) and self.spelling.has_no_such_day(table.column(at)):
                raise pa.ArrowInvalid("a day that is in no calendar")
            table = table.set_column(at, field, self.spelling.numbers(table.column(at), field.type))
        return table

    def refused(self, error: pa.ArrowInvalid, piece: Piece) -> DecodeError:
        """Return the error to raise for a piece that Arrow has refused: that about its first faulty record.

        Arrow goes by columns, so that it may have told a later record first.
        """
        try:
            rejects = replace(self, errors="quarantine").salvaged(piece).rejects
        except DecodeError as other:
            return other
        if not rejects:
            return located(error, piece, self.dialect, self.names, self.schema)
        return rejected(rejects[0], self.dialect, self.names, self.schema, self.spelling)


def arrow_buffer(piece: Piece, dialect: Dialect) -> pa.Buffer:
    """Return the records of a piece as Arrow may read them: its own bytes, not a copy, nearly always."""
    comment = dialect.comment.encode() if dialect.comment else None
    if comment and piece.data.find(comment, piece.start, piece.stop) >= 0:
        kept = dialect.records_between_comments.finditer(piece.data, piece.start, piece.stop)
        data = b"".join(found[1] or found[2] or b"" for found in kept)
    elif piece.data.startswith(BOM, piece.start, piece.stop):
        data = bytes(memoryview(piece.data)[piece.start : piece.stop])
    else:
        return pa.py_buffer(memoryview(piece.data)[piece.start : piece.stop])
    # Arrow drops a byte order mark from whatever it parses; in mid-file these bytes are text.
    return pa.py_buffer(BOM + data if data.startswith(BOM) else data)


def read_options(data: pa.Buffer, names: tuple[str, ...]) -> pacsv.ReadOptions:
    """Return the options by which Arrow reads `data` as one block."""
    return pacsv.ReadOptions(use_threads=False, column_names=list(names), block_size=data.size + 1)

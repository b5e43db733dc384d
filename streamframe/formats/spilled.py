"""The columns of a batch too large to be held: decoded one by one, kept on disk, handed out in slices of rows."""

from __future__ import annotations

import pyarrow as pa

from streamframe.io.spill import SpillFile

# Of some rows of views all text would be written.
_AS_TEXT = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}


def can_spill(kind: pa.DataType, *, nested: bool = False) -> bool:
    """Some rows of a column of this type can be written by themselves."""
    if isinstance(kind, pa.BaseExtensionType):
        return can_spill(kind.storage_type, nested=True)
    if kind in _AS_TEXT or pa.types.is_dictionary(kind):
        return not nested
    return all(can_spill(kind.field(place).type, nested=True) for place in range(kind.num_fields))


class SpilledColumns:
    """Columns of as many rows each, on disk.

    Parameters
    ----------
    rows : int
        How many rows each column has.
    slice_rows : int
        How many of them are read at a time.
    """

    def __init__(self, rows: int, slice_rows: int) -> None:
        self._starts = range(0, rows, slice_rows)
        self._slice_rows = slice_rows
        self._spill = SpillFile()
        # For each slice, the piece of each column.
        self._pieces: list[dict[str, int]] = [{} for _ in self._starts]
        # The values that the indices on disk stand for, of columns that have some.
        self._values: dict[str, pa.Array] = {}
        self._next = 0

    @property
    def has_more(self) -> bool:
        """There is a slice that was not read yet."""
        return self._next < len(self._pieces)

    def add(self, name: str, column: pa.Array) -> None:
        """Write a column down.

        Raises
        ------
        BudgetError
            If the disk takes no more.
        """
        if pa.types.is_dictionary(column.type):
            self._values[name], column = column.dictionary, column.indices
        for start, pieces in zip(self._starts, self._pieces, strict=True):
            piece = column.slice(start, self._slice_rows)
            if column.type in _AS_TEXT:
                piece = piece.cast(_AS_TEXT[column.type])
            pieces[name] = self._spill.write(pa.record_batch([piece], names=[""]))

    def next_slice(self, schema: pa.Schema) -> pa.RecordBatch:
        """Return the next rows of these columns, in these types; behind the last, the disk is given back."""
        columns = [self._column(field, self._pieces[self._next][field.name]) for field in schema]
        self._next += 1
        if not self.has_more:
            self._spill.close()
        return pa.RecordBatch.from_arrays(columns, schema=schema)

    def _column(self, field: pa.Field, piece: int) -> pa.Array:
        column = self._spill.read(piece).column(0)
        values = self._values.get(field.name)
        if values is not None:
            column = pa.DictionaryArray.from_arrays(column, values, ordered=field.type.ordered)
        return column if column.type == field.type else column.cast(field.type)

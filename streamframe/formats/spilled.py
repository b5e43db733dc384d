"""The columns of a batch too large to be held: decoded one by one, kept on disk, handed out in slices of rows."""

from __future__ import annotations

import pyarrow as pa

from streamframe.io.spill import SpillFile


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
        self._rows = rows
        self._spill = SpillFile()
        # For each slice, the piece of each column.
        self._pieces: list[list[int]] = [[] for _ in self._starts]
        self._next = 0

    @property
    def has_more(self) -> bool:
        """There is a slice that was not read yet."""
        return self._next < len(self._pieces)

    def add(self, column: pa.Array) -> None:
        """Write a column down.

        Raises
        ------
        BudgetError
            If the disk takes no more.
        """
        for start, pieces in zip(self._starts, self._pieces, strict=True):
            piece = column.slice(start, self._slice_rows)
            pieces.append(self._spill.write(pa.record_batch([piece], names=[""])))

    def next_slice(self, schema: pa.Schema) -> pa.RecordBatch:
        """Return the next rows; behind the last, the disk is given back."""
        columns = [self._spill.read(piece).column(0) for piece in self._pieces[self._next]]
        self._next += 1
        if not self.has_more:
            self._spill.close()
        return pa.RecordBatch.from_arrays(columns, schema=schema)

"""Hold rows against the order that a file declares.

Readers believe a declared order and skip by it, so rows that break it would be lost to them without a word. The check
costs a comparison of neighbours. Nulls come last in either direction, and NaN behind all numbers.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from streamframe.errors import SinkError

Flags = npt.NDArray[np.bool_]


class DeclaredOrder:
    """Takes the batches of one file in order; `source` is the file's label."""

    def __init__(self, keys: tuple[tuple[str, str], ...], source: str) -> None:
        self._keys = keys
        self._source = source
        self._rows = 0
        self._last: pa.RecordBatch | None = None

    def check(self, batch: pa.RecordBatch) -> None:
        """Raise `SinkError` at the first row that should have come earlier."""
        if not self._keys or not batch.num_rows:
            return
        columns = batch.select([name for name, _ in self._keys])
        if self._last is not None:
            self._compare(self._last, columns.slice(0, 1), self._rows + 1)
        self._compare(columns.slice(0, batch.num_rows - 1), columns.slice(1), self._rows + 2)
        self._rows += batch.num_rows
        # Taken, not sliced: a slice would keep the whole batch alive.
        self._last = columns.take(pa.array([batch.num_rows - 1]))

    def _compare(self, before: pa.RecordBatch, after: pa.RecordBatch, first_row: int) -> None:
        tied: Flags = np.ones(before.num_rows, dtype=bool)
        for name, order in self._keys:
            earlier, same = _compared(before[name], after[name], descending=order == "descending")
            if (wrong := tied & earlier).any():
                raise SinkError(
                    f"sorting_columns says that column {name!r} is {order}, and a row belongs before the one above it",
                    source=self._source,
                    row=first_row + int(wrong.argmax()),
                    column=name,
                    hint="sort the rows before, or leave sorting_columns out.",
                )
            tied &= same


def _compared(before: pa.Array, after: pa.Array, *, descending: bool) -> tuple[Flags, Flags]:
    """Return where `after` belongs before `before`, and where they are the same."""
    if pa.types.is_dictionary(before.type):
        before, after = before.dictionary_decode(), after.dictionary_decode()
    less = pc.greater(after, before) if descending else pc.less(after, before)
    # 0 a value, 1 NaN, 2 null: what stands behind stays behind, whatever the direction.
    ranks = [
        np.where(_flags(pc.is_null(side)), 2, _flags(pc.is_null(side, nan_is_null=True))) for side in (before, after)
    ]
    earlier = _flags(less) | (ranks[1] < ranks[0])
    same = _flags(pc.equal(before, after)) | ((ranks[0] == ranks[1]) & (ranks[0] > 0))
    return earlier, same


def _flags(values: pa.Array) -> Flags:
    flags: Flags = pc.fill_null(values, False).to_numpy(zero_copy_only=False)
    return flags

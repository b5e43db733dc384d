"""What a batch weighs, and where it came from.

Rule: memory is counted in whole buffers. `nbytes` of a slice is small while the buffers
behind it are whole, so a budget that believed it would be wrong by any factor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import pyarrow as pa


@dataclass(frozen=True)
class Mark:
    """A position in the input: everything before it has been handed on.

    Attributes
    ----------
    part : int
        Which piece of the source, from 0.
    token : int
        Where in the part: the byte offset behind the block (text), or the index of the row group.
    rows : int
        Rows of the part that lie before this position.
    scan : int
        Which of the plan's scans, in the order in which they run.
    steps : tuple of (int, int)
        How far steps that count are, by their numbers: what they need to go on from here.
    rejected, nulled : int
        Records that were left out up to here, and values that are null instead, in all parts and scans.
    """

    part: int = 0
    token: int = 0
    rows: int = 0
    scan: int = 0
    steps: tuple[tuple[int, int], ...] = ()
    rejected: int = 0
    nulled: int = 0

    @property
    def inside(self) -> bool:
        """Something of the scan lies before this position."""
        return bool(self.part or self.token or self.rows)

    def step(self, number: int) -> int:
        """Return how far a step is; 0 if it has not begun."""
        return dict(self.steps).get(number, 0)

    def within(self, number: int) -> Mark:
        """Return the same position as a step sees it: without the steps above it, which have smaller numbers.

        What those have left to skip is skipped once. Handed on from below, it would be skipped again by the next run.
        """
        return replace(self, steps=tuple(pair for pair in self.steps if pair[0] >= number))

    def at_step(self, number: int, state: int) -> Mark:
        """Return the same position, with a step that far."""
        return replace(self, steps=(*(pair for pair in self.steps if pair[0] != number), (number, state)))


class Marked(NamedTuple):
    """A batch, with the mark behind its last row."""

    data: pa.RecordBatch
    mark: Mark


def held_bytes(batch: pa.RecordBatch) -> int:
    """Return the bytes of all buffers that this batch keeps alive."""
    return int(batch.get_total_buffer_size())


def compacted(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Copy a small slice out of the large buffers it would keep alive.

    A slice of at least half of its buffers is returned as it is: copying it would cost
    more than it frees.
    """
    if batch.num_columns == 0 or batch.nbytes * 2 >= held_bytes(batch):
        return batch
    return pa.concat_batches([batch])


def rows_without_columns(count: int) -> pa.RecordBatch:
    """Return a batch of so many rows that holds nothing else of them."""
    # Arrow makes none of that kind, but keeps the count when the last column is left out.
    return pa.RecordBatch.from_arrays([pa.nulls(count)], names=["x"]).select([])

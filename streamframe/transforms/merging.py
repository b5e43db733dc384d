"""Merge partials as they come, in a share of the budget; what does not fit is spilled, by hash.

Rules: a run of partials is merged when it has grown as large as what is merged already, so that
a row is merged a few times at most. Merged partials that outgrow the share go to disk, divided by
a hash of their keys. In the end each division is merged alone, and divided again if it is still
too large; the divisions, each in order of first appearance, are woven into one order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamframe.batch import held_bytes
from streamframe.plain_values import plain_array, plain_scalar
from streamframe.plan.context import RunContext, Spill
from streamframe.transforms.hashing import row_hashes
from streamframe.transforms.partials import FIRST, Layout, alike

# Of the budget, for merged partials: a sixteenth.
_SHARE = 16
# Merging holds its input (twice the share, when it is due), the table of keys and the result at once.
_MERGING = 3
_DUE = 2
# Merging so little at a time costs more than it saves.
_MIN_MERGED_BYTES = 1 << 20
# What Arrow and Python hold for one column of one batch, besides its values: of partials that have a few rows each,
# more than the rows.
_COLUMN_BYTES = 1 << 10
_DIVISION_BITS = 5
_DIVISIONS = 1 << _DIVISION_BITS
# So often can a hash of 64 bits divide.
_LEVELS = 64 // _DIVISION_BITS


def room_bytes(context: RunContext) -> int:
    """Return the room that the reader has to leave."""
    return _MERGING * _DUE * context.options.memory_bytes // _SHARE


class Merging:
    """Partials on their way to one row a group.

    Parameters
    ----------
    layout : Layout
        What the partials look like.
    context : RunContext
        Where the budget and the disk are.
    level : int
        How often these partials have been divided already.
    """

    def __init__(self, layout: Layout, context: RunContext, level: int = 0) -> None:
        self._layout = layout
        self._context = context
        self._level = level
        self._hold = context.hold()
        self._share_bytes = context.options.memory_bytes // _SHARE
        self._merged: list[pa.RecordBatch] = []
        self._waiting: list[pa.RecordBatch] = []
        self._merged_bytes = 0
        self._waiting_bytes = 0
        self._halved = True
        self._added = 0
        self._open = ExitStack()
        self._spill: Spill | None = None
        self._divisions: list[list[int]] = [[] for _ in range(_DIVISIONS)]
        self._count()

    def add(self, partial: pa.RecordBatch) -> None:
        """Take the next partials, in input order."""
        self._waiting.append(partial if self._level or not self._layout.keys else self._placed(partial))
        self._waiting_bytes += held_bytes(partial) + _COLUMN_BYTES * partial.num_columns
        # Where merging so much has not halved it, it would not halve the next of it either.
        in_vain = self._spill is not None and not self._halved
        due_bytes = max(self._merged_bytes, min(_MIN_MERGED_BYTES, self._share_bytes))
        if self._waiting_bytes > (self._share_bytes if in_vain else due_bytes):
            if not in_vain:
                self._merge()
            if in_vain or (self._merged_bytes > self._share_bytes and self._level < _LEVELS):
                self._divide()
        self._count()

    def merged(self) -> Iterator[pa.RecordBatch]:
        """Yield one row a group, in the order of first appearance."""
        if self._spill is None:
            self._merge()
            (data,) = self._merged
            yield data.take(pc.sort_indices(data.column(FIRST))) if self._layout.keys else data
            return
        self._divide()
        # For the heads of the runs that are woven; what is merged before is counted by its own.
        self._hold.resize(self._share_bytes)
        with self._context.spill() as woven:
            runs = [[woven.write(batch) for batch in self._of_division(pieces)] for pieces in self._divisions]
            self._open.close()  # The disk is free again for what comes above.
            yield from _woven([(woven.read(piece) for piece in run) for run in runs])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hold.resize(0)
        self._open.close()

    def _count(self) -> None:
        """Keep room for the next merging, before the reader has filled it: it makes way late."""
        held = self._merged_bytes + self._waiting_bytes
        self._hold.resize(max(_MERGING * held, room_bytes(self._context) if self._level == 0 else 0))

    def _placed(self, partial: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch's partials with the places of its rows among those of all batches."""
        place = partial.schema.get_field_index(FIRST)
        first = pc.add(partial.column(place), plain_scalar(self._added << 32))
        self._added += 1
        return partial.set_column(place, FIRST, first)

    def _merge(self) -> None:
        if self._waiting:
            partials = [*self._merged, *self._waiting]
            self._merged = [self._layout.merge(partials)]
            self._halved = self._merged[0].num_rows * 2 < sum(each.num_rows for each in partials)
            self._waiting, self._waiting_bytes = [], 0
            self._merged_bytes = held_bytes(self._merged[0])

    def _divide(self) -> None:
        """Write what there is to disk, by the hash of its keys."""
        partials = [*self._merged, *self._waiting]
        if not partials:
            return
        data = partials[0] if len(partials) == 1 else pa.concat_batches(alike(partials))
        if self._spill is None:
            self._spill = self._open.enter_context(self._context.spill())
        hashes = row_hashes([data.column(key) for key in self._layout.keys])
        division = (hashes >> np.uint64(64 - _DIVISION_BITS * (self._level + 1))) % np.uint64(_DIVISIONS)
        order = np.argsort(division, kind="stable")
        ends = np.searchsorted(division[order], np.arange(_DIVISIONS + 1))
        for number, pieces in enumerate(self._divisions):
            start, stop = int(ends[number]), int(ends[number + 1])
            if start < stop:
                pieces.append(self._spill.write(data.take(plain_array(order[start:stop]))))
        self._merged, self._merged_bytes = [], 0
        self._waiting, self._waiting_bytes = [], 0
        # Made and freed on different threads, it would stay with the allocator.
        pa.default_memory_pool().release_unused()

    def _of_division(self, pieces: Sequence[int]) -> Iterator[pa.RecordBatch]:
        if not pieces or self._spill is None:
            return
        with Merging(self._layout, self._context, self._level + 1) as merging:
            for piece in pieces:
                merging.add(self._spill.read(piece))
            for batch in merging.merged():
                # Small, since one batch of each division is in memory while they are woven.
                rows = max(1, batch.num_rows * self._share_bytes // _DIVISIONS // max(1, batch.nbytes))
                yield from (batch.slice(start, rows) for start in range(0, batch.num_rows, rows))


def _woven(runs: Sequence[Iterator[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of all runs, each ascending in `FIRST`, in ascending order."""
    heads = {number: batch for number, run in enumerate(runs) if (batch := next(run, None)) is not None}
    while heads:
        # Up to the end of the head that ends first, no rows can come in between any more.
        bound = min(batch.column(FIRST)[-1].as_py() for batch in heads.values())
        taken = []
        for number, batch in list(heads.items()):
            rows = int(np.searchsorted(batch.column(FIRST).to_numpy(), bound, side="right"))
            taken.append(batch.slice(0, rows))
            rest = batch.slice(rows) if rows < batch.num_rows else next(runs[number], None)
            if rest is None:
                del heads[number]
            else:
                heads[number] = rest
        rows_of_all = pa.concat_batches(alike(taken))
        yield rows_of_all.take(pc.sort_indices(rows_of_all.column(FIRST)))

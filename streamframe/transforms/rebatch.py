"""Cut the stream into batches of another size.

Rule: rows keep their order; only batch borders move. What waits to be filled up is held
against the budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from streamframe.batch import Marked, compacted, held_bytes
from streamframe.plan.context import RunContext
from streamframe.plan.node import Rows
from streamframe.transforms.ordered import Ordered


@dataclass(frozen=True, eq=False)
class Rebatch(Ordered):
    """Batches of exactly `batch_rows` rows (the last may have fewer), or of about `batch_bytes`.

    With `copied`, nobody else holds the buffers of a batch: whoever gets it may write into them.
    """

    batch_rows: int | None
    batch_bytes: int | None
    copied: bool = False
    rows: ClassVar[Rows] = "same"

    def rows_wanted(self, limit: int | None) -> int | None:
        return limit

    def run(self, streams: Sequence[Iterator[Marked]], context: RunContext) -> Iterator[Marked]:
        (stream,) = streams
        hold = context.hold()
        waiting: list[pa.RecordBatch] = []
        waiting_rows = 0
        mark = None
        # Everything before this position was handed on, and so many rows behind it.
        before, skip = context.start, context.start.step(context.step)
        try:
            for data, mark in stream:
                start = min(skip, data.num_rows)
                skip -= start
                while (room := self._room(waiting, waiting_rows, data, start)) <= data.num_rows - start:
                    waiting.append(data.slice(start, room))
                    start += room
                    behind = before.at_step(context.step, start) if start < data.num_rows else mark
                    yield Marked(_taken(waiting, copied=self.copied), behind)
                    waiting_rows = 0
                if start < data.num_rows:
                    waiting.append(compacted(data.slice(start)))
                    waiting_rows += data.num_rows - start
                before = mark
                hold.resize(sum(held_bytes(batch) for batch in waiting))
            if waiting and mark is not None:
                yield Marked(_taken(waiting, copied=self.copied), mark)
        finally:
            hold.resize(0)

    def describe(self) -> str:
        if self.batch_rows is not None:
            return f"rebatch(rows={self.batch_rows})"
        return f"rebatch(nbytes={self.batch_bytes})"

    def _room(self, waiting: list[pa.RecordBatch], waiting_rows: int, data: pa.RecordBatch, start: int) -> int:
        """Return how many rows of `data`, from `start`, fill the batch under way: at least 1."""
        if self.batch_rows is not None:
            return self.batch_rows - waiting_rows
        assert self.batch_bytes is not None
        row_bytes = max(1.0, data.nbytes / max(1, data.num_rows))
        return max(1, int((self.batch_bytes - sum(batch.nbytes for batch in waiting)) / row_bytes))


def _taken(waiting: list[pa.RecordBatch], *, copied: bool) -> pa.RecordBatch:
    """Return what waits as one batch, and let go of it: a generator holds its variables while others work."""
    first, several = waiting[0], len(waiting) > 1 or copied
    if not several or not first.num_columns:
        made = pa.concat_batches(waiting) if several else compacted(first)
        waiting.clear()
        return made
    # Column by column, so that the pieces and what they are joined to are never there at once.
    schema = first.schema
    pieces = [[batch.column(at) for batch in waiting] for at in reversed(range(len(schema)))]
    del first
    waiting.clear()
    return pa.RecordBatch.from_arrays([pa.concat_arrays(pieces.pop()) for _ in schema], schema=schema)

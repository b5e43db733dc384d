"""Put rows into a random order, so many at a time.

Rules: rows change places within their window of the input only, and the order depends on the seed and on the number of
the window alone. So every run gives the same order, and one that goes on from a checkpoint reads at most one window
again. A window is held, and once more while its rows change places.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from streamframe.batch import Marked, compacted, held_bytes
from streamframe.errors import BudgetError
from streamframe.plain_values import plain_array
from streamframe.plan.context import RunContext
from streamframe.plan.node import Rows
from streamframe.plan.quantities import human_bytes
from streamframe.transforms.ordered import Ordered

# A window, the same in its new order, and what is read ahead beside them.
_WINDOWS_PER_BUDGET = 3
# A checkpoint holds one number for a step; here that is the window's, and the rows of the batch that lie before it.
_ROW_BITS = 40


@dataclass(frozen=True, eq=False)
class Shuffle(Ordered):
    """Change the order of the rows within each window of `buffer_rows`."""

    buffer_rows: int
    seed: int
    rows: ClassVar[Rows] = "same"

    def run(self, streams: Sequence[Iterator[Marked]], context: RunContext) -> Iterator[Marked]:
        (stream,) = streams
        hold = context.hold()
        window, skip = divmod(context.start.step(context.step), 1 << _ROW_BITS)
        before = context.start
        waiting: list[pa.RecordBatch] = []
        missing = self.buffer_rows
        try:
            for data, mark in stream:
                start = min(skip, data.num_rows)
                skip -= start
                while data.num_rows - start >= missing:
                    waiting.append(data.slice(start, missing))
                    start += missing
                    made = self._shuffled(waiting, window)
                    window, waiting, missing = window + 1, [], self.buffer_rows
                    inside = start < data.num_rows
                    state = window << _ROW_BITS | (start if inside else 0)
                    yield Marked(made, (before if inside else mark).at_step(context.step, state))
                if start < data.num_rows:
                    waiting.append(compacted(data.slice(start)))
                    missing -= data.num_rows - start
                before = mark
                held = sum(held_bytes(batch) for batch in waiting)
                self._require_room(held, context)
                hold.resize(2 * held)
            if waiting:
                yield Marked(self._shuffled(waiting, window), before.at_step(context.step, window + 1 << _ROW_BITS))
        finally:
            hold.resize(0)

    def describe(self) -> str:
        return f"shuffle({self.buffer_rows}, seed={self.seed})"

    def _shuffled(self, pieces: list[pa.RecordBatch], window: int) -> pa.RecordBatch:
        rows = pa.concat_batches(pieces)
        # Sorted random numbers, as those are the same in every version of numpy.
        numbers = np.random.Philox(key=[self.seed, window]).random_raw(rows.num_rows)
        return rows.take(plain_array(np.argsort(numbers, kind="stable")))

    def _require_room(self, held: int, context: RunContext) -> None:
        memory = context.options.memory_bytes
        if held * _WINDOWS_PER_BUDGET > memory:
            raise BudgetError(
                f"{self.describe()} holds {human_bytes(held)} already, and needs that twice beside what is read, of "
                f"the {human_bytes(memory)} of the option memory",
                hint="shuffle fewer rows at a time, select fewer columns before, or raise memory.",
            )

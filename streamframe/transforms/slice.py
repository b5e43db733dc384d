"""Keep a run of consecutive rows, and stop reading behind it.

Rule: nothing is pulled once the last wanted row is out; that is what makes `limit` cheap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from streamframe.batch import Marked, compacted
from streamframe.plan.context import RunContext
from streamframe.plan.node import Rows
from streamframe.transforms.ordered import Ordered


@dataclass(frozen=True, eq=False)
class Slice(Ordered):
    """Skip `offset` rows, then keep at most `length`; None keeps all that follow."""

    offset: int
    length: int | None
    rows: ClassVar[Rows] = "subset"

    def rows_wanted(self, limit: int | None) -> int | None:
        length = min((n for n in (self.length, limit) if n is not None), default=None)
        return None if length is None else self.offset + length

    def run(self, streams: Sequence[Iterator[Marked]], context: RunContext) -> Iterator[Marked]:
        (stream,) = streams
        taken = context.start.step(context.step)
        skip = max(0, self.offset - taken)
        left = None if self.length is None else max(0, self.length - max(0, taken - self.offset))
        while left is None or left > 0:
            batch = next(stream, None)
            if batch is None:
                return
            data = batch.data
            taken += data.num_rows
            dropped = min(skip, data.num_rows)
            skip -= dropped
            data = data.slice(dropped, left)
            if data.num_rows == 0:
                continue
            if left is not None:
                left -= data.num_rows
            yield Marked(compacted(data), batch.mark.at_step(context.step, taken))

    def describe(self) -> str:
        return f"limit({self.length})" if self.offset == 0 else f"slice({self.offset}, {self.length})"

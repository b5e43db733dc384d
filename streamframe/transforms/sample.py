"""Keep a random part of the rows.

Rule: whether a row is kept depends on the seed and on its number alone, so that every run, and one that goes on from a
checkpoint, keeps the same rows, however they come in batches. The numbers are those of a counter-based generator
(Philox 4x64: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011), which can begin anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from streamframe.batch import Marked
from streamframe.plain_values import plain_array
from streamframe.plan.context import RunContext
from streamframe.plan.node import Rows
from streamframe.transforms.ordered import Ordered

# Philox makes so many numbers at each of its steps.
_PER_STEP = 4


@dataclass(frozen=True, eq=False)
class Sample(Ordered):
    """Keep each row with the probability `fraction`."""

    fraction: float
    seed: int
    rows: ClassVar[Rows] = "subset"

    def run(self, streams: Sequence[Iterator[Marked]], context: RunContext) -> Iterator[Marked]:
        (stream,) = streams
        seen = context.start.step(context.step)
        for data, mark in stream:
            kept = data.filter(plain_array(self._kept(seen, data.num_rows)))
            seen += data.num_rows
            if kept.num_rows:
                yield Marked(kept, mark.at_step(context.step, seen))

    def describe(self) -> str:
        return f"sample({self.fraction:g}, seed={self.seed})"

    def _kept(self, start: int, count: int) -> np.ndarray:
        """Tell which of the rows from number `start` on are kept."""
        if self.fraction == 1:
            return np.ones(count, bool)
        numbers = np.random.Philox(key=self.seed)
        numbers.advance(start // _PER_STEP)
        skip = start % _PER_STEP
        drawn = numbers.random_raw(skip + count)[skip:]
        return drawn < np.uint64(int(self.fraction * 2**64))

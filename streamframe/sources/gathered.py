"""Small blocks of several files, decoded as one: what is done for each batch, whatever its size, is done less often.

Rule: records are counted block by block, so that marks, errors and rejects know their file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import pyarrow as pa

from streamframe.batch import Mark, rows_without_columns
from streamframe.errors import without_frames
from streamframe.plan.source import Block, Decoded

_NO_ROWS = rows_without_columns(0)


class GatheredBlock(Block):
    """Blocks on end, each of them small.

    Where one cannot be decoded, or has rows of other types, those before it are handed on first.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._left = deque(blocks)
        self._ready: Decoded | None = None
        self._failure: Exception | None = None
        self._tried = False
        self.nbytes = sum(block.nbytes for block in blocks)
        # Of the first that is left: what goes wrong, goes wrong there.
        self.part, self.label = blocks[0].part, blocks[0].label

    def decode(self) -> Decoded:
        return self._as_one() or self._one_by_one()

    def _as_one(self) -> Decoded | None:
        if self._tried:
            return None
        self._tried = True
        blocks = list(self._left)
        try:
            joined = blocks[0].decode_with(blocks[1:])
        except Exception:
            # Which of them fails, and where, is told one by one.
            return None
        if joined is None:
            return None
        self._left.clear()
        each = tuple((block, Decoded(_NO_ROWS, rows)) for block, rows in zip(blocks, joined.rows, strict=True))
        return Decoded(joined.data, sum(joined.rows), each=each)

    def _one_by_one(self) -> Decoded:
        made: list[Decoded] = []
        each: list[tuple[Block, Decoded]] = []
        while self._left:
            one = self._next(first=not made)
            if one is None or (made and not one.data.schema.equals(made[0].data.schema)):
                self._ready = one
                break
            made.append(one)
            each.append((self._left[0], one._replace(data=_NO_ROWS)))
            if one.more:
                break
            self._left.popleft()
        if self._left:
            self.part, self.label = self._left[0].part, self._left[0].label
        data = made[0].data if len(made) == 1 else pa.concat_batches([one.data for one in made])
        return Decoded(data, sum(one.records for one in made), more=bool(self._left), each=tuple(each))

    def mark(self, rows: int) -> Mark:
        raise TypeError("each of the blocks has a mark of its own")

    def _next(self, *, first: bool) -> Decoded | None:
        """Return what the next block decodes to; None if it cannot be, and is not the first."""
        ready, self._ready = self._ready, None
        if ready is not None:
            return ready
        try:
            if self._failure is not None:
                raise self._failure
            return self._left[0].decode()
        except Exception as error:
            if first:
                raise
            self._failure = without_frames(error)
            return None

"""Decode a block, apply the rowwise steps to it, and count rows, so that errors can name them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.batch import Mark, held_bytes
from streamframe.errors import DecodeError, StreamError
from streamframe.plain_values import plain_scalar
from streamframe.plan.source import REJECTS, Block, Decoded

Apply = Callable[[pa.RecordBatch], pa.RecordBatch]
TakeRejects = Callable[[pa.RecordBatch, int], object]


class BlockFailed(Exception):  # noqa: N818 - a carrier, never seen by users
    """Carries an error to where it is known how many rows came before its block."""

    def __init__(self, error: StreamError, block: Block) -> None:
        super().__init__(str(error))
        self.error = error
        self.block = block


def decoded(block: Block, steps: Sequence[Apply]) -> Decoded:
    """Return what a block decodes to, after the steps; `records` counts what was there before them.

    Raises
    ------
    BlockFailed
        Around any `StreamError`.
    """
    try:
        made = _decode(block)
        data = made.data
        for step in steps:
            data = step(data)
    except StreamError as error:
        raise BlockFailed(error, block) from error
    growth = held_bytes(data) / max(1, held_bytes(made.data), block.nbytes) if steps else 1.0
    return made._replace(data=data, growth=growth)


class Rejected:
    """What could not be read in a run, and in those that it goes on behind: counted, and handed to whoever takes it.

    Parameters
    ----------
    start : Mark
        Where the run begins.
    wanted : bool
        Somebody will take it. A plan with functions is run up to its first batch before anybody can, to learn the
        columns: what is found in that waits.
    """

    def __init__(self, start: Mark, *, wanted: bool = False) -> None:
        self.records = start.rejected
        self.nulled = start.nulled
        self._waiting: list[tuple[pa.RecordBatch, int]] = []
        self._take: TakeRejects | None = self._wait if wanted else None

    def hand_to(self, take: TakeRejects) -> None:
        """Hand over batches of `REJECTS`, in input order, each with how many records are left out up to its end."""
        self._take = take
        for batch, records in self._waiting:
            take(batch, records)
        self._waiting.clear()

    def add(self, made: Decoded, rows_before: int) -> None:
        """Count what one block has; its rows are behind so many of its part."""
        self.records += made.rejected
        self.nulled += made.nulled
        if made.rejects is not None and self._take is not None:
            at = REJECTS.get_field_index("row")
            rows = pc.add(made.rejects.column(at), plain_scalar(rows_before))
            self._take(made.rejects.set_column(at, REJECTS.field(at), rows), self.records)

    def _wait(self, batch: pa.RecordBatch, records: int) -> None:
        self._waiting.append((batch, records))


class RowCounts:
    """How many rows of each part have been handed on; `rejected` takes note of those that cannot be read."""

    def __init__(self, rejected: Rejected, start: Mark | None = None) -> None:
        self._rows: Counter[int] = Counter() if start is None else Counter({start.part: start.rows})
        self._rejected = rejected

    def mark_behind(self, block: Block, made: Decoded) -> Mark:
        """Count a block's records; return the mark behind it."""
        for one, its in made.each or ((block, made),):
            self._rejected.add(its, self._rows[one.part])
            self._rows[one.part] += its.records
        mark, counted = one.mark(self._rows[one.part]), self._rejected
        if not (counted.records or counted.nulled):
            return mark
        return replace(mark, rejected=counted.records, nulled=counted.nulled)

    def located(self, failed: BlockFailed) -> StreamError:
        """Return the error of a block, with its part, and its row counted from the part's start."""
        error, block = failed.error, failed.block
        if error.row is not None:
            error.row += self._rows[block.part]
        return error.locate(source=block.label, part=block.part)


def _decode(block: Block) -> Decoded:
    try:
        return block.decode()
    except pa.ArrowException as error:
        # Formats translate what they expect; no error of Arrow's gets past here untranslated.
        raise DecodeError(f"a block cannot be decoded: {error}") from error

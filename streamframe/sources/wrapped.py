"""A reader around another: the same blocks, with something done to what they decode to.

Rule: what is done may depend on how many rows of the file came before. Blocks are decoded side by side, so each then
waits until those before it have told how many rows they hold.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

from streamframe.batch import Mark
from streamframe.errors import DecodeError
from streamframe.plan.report import Completeness
from streamframe.plan.source import Block, BlockReader, Decoded

# What becomes of a block, behind so many rows.
Change = Callable[[Decoded, int], Decoded]


class WrappedReader(BlockReader):
    """The blocks of another reader, changed.

    Parameters
    ----------
    reader
        Owned from now on.
    change
        What is done to each block, in the pool.
    rows
        Counts the rows before each; None where `change` need not know, and is told 0.
    """

    def __init__(self, reader: BlockReader, change: Change, rows: RowsBefore | None) -> None:
        self._reader = reader
        self._change = change
        self._rows = rows

    @property
    def bytes_read(self) -> int:
        return self._reader.bytes_read

    @property
    def bytes_total(self) -> int | None:
        return self._reader.bytes_total

    @property
    def file_bytes(self) -> int | None:
        return self._reader.file_bytes

    @property
    def bytes_again(self) -> int:
        return self._reader.bytes_again

    @property
    def retries(self) -> int:
        return self._reader.retries

    @property
    def completeness(self) -> Completeness:
        return self._reader.completeness

    @property
    def pending(self) -> bool:
        return self._reader.pending

    def next_bytes(self) -> int:
        return self._reader.next_bytes()

    def next_block(self) -> Block | None:
        block = self._reader.next_block()
        return None if block is None else WrappedBlock(block, self._change, self._rows)

    def close(self) -> None:
        self._reader.close()


class RowsBefore:
    """How many rows of a file lie before the block whose turn it is; shared by all files of a run."""

    def __init__(self, start: Mark | None = None) -> None:
        self._turn = threading.Condition()
        self._numbered = 0
        self._block = 0
        self._part = -1 if start is None else start.part
        self._rows = 0 if start is None else start.rows
        # The first block that failed: those before it are decoded all the same.
        self._failed: float = math.inf

    def number(self) -> int:
        """Return the number of the next block; the reader thread calls this, in order."""
        self._numbered += 1
        return self._numbered - 1

    @property
    def is_waited_for(self) -> bool:
        """Some blocks have a number, and their turn has not come."""
        return self._block < self._numbered and self._failed == math.inf

    def take(self, block: int, part: int, rows: int, *, more: bool) -> int:
        """Wait for the turn of a block, count its rows, and return how many of its file were before them."""
        with self._turn:
            # Those before were handed to the pool earlier, so one of them is always at work.
            self._turn.wait_for(lambda: self._block == block or self._failed < block)
            if self._failed < block:
                raise DecodeError("a block before this one could not be decoded")
            if part != self._part:
                self._part, self._rows = part, 0
            before = self._rows
            self._rows += rows
            self._block += 0 if more else 1
            self._turn.notify_all()
        return before

    def fail(self, block: int) -> None:
        """Let the blocks behind this one fail: its rows cannot be counted."""
        with self._turn:
            self._failed = min(self._failed, block)
            self._turn.notify_all()

    def give_up(self) -> None:
        """Let all blocks fail that wait for their turn: those before them may have been cancelled."""
        self.fail(-1)


class WrappedBlock(Block):
    """A block, with what is done to it."""

    def __init__(self, block: Block, change: Change, rows: RowsBefore | None) -> None:
        self.block = block
        self._change = change
        self._rows = rows
        self._number = rows.number() if rows is not None else 0
        self.nbytes = block.nbytes
        self.part = block.part
        self.label = block.label

    def decode(self) -> Decoded:
        try:
            made = self.block.decode()
        except BaseException:
            if self._rows is not None:
                self._rows.fail(self._number)
            raise
        before = 0
        if self._rows is not None:
            before = self._rows.take(self._number, self.part, made.records, more=made.more)
        return self._change(made, before)

    def mark(self, rows: int) -> Mark:
        return self.block.mark(rows)

"""The blocks of one file behind those of another.

Rules: a file is opened when the one before it is read to its end, and closed when its last block is decoded. Small
ones on end become one block: two, then four, and so on, so that the first rows are not kept waiting.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from streamframe.errors import without_frames
from streamframe.plan.report import Completeness, worst
from streamframe.plan.source import Block, BlockReader
from streamframe.sources.gathered import GatheredBlock
from streamframe.sources.wrapped import RowsBefore

# More at once spare little more.
_MOST_GATHERED = 64
# A file is small that has such a part of what is gathered, or less.
_SMALL = 4
# Blocks hold more than is on disk.
_HELD = 4


class FilesReader(BlockReader):
    """The blocks of one file after another.

    Parameters
    ----------
    files
        Open them, one by one.
    rows
        Counts the rows of each.
    single
        There is one file.
    gathered_bytes : int
        About how much of small files is gathered, as it is on disk; 0 where one may keep those before it waiting.
    """

    def __init__(
        self,
        files: Iterator[Callable[[], BlockReader]],
        rows: RowsBefore,
        *,
        single: bool,
        gathered_bytes: int = 0,
    ) -> None:
        open_first = next(files, None)
        self._first = self._current = open_first() if open_first is not None else _NoRows()
        self._rest = files
        self._rows = rows
        self._single = single
        self._gathered_bytes = gathered_bytes
        self._gathered = 1
        self._failure: Exception | None = None
        self._lock = threading.Lock()
        self._closed = False
        # Read to their ends, but some of their blocks are not decoded yet.
        self._finished: list[BlockReader] = []
        self._bytes_before = 0
        self._retries_before = 0
        self._completeness_before: Completeness = "verified"

    @property
    def bytes_read(self) -> int:
        return self._bytes_before + self._current.bytes_read

    @property
    def bytes_total(self) -> int | None:
        return self._current.bytes_total if self._single else None

    @property
    def bytes_again(self) -> int:
        # Only the first is entered in its middle.
        return self._first.bytes_again

    @property
    def retries(self) -> int:
        return self._retries_before + self._current.retries

    @property
    def completeness(self) -> Completeness:
        return worst([self._completeness_before, self._current.completeness])

    def next_bytes(self) -> int:
        return self._current.next_bytes()

    def next_block(self) -> Block | None:
        if self._failure is not None:
            raise self._failure
        self._close_finished()
        block = self._next()
        if block is None or not self._is_small():
            return block
        blocks, most, held = [block], self._bytes_before + self._gathered_bytes, block.nbytes
        try:
            while self.bytes_read < most and held < _HELD * self._gathered_bytes and len(blocks) < self._gathered:
                file = self._current
                block = self._next(only_small=True)
                if block is None:
                    break
                blocks.append(block)
                held += block.nbytes
                if self._current is file:
                    # More came out of it than fits into one block: so may more.
                    break
        except Exception as error:
            # Raised when those before it have been handed on.
            self._failure = without_frames(error)
        self._gathered = min(2 * self._gathered, _MOST_GATHERED)
        return blocks[0] if len(blocks) == 1 else GatheredBlock(blocks)

    def _next(self, *, only_small: bool = False) -> Block | None:
        """Return the next block; None at the end, or before a file that is not small."""
        while (block := self._current.next_block()) is None:
            if not self._open_next() or (only_small and not self._is_small()):
                return None
        return block

    def _is_small(self) -> bool:
        size = self._current.file_bytes
        return size is not None and size * _SMALL <= self._gathered_bytes

    def _open_next(self) -> bool:
        open_next = next(self._rest, None)
        if open_next is None or self._closed:
            return False
        finished, opened = self._current, open_next()
        with self._lock:
            self._bytes_before += finished.bytes_read
            self._retries_before += finished.retries
            self._completeness_before = worst([self._completeness_before, finished.completeness])
            self._finished.append(finished)
            if not self._closed:
                self._current = opened
                return True
        opened.close()
        return False

    def _close_finished(self) -> None:
        """Close the files that were read to their ends and have no blocks left to be decoded."""
        with self._lock:
            pending = [one.pending for one in self._finished]
            done = [one for one, is_pending in zip(self._finished, pending, strict=True) if not is_pending]
            self._finished = [one for one, is_pending in zip(self._finished, pending, strict=True) if is_pending]
        for one in done:
            one.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            left = [*self._finished, self._current]
        for reader in left:
            reader.close()
        self._rows.give_up()


class _NoRows(BlockReader):
    """What is left where no file can match."""

    @property
    def bytes_read(self) -> int:
        return 0

    def next_bytes(self) -> int:
        return 0

    def next_block(self) -> None:
        return None

    def close(self) -> None:
        pass

"""The blocks of one file behind those of another.

Rule: a file is opened when the one before it is read to its end, and closed when its last block is decoded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from streamframe.plan.report import Completeness, worst
from streamframe.plan.source import Block, BlockReader
from streamframe.sources.wrapped import RowsBefore


class FilesReader(BlockReader):
    """The blocks of one file after another."""

    def __init__(self, files: Iterator[Callable[[], BlockReader]], rows: RowsBefore, *, single: bool) -> None:
        open_first = next(files, None)
        self._first = self._current = open_first() if open_first is not None else _NoRows()
        self._rest = files
        self._rows = rows
        self._single = single
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
        while (block := self._current.next_block()) is None:
            open_next = next(self._rest, None)
            if open_next is None or self._closed:
                return None
            finished, opened = self._current, open_next()
            with self._lock:
                self._bytes_before += finished.bytes_read
                self._retries_before += finished.retries
                self._completeness_before = worst([self._completeness_before, finished.completeness])
                self._current = opened
                self._finished.append(finished)
                done = [one for one in self._finished if self._closed or not one.pending]
                self._finished = [one for one in self._finished if one not in done]
                if self._closed:
                    done.append(opened)
            for one in done:
                one.close()
            if opened in done:
                return None
        return block

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

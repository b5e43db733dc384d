"""Small files of which all rows are at hand: many of them are one piece of work, which the pool does from end to end.

Rules: rows come in the order of their files, so that a format makes the text of all at once, say. A piece of work opens
one file after another; what fails in one takes that file with it, and the directory's `abort` the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import pyarrow as pa

from streamframe.formats.base import FileEncoding
from streamframe.io.atomic_directory import AtomicDirectory
from streamframe.plan.context import RunContext
from streamframe.sinks.manifest import FileEntry

# Rows in memory. Beyond that, a file is worth an encoder of its own, which works in several threads.
_SMALL_FILE_BYTES = 512 << 10
# A piece of work: worth a hand-over, and still one of many.
_WORK_BYTES = 256 << 10
_WORK_FILES = 32
# Text may take so many times the bytes that its values take in memory, and a value at least so many.
_LARGEST_RATIO = 64
_VALUE_BYTES = 40


def is_small(rows: pa.RecordBatch, nbytes: int, most_bytes: int | None) -> bool:
    """Tell whether rows of about `nbytes` make a small file, and in no case one that is larger than `most_bytes`."""
    if nbytes > _SMALL_FILE_BYTES or most_bytes is None:
        return nbytes <= _SMALL_FILE_BYTES
    return bool(rows.nbytes * _LARGEST_RATIO + least_room(rows) <= most_bytes)


def least_room(rows: pa.RecordBatch) -> int:
    """Return the bytes that rows may take in any format, however short their values are in memory."""
    count: int = rows.num_rows
    return count * sum(len(name.encode()) + _VALUE_BYTES for name in rows.schema.names)


class SmallFiles:
    """Writes small files; `put` gets them when they are complete, on the thread that hands them over."""

    def __init__(
        self,
        directory: AtomicDirectory,
        encoding: FileEncoding,
        schema: pa.Schema,
        context: RunContext,
        put: Callable[[list[FileEntry]], object],
    ) -> None:
        self._directory = directory
        self._encoding = encoding
        self._schema = schema
        self._work = context.in_order(put)
        # Of one that is open: a compressor's tables.
        self._open_bytes = encoding.open_bytes(schema)
        # Those that wait: neighbours in one batch, and where each begins and ends.
        self._rows: pa.RecordBatch | None = None
        self._ends: list[int] = []
        self._names: list[str] = []
        self._nbytes = 0

    def write(self, name: str, rows: pa.RecordBatch, start: int, end: int, nbytes: int) -> None:
        """Write a file with some of the rows, of about so many bytes; until `flush`, it may wait for more of them."""
        if rows is not self._rows or start != self._ends[-1]:
            self.flush()
            self._rows, self._ends = rows, [start]
        self._names.append(name)
        self._ends.append(end)
        self._nbytes += nbytes
        if self._nbytes >= _WORK_BYTES or len(self._names) == _WORK_FILES:
            self.flush()

    def flush(self) -> None:
        """Have all files written that wait."""
        if self._rows is None:
            return
        start, *ends = self._ends
        rows = self._rows.slice(start, ends[-1] - start)
        work = partial(self._written, self._names, rows, [end - start for end in ends])
        # The rows, and what they become.
        self._work.add(work, 2 * max(self._nbytes, _WORK_BYTES) + self._open_bytes)
        self._forget()

    def _forget(self) -> None:
        self._rows = None
        self._ends, self._names, self._nbytes = [], [], 0

    def finish(self) -> None:
        """Wait until all are complete."""
        self._work.finish()

    def abort(self) -> None:
        """Give up those that are not begun, and wait for the others."""
        self._forget()
        self._work.abort()

    def _written(self, names: Sequence[str], rows: pa.RecordBatch, ends: Sequence[int]) -> list[FileEntry]:
        labels = [f"{self._directory.label}/{name}" for name in names]
        made = self._encoding.small_files(self._schema, rows, ends, labels)
        entries = []
        for name, data, (start, end) in zip(names, made, pairwise([0, *ends]), strict=True):
            with self._directory.create(name) as file:
                file.write(data)
                entries.append(FileEntry(name, end - start, file.commit(), file.sha256))
        return entries

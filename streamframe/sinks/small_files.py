"""Small files of which all rows are at hand: many of them are one piece of work, which the pool does from end to end.

Rules: rows come in the order of their files, so that a format makes the text of all at once, say. A piece of work opens
one file after another; what fails in one takes that file with it, and the directory's `abort` the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

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


def is_small(rows: pa.RecordBatch, nbytes: float, most_bytes: int | None) -> bool:
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

    def write(self, names: Sequence[str], rows: pa.RecordBatch, ends: Sequence[int]) -> None:
        """Write each file with the rows from the end of the one before to its own."""
        first = start = 0
        row_bytes = rows.nbytes / max(rows.num_rows, 1)
        for last, end in enumerate(ends, 1):
            nbytes = int((end - start) * row_bytes)
            if nbytes >= _WORK_BYTES or last - first == _WORK_FILES or last == len(ends):
                ends_here = [each - start for each in ends[first:last]]
                work = partial(self._written, names[first:last], rows.slice(start, end - start), ends_here)
                # The rows, and what they become.
                self._work.add(work, 2 * max(nbytes, _WORK_BYTES) + self._open_bytes)
                first, start = last, end

    def finish(self) -> None:
        """Wait until all are complete."""
        self._work.finish()

    def abort(self) -> None:
        """Give up those that are not begun, and wait for the others."""
        self._work.abort()

    def _written(self, names: Sequence[str], rows: pa.RecordBatch, ends: Sequence[int]) -> list[FileEntry]:
        made = self._encoding.small_files(
            self._schema, rows, ends, [f"{self._directory.label}/{name}" for name in names]
        )
        entries = []
        start = 0
        for name, end, data in zip(names, ends, made, strict=True):
            with self._directory.create(name) as file:
                file.write(data)
                entries.append(FileEntry(name, end - start, file.commit(), file.sha256))
            start = end
        return entries

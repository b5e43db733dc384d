"""The files of a directory while they are written: when one is begun, flushed, full and closed.

Rules:
* So many are open at most; the one that was written to least recently is closed, and a new one begun when
  its folder gets more rows.
* A file is full by the bytes that are really in it: near the limit, what its encoder keeps is written, and
  then it is measured, with the footer that is still to come. It ends near nine tenths of `max_file_bytes`; only what a
  compressor keeps to itself, a footer that is a good part of the file, or a row that is larger can bring it above.
* When a file is full, the run's position says which rows are in it and in those before: where there are no folders, all
  rows before the position are in complete files.
* What all encoders keep together is a share of the budget: beyond it, those that keep most write it.
"""

from __future__ import annotations

import contextlib
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import pyarrow as pa

from streamframe.batch import compacted
from streamframe.errors import SinkError
from streamframe.formats.base import Encoder, FileEncoding
from streamframe.io.atomic_directory import AtomicDirectory, PartFile
from streamframe.plan.checkpoint import Checkpoint
from streamframe.plan.context import InOrder, RunContext
from streamframe.sinks.layout import Layout
from streamframe.sinks.manifest import FileEntry
from streamframe.sinks.small_files import SmallFiles, is_small, least_room

_ENCODERS_PER_BUDGET = 4
# Closing a file waits for the disk, which is worth a hand-over.
_CLOSING_BYTES = 64 << 10
# They are open as well.
_CLOSING_FILES = 16
# What an encoder keeps of a part, from where on it is worth to be encoded beside that of others.
_MUCH_BYTES = 1 << 20
_FULL = 0.88
# A Parquet file gets a footer as well.
_AIM = 0.9
# Bytes in a file for a byte in memory: nothing is known yet, so the first file is measured early.
_UNKNOWN_RATIO = 8.0
_LEAST_RATIO = 0.02
# What is measured first may be little, other than what is to come, or still in a compressor. So a file is filled by
# steps, each of at most so many times as many rows as the one before.
_RATIO_STEP = 4


class Parts:
    """All files of one export."""

    def __init__(
        self,
        directory: AtomicDirectory,
        encoding: FileEncoding,
        schema: pa.Schema,
        context: RunContext,
        layout: Layout,
        kept_bytes: int,
    ) -> None:
        self._directory = directory
        self._encoding = encoding
        self._schema = schema
        self._context = context
        self._layout = layout
        self._open: OrderedDict[str, _Part] = OrderedDict()
        self._next_number: Counter[str] = Counter()
        self._share_bytes = context.options.memory_bytes // _ENCODERS_PER_BUDGET
        # An upload or a compressor may keep a good deal in memory, so fewer are open at once.
        open_bytes = directory.file_bytes + encoding.open_bytes(schema)
        # What takes more than its share tells so itself.
        self._many_at_once = encoding.many_at_once and open_bytes <= self._share_bytes
        self.max_open = max(1, min(layout.max_open_files, self._share_bytes // open_bytes))
        self._hold = context.hold()
        self.entries: list[FileEntry] = []
        self._closing: InOrder[_Complete] = context.in_order(self._closed)
        self._small = SmallFiles(directory, encoding, schema, context, self.entries.extend)
        # Those that others see to, the oldest first.
        self._ending: deque[_Part] = deque()
        self._ratio, self._measured = _UNKNOWN_RATIO, False
        # In files that are full, those of runs before as well.
        self._full_bytes = kept_bytes
        self._positioned = layout.resume and not layout.partition_by
        self.position: Checkpoint | None = None

    def is_open(self, folder: str) -> bool:
        """Whether rows for this folder need no new file."""
        return folder in self._open

    def write(self, folder: str, rows: pa.RecordBatch) -> None:
        """Write rows behind the others of their folder."""
        part = self._part(folder)
        given = rows.num_rows
        if not self._measured and self._layout.max_file_bytes is not None:
            self._ratio = max(self._ratio, least_room(rows) / max(rows.nbytes, 1))
        while rows.num_rows:
            fit = self._fit(part, rows)
            part.write(rows if fit >= rows.num_rows else compacted(rows.slice(0, fit)))
            rows = rows.slice(fit)
            if self._full(part):
                self._close(folder, given - rows.num_rows)
                if rows.num_rows:
                    part = self._part(folder)
        self._stay_within_share()
        self._closing.put_done()

    def write_whole(self, folders: Sequence[str], rows: pa.RecordBatch, ends: Sequence[int]) -> None:
        """Write rows of many folders, those of each up to its end: they get no others before `finish`."""
        # Of each by itself, Arrow takes longer to tell than to write it.
        row_bytes = rows.nbytes / max(rows.num_rows, 1)
        for folder, (start, end) in zip(folders, pairwise([0, *ends]), strict=True):
            piece, nbytes = rows.slice(start, end - start), int((end - start) * row_bytes)
            if self._is_small(folder, piece, nbytes):
                self._small.write(self._new_name(folder), rows, start, end, nbytes)
            else:
                self.write(folder, compacted(piece))
        self._small.flush()

    def begin(self, folder: str) -> None:
        """Begin a file, which may get no rows."""
        self._part(folder)

    def finish(self) -> None:
        """Complete all files; more may be begun afterwards."""
        for part in self._open.values():
            # Encoded at once; what is little is part of what is done beside this thread.
            if part.unsettled_bytes >= _MUCH_BYTES:
                part.encoder.flush()
        for folder in list(self._open):
            self._close(folder)
        self._closing.finish()
        self._small.finish()

    def settle(self) -> None:
        """Wait until those that are full are complete."""
        self._closing.finish()

    def abort(self) -> None:
        """Give up; nothing waits and no file is open afterwards."""
        self._small.abort()
        self._closing.abort()
        while self._open or self._ending:
            part = self._open.popitem()[1] if self._open else self._ending.pop()
            try:
                # Arrow ends a file in any case, for which the disk may be too full.
                with contextlib.suppress(SinkError):
                    part.encoder.abort()
            finally:
                part.file.abort()
        self._hold.resize(0)

    def _is_small(self, folder: str, rows: pa.RecordBatch, nbytes: int) -> bool:
        if folder in self._open or not self._many_at_once:
            return False
        most_rows = self._layout.max_rows_per_file
        if most_rows is not None and rows.num_rows > most_rows:
            return False
        return is_small(rows, nbytes, self._layout.max_file_bytes)

    def _part(self, folder: str) -> _Part:
        part = self._open.get(folder)
        if part is None:
            if len(self._open) >= self.max_open:
                self._close(next(iter(self._open)))
            name = self._new_name(folder)
            file = self._directory.create(name)
            try:
                encoder = self._encoding.start(file, self._schema, self._context)
                part = _Part(name, file, encoder, self._layout.most_bytes(self._full_bytes))
            except BaseException:
                file.abort()
                raise
            self._open[folder] = part
            self._hold.resize(len(self._open) * self._directory.file_bytes)
        self._open.move_to_end(folder)
        return part

    def _new_name(self, folder: str) -> str:
        while True:
            number = self._next_number[folder]
            self._next_number[folder] += 1
            name = f"{folder}/part-{number:05d}{self._encoding.suffix}".lstrip("/")
            if name not in self._directory.taken:
                return name

    def _fit(self, part: _Part, rows: pa.RecordBatch) -> int:
        """Return how many of the rows go into this file, at least one."""
        fit: int = rows.num_rows
        if self._layout.max_rows_per_file is not None:
            fit = min(fit, self._layout.max_rows_per_file - part.rows)
        if part.most_bytes is not None:
            room_bytes = _AIM * part.most_bytes - part.expected_bytes(self._ratio)
            fit = min(fit, int(room_bytes / self._ratio * rows.num_rows / max(rows.nbytes, 1)))
        return max(fit, 1)

    def _full(self, part: _Part) -> bool:
        if part.rows == self._layout.max_rows_per_file:
            return True
        most = part.most_bytes
        if most is None or part.expected_bytes(self._ratio) < _FULL * most:
            return False
        self._ratio = max(part.measured(), self._ratio / _RATIO_STEP, _LEAST_RATIO)
        self._measured = True
        return part.file.tell() + part.encoder.end_bytes >= _FULL * most

    def _stay_within_share(self) -> None:
        kept = sum(part.unsettled_bytes for part in self._open.values())
        # A single encoder keeps to its own measure.
        if len(self._open) == 1 or kept <= self._share_bytes:
            return
        chosen = []
        for part in sorted(self._open.values(), key=lambda part: part.unsettled_bytes, reverse=True):
            if kept <= self._share_bytes // 2:
                break
            kept -= part.unsettled_bytes
            chosen.append(part)
        _settle(chosen)

    def _close(self, folder: str, rows: int | None = None) -> None:
        # It stays in sight until it is complete: what fails in between is aborted with the rest.
        part = self._open[folder]
        rest = part.encoder.finish_beside()
        self._full_bytes += part.file.tell()
        position = self._context.position(rows) if self._positioned else None
        self._ending.append(part)
        self._closing.add(partial(_completed, part, rest, position), _CLOSING_BYTES)
        self._open.pop(folder)
        if len(self._ending) >= _CLOSING_FILES:
            self._closing.finish()

    def _closed(self, complete: _Complete) -> None:
        self._ending.popleft()
        self.entries.append(complete.entry)
        self.position = complete.position


class _Part:
    """One file, and what its encoder was given."""

    def __init__(self, name: str, file: PartFile, encoder: Encoder, most_bytes: int | None) -> None:
        self.name = name
        self.file = file
        self.encoder = encoder
        self.most_bytes = most_bytes
        self.rows = 0
        self.unsettled_bytes = 0
        self._settled_bytes = 0
        self._file_bytes = 0  # when it was settled last

    def write(self, rows: pa.RecordBatch) -> None:
        self.rows += rows.num_rows
        self.unsettled_bytes += rows.nbytes
        self.encoder.write(rows)

    def expected_bytes(self, ratio: float) -> float:
        return max(self.file.tell(), self._file_bytes + self.unsettled_bytes * ratio) + self.encoder.end_bytes

    def settled(self) -> None:
        self._settled_bytes += self.unsettled_bytes
        self.unsettled_bytes = 0
        self._file_bytes = self.file.tell()

    def measured(self) -> float:
        """Settle, and return the bytes in the file for a byte in memory."""
        before, latest = self._file_bytes, self.unsettled_bytes
        _settle([self])
        # What comes last is least worth compressing: small row groups are.
        return max(self._file_bytes / max(self._settled_bytes, 1), (self._file_bytes - before) / max(latest, 1))


def _settle(parts: Iterable[_Part]) -> None:
    """Have encoders write what they keep, all at once, and wait for it."""
    parts = list(parts)
    for part in parts:
        part.encoder.flush()
    for part in parts:
        part.encoder.settle()
        part.settled()


class _Complete(NamedTuple):
    entry: FileEntry
    position: Checkpoint | None


def _completed(part: _Part, rest: Callable[[], object], position: Checkpoint | None) -> _Complete:
    rest()
    return _Complete(FileEntry(part.name, part.rows, part.file.commit(), part.file.sha256), position)

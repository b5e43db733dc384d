"""What could not be read, kept beside the files of a directory for a run that goes on behind them.

Rules:
* A user's file of rejects is one file, which is new as a whole at the end. So what a stopped run has found is kept
  here, in files of the directory that no reader takes for data, and the run that goes on writes it to that file again.
* What is saved with a position is what lies before it, and nothing else: the rest is found once more from there. How
  much that is, the position says; it counts the records that are left out.
* What is not saved yet waits on disk.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa

from streamframe.errors import SinkError
from streamframe.formats.ipc import IpcEncoding
from streamframe.io.atomic_directory import AtomicDirectory
from streamframe.plan.checkpoint import Checkpoint
from streamframe.plan.context import RunContext, Spill
from streamframe.plan.source import REJECTS
from streamframe.sinks.manifest import FileEntry

# A leading underscore: readers take nothing in such a folder for data. None of ours ends as a file of data does.
_NAME = "_rejects/part-{:05d}.arrows"
_ENCODING = IpcEncoding("zstd", stream=True)
# They are read as a whole.
_FILE_BYTES = 8 << 20


class KeptRejects:
    """The rejects of one export, in files that are complete, and behind those.

    Parameters
    ----------
    directory
        Where they are kept.
    saved : sequence of FileEntry
        What this export has completed in runs before.
    old : sequence of FileEntry
        What an export has kept that this one goes on behind; written anew with what is found here.
    """

    def __init__(self, directory: AtomicDirectory, saved: Sequence[FileEntry], old: Sequence[FileEntry]) -> None:
        self._directory = directory
        self._old = tuple(old)
        self._waiting: deque[_Waiting] = deque()
        self._spill: Spill | None = None
        self._closing = contextlib.ExitStack()
        self._next_number = 0
        self.entries = tuple(saved)

    def before(self, context: RunContext) -> Iterator[pa.RecordBatch]:
        """Yield what was found by the runs before this one."""
        for entry in self.entries:
            yield from self._read(entry)
        for entry in self._old:
            for batch in self._read(entry):
                self.add(batch, 0, context)
                yield batch

    def add(self, batch: pa.RecordBatch, records: int, context: RunContext) -> None:
        """Take what was found behind the rest; so many records are left out with it."""
        if self._spill is None:
            self._spill = self._closing.enter_context(context.spill())
        self._waiting.append(_Waiting(records, self._spill.write(batch)))

    def complete(self, position: Checkpoint | None, context: RunContext) -> None:
        """Write what lies before a position into complete files."""
        while position is not None and self._waiting and self._waiting[0].records <= position.mark.rejected:
            self._complete_file(position.mark.rejected, context)

    def close(self) -> None:
        """Give the disk back; safe to call twice."""
        self._waiting.clear()
        self._closing.close()

    def _complete_file(self, most_records: int, context: RunContext) -> None:
        assert self._spill is not None
        name = self._new_name()
        rows = taken = nbytes = 0
        with contextlib.ExitStack() as failing:
            file = self._directory.create(name)
            failing.callback(file.abort)
            encoder = _ENCODING.start(file, REJECTS, context)
            failing.callback(encoder.abort)
            for each in self._waiting:
                if each.records > most_records or nbytes >= _FILE_BYTES:
                    break
                batch = self._spill.read(each.number)
                encoder.write(batch)
                rows, taken, nbytes = rows + batch.num_rows, taken + 1, nbytes + batch.nbytes
            encoder.finish()
            entry = FileEntry(name, rows, file.commit(), file.sha256)
            failing.pop_all()
        for _ in range(taken):
            self._waiting.popleft()
        self.entries += (entry,)

    def _new_name(self) -> str:
        while True:
            name = _NAME.format(self._next_number)
            self._next_number += 1
            if name not in self._directory.taken:
                return name

    def _read(self, entry: FileEntry) -> Iterator[pa.RecordBatch]:
        data = self._directory.read(entry.path)
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise SinkError(
                f"{entry.path} of {self._directory.label} is not what was written there",
                source=self._directory.label,
                hint="the same export without resume=True begins anew.",
            )
        with pa.ipc.open_stream(pa.py_buffer(data)) as batches:
            yield from batches


class _Waiting(NamedTuple):
    # Left out of the run, and of those before it, with this batch.
    records: int
    number: int

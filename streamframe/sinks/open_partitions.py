"""Batches handed out to the folders that their keys name.

Rules:
* Batches are gathered to a share of the budget first. Where there are more folders than files may be open, those
  with many rows are written, and the rows of the others go to a spill, sorted into buckets, until the end: so their
  files are whole too, instead of many small ones. A folder whose rows have gone there once stays there: its rows
  keep their order.
* To save what is complete, all that is gathered and set aside is written, and all files are completed.
"""

from __future__ import annotations

import contextlib
import zlib
from itertools import pairwise

import numpy as np
import pyarrow as pa

from streamframe.batch import compacted, held_bytes
from streamframe.plan.context import RunContext, Spill
from streamframe.plan.sink import OpenSink, Written
from streamframe.sinks.open_directory import OpenDirectory
from streamframe.sinks.partitioning import Partitioning, in_groups

# Gathered rows are there twice while they are handed out, and their encoders keep a quarter.
_GATHERED_PER_BUDGET = 8
_BUCKETS = 64
# Rows of a folder. Less is written faster at the end, with those of others.
_WORTH_OPEN_BYTES = 64 << 10
# To save, all open files are completed, and each folder gets a new one afterwards: so that is done after so many bytes
# of rows, and more where they go into many folders.
_SAVED_BYTES = 256 << 20
_WORTH_A_FILE_BYTES = 1 << 20


class OpenPartitions(OpenSink):
    """A directory whose files are written side by side, folder by folder."""

    def __init__(self, opened: OpenDirectory, partitioning: Partitioning, context: RunContext) -> None:
        self._opened = opened
        self._parts = opened.parts
        self._partitioning = partitioning
        self._context = context
        self._resume = opened.resume
        self._hold = context.hold()
        self._room_bytes = context.options.memory_bytes // _GATHERED_PER_BUDGET
        self._gathered: list[pa.RecordBatch] = []
        self._gathered_bytes = 0
        self._unsaved_bytes = 0
        self._unsaved_folders: set[str] = set()
        self._spill: Spill | None = None
        self._closing = contextlib.ExitStack()
        self._set_aside: set[str] = set()
        self._buckets: list[list[int]] = [[] for _ in range(_BUCKETS)]

    def write(self, batch: pa.RecordBatch) -> None:
        self._gather(batch)
        if self._gathered_bytes >= self._room_bytes:
            self._hand_out()
        self._unsaved_bytes += batch.nbytes
        if self._resume and self._unsaved_bytes >= max(_SAVED_BYTES, len(self._unsaved_folders) * _WORTH_A_FILE_BYTES):
            self._hand_out_all()
            self._parts.finish()
            self._opened.save(self._context.position())
            self._unsaved_bytes = 0
            self._unsaved_folders.clear()

    def commit(self) -> Written:
        self._hand_out_all()
        return self._opened.commit()

    def abort(self) -> None:
        self._closing.close()
        self._gathered.clear()
        self._hold.resize(0)
        self._opened.abort()

    def _gather(self, batch: pa.RecordBatch) -> None:
        self._gathered.append(batch)
        self._gathered_bytes += held_bytes(batch)
        self._hold.resize(self._gathered_bytes)

    def _taken(self) -> pa.RecordBatch:
        rows = pa.concat_batches(self._gathered)
        self._gathered.clear()
        self._gathered_bytes = 0
        # They and the copy of some of them.
        self._hold.resize(2 * rows.nbytes)
        return rows

    def _hand_out_all(self) -> None:
        self._hand_out(last=True)
        if self._spill is not None:
            for bucket in self._buckets:
                self._hand_out_bucket(self._spill, bucket)
                bucket.clear()
            self._closing.close()
        self._spill = None
        self._set_aside.clear()

    def _hand_out(self, *, last: bool = False) -> None:
        if not self._gathered:
            return
        rows = self._taken()
        folders, folder_of_row = self._partitioning.split(rows)
        self._unsaved_folders.update(folders)
        row_bytes = rows.nbytes / max(rows.num_rows, 1)
        bytes_of = np.bincount(folder_of_row, minlength=len(folders)) * row_bytes
        direct = self._direct(folders, bytes_of, last=last)
        # Groups: the folders to write, then the buckets.
        group_of = {folder: place for place, folder in enumerate(direct)}
        aside = [folder for folder in folders if folder not in group_of]
        self._set_aside.update(aside)
        group_of.update((folder, len(direct) + _bucket(folder)) for folder in aside)
        groups = np.array([group_of[folder] for folder in folders])[folder_of_row]
        rows, ends = in_groups(rows, groups, len(direct) + (_BUCKETS if aside else 0))
        self._write(direct, rows, ends[: len(direct)], whole=last)
        for bucket, (start, end) in enumerate(list(pairwise([0, *ends]))[len(direct) :]):
            if end > start:
                self._spill = self._spill or self._closing.enter_context(self._context.spill())
                self._buckets[bucket].append(self._spill.write(rows.slice(start, end - start)))
        self._hold.resize(0)

    def _write(self, folders: list[str], rows: pa.RecordBatch, ends: list[int], *, whole: bool) -> None:
        """Write rows in the order of their folders; `whole` if these get no others before all files are complete."""
        rows = self._partitioning.without_keys(rows)
        if whole:
            self._parts.write_whole(folders, rows, ends)
            return
        for folder, (start, end) in zip(folders, pairwise([0, *ends]), strict=True):
            self._parts.write(folder, compacted(rows.slice(start, end - start)))

    def _direct(self, folders: list[str], bytes_of: np.ndarray, *, last: bool) -> list[str]:
        """Return the folders to write now, those that are open first: no more than files may be, but at last all."""
        parts = self._parts
        free = [place for place, folder in enumerate(folders) if folder not in self._set_aside]
        if not last and len(free) > parts.max_open:
            most = sorted(free, key=lambda place: -bytes_of[place])[: parts.max_open]
            free = [place for place in most if bytes_of[place] >= _WORTH_OPEN_BYTES or parts.is_open(folders[place])]
        return sorted((folders[place] for place in free), key=parts.is_open, reverse=True)

    def _hand_out_bucket(self, spill: Spill, bucket: list[int]) -> None:
        whole = True
        for last, number in enumerate(bucket, 1 - len(bucket)):
            self._gather(spill.read(number))
            if self._gathered_bytes >= self._room_bytes or last == 0:
                rows = self._taken()
                folders, folder_of_row = self._partitioning.split(rows)
                rows, ends = in_groups(rows, folder_of_row, len(folders))
                whole = whole and last == 0
                self._write(folders, rows, ends, whole=whole)
                self._hold.resize(0)


def _bucket(folder: str) -> int:
    return zlib.crc32(folder.encode()) % _BUCKETS

"""Batches into a directory of files, which is old or new, never half.

Rules:
* Without keys, rows go into one file after another, in order.
* With keys, batches are gathered to a share of the budget and then handed out to the folders that their keys
  name. Where there are more folders than files may be open, those with most rows are written, and the
  rows of the others go to a spill, sorted into buckets, until the end: so their files are whole too, instead
  of many small ones. A folder whose rows have gone there once stays there: its rows keep their order.
* The target changes at `commit`, see `io.atomic_directory`.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from streamframe.batch import held_bytes
from streamframe.formats.base import FileEncoding
from streamframe.io.atomic_directory import AtomicDirectory
from streamframe.io.directories import open_directory
from streamframe.io.redact import redact
from streamframe.plan.context import RunContext, Spill
from streamframe.plan.sink import OpenSink, Sink, Written
from streamframe.sinks.layout import Layout
from streamframe.sinks.manifest import Manifest, joined
from streamframe.sinks.partitioning import Partitioning, grouped
from streamframe.sinks.parts import Parts

# Gathered rows are there twice while they are handed out, and their encoders keep a quarter.
_GATHERED_PER_BUDGET = 8
_BUCKETS = 64


@dataclass(frozen=True)
class Directory(Sink):
    """Write all batches into files of a directory, beside the target until they are whole."""

    target: Any = field(repr=False)
    encoding: FileEncoding
    layout: Layout
    storage_options: Mapping[str, Any] | None = field(default=None, repr=False)

    def start(self, schema: pa.Schema, context: RunContext) -> OpenSink:
        layout = self.layout
        partitioning = Partitioning(schema, layout.partition_by) if layout.partition_by else None
        directory = open_directory(
            self.target, mode=layout.mode, suffix=self.encoding.suffix, storage_options=self.storage_options
        )
        try:
            new = Manifest(self.encoding.name, schema, layout.partition_by, ())
            old = Manifest.from_bytes(directory.manifest, directory.label) if directory.manifest else new
            new.check_continues(old, directory.label)
            written = schema if partitioning is None else partitioning.schema
            parts = Parts(directory, self.encoding, written, context, layout)
            opened = _OpenDirectory(directory, parts, old, layout)
            if partitioning is not None:
                return _OpenPartitions(opened, partitioning, context)
            parts.begin("")  # without rows there are columns
            return opened
        except BaseException:
            directory.abort()
            raise

    def describe(self) -> str:
        keys = f", partition_by={list(self.layout.partition_by)}" if self.layout.partition_by else ""
        return f"to_{self.encoding.name}({redact(str(self.target))!r}{keys})"


class _OpenDirectory(OpenSink):
    def __init__(self, directory: AtomicDirectory, parts: Parts, old: Manifest, layout: Layout) -> None:
        self.directory = directory
        self.parts = parts
        self._old = old
        self._layout = layout

    def write(self, batch: pa.RecordBatch) -> None:
        self.parts.write("", batch)

    def commit(self) -> Written:
        self.parts.finish()
        new = joined(self.parts.entries, ())
        if self._layout.success_marker and "_SUCCESS" not in self.directory.taken:
            self.directory.create("_SUCCESS").commit()
        old = self._old
        manifest = Manifest(old.format, old.schema, old.partition_by, joined(old.files, new))
        self.directory.commit(manifest.to_bytes())
        label = self.directory.label.rstrip("/")
        return Written(tuple(f"{label}/{file.path}" for file in new), sum(file.bytes for file in new))

    def abort(self) -> None:
        try:
            self.parts.abort()
        finally:
            self.directory.abort()


class _OpenPartitions(OpenSink):
    def __init__(self, opened: _OpenDirectory, partitioning: Partitioning, context: RunContext) -> None:
        self._opened = opened
        self._parts = opened.parts
        self._partitioning = partitioning
        self._context = context
        self._hold = context.hold()
        self._room_bytes = context.options.memory_bytes // _GATHERED_PER_BUDGET
        self._gathered: list[pa.RecordBatch] = []
        self._gathered_bytes = 0
        self._spill: Spill | None = None
        self._closing = contextlib.ExitStack()
        self._set_aside: set[str] = set()
        self._buckets: list[list[int]] = [[] for _ in range(_BUCKETS)]

    def write(self, batch: pa.RecordBatch) -> None:
        self._gather(batch)
        if self._gathered_bytes >= self._room_bytes:
            self._hand_out()

    def commit(self) -> Written:
        self._hand_out()
        if self._spill is not None:
            for bucket in self._buckets:
                self._hand_out_bucket(self._spill, bucket)
            self._closing.close()
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

    def _hand_out(self) -> None:
        if not self._gathered:
            return
        rows = self._taken()
        folders, folder_of_row = self._partitioning.split(rows)
        direct = self._direct(folders, np.bincount(folder_of_row, minlength=len(folders)))
        # Groups: the folders to write, then the buckets.
        group_of = {folder: place for place, folder in enumerate(direct)}
        aside = [folder for folder in folders if folder not in group_of]
        self._set_aside.update(aside)
        group_of.update((folder, len(direct) + _bucket(folder)) for folder in aside)
        groups = grouped(
            rows,
            np.array([group_of[folder] for folder in folders])[folder_of_row],
            len(direct) + (_BUCKETS if aside else 0),
        )
        del rows
        for folder, batch in zip(direct, groups, strict=False):
            self._parts.write(folder, self._partitioning.without_keys(batch))
        for bucket, batch in enumerate(groups[len(direct) :]):
            if batch.num_rows:
                self._spill = self._spill or self._closing.enter_context(self._context.spill())
                self._buckets[bucket].append(self._spill.write(batch))
        self._hold.resize(0)

    def _direct(self, folders: list[str], rows_of: np.ndarray) -> list[str]:
        """Return the folders to write now: no more than files may be open, those that are open first."""
        free = [place for place, folder in enumerate(folders) if folder not in self._set_aside]
        free.sort(key=lambda place: -rows_of[place])
        return sorted((folders[place] for place in free[: self._parts.max_open]), key=self._parts.is_open, reverse=True)

    def _hand_out_bucket(self, spill: Spill, bucket: list[int]) -> None:
        for last, number in enumerate(bucket, 1 - len(bucket)):
            self._gather(spill.read(number))
            if self._gathered_bytes >= self._room_bytes or last == 0:
                rows = self._taken()
                folders, folder_of_row = self._partitioning.split(rows)
                for folder, batch in zip(folders, grouped(rows, folder_of_row, len(folders)), strict=True):
                    self._parts.write(folder, self._partitioning.without_keys(batch))
                self._hold.resize(0)


def _bucket(folder: str) -> int:
    return zlib.crc32(folder.encode()) % _BUCKETS

"""Batches into a directory of files, which is old or new, never half.

Rules:
* Without keys, rows go into one file after another, in order.
* With keys, they go into the folders that their keys name, see `open_partitions`.
* The target changes at `commit`, see `io.atomic_directory`. On the way, a run that may be resumed saves what is
  complete, with its position: without keys behind each file, with keys now and then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pyarrow as pa

from streamframe.errors import ResumeError
from streamframe.formats.base import FileEncoding
from streamframe.io.atomic_directory import AtomicDirectory
from streamframe.io.directories import open_directory
from streamframe.io.redact import redact
from streamframe.plan.checkpoint import Checkpoint, require_same_lines
from streamframe.plan.context import RunContext
from streamframe.plan.quantities import plural
from streamframe.plan.sink import Found, OpenSink, Sink
from streamframe.sinks.kept_rejects import KeptRejects
from streamframe.sinks.layout import Layout
from streamframe.sinks.manifest import FileEntry, Manifest, settings_of
from streamframe.sinks.open_directory import OpenDirectory
from streamframe.sinks.open_partitions import OpenPartitions
from streamframe.sinks.partitioning import Partitioning
from streamframe.sinks.parts import Parts

_ANOTHER_MODE = 'name another directory, or pass mode="overwrite" or "append".'


@dataclass(frozen=True)
class Directory(Sink):
    """Write all batches into files of a directory, beside the target until they are whole."""

    target: Any = field(repr=False)
    encoding: FileEncoding
    layout: Layout
    storage_options: Mapping[str, Any] | None = field(default=None, repr=False)
    # What cannot be read goes to a file of the user's: a run that may be resumed keeps it as well.
    keeps_rejects: bool = False

    def start(self, schema: pa.Schema, context: RunContext) -> OpenSink:
        return self._opened(None).start(schema, context)

    def find(self, plan: Sequence[str]) -> Found | None:
        return self._opened(plan) if self.layout.resume else None

    def _opened(self, plan: Sequence[str] | None) -> FoundDirectory:
        continues = None if plan is None else partial(is_behind, plan=plan, label=redact(str(self.target)))
        directory = open_directory(
            self.target,
            mode=self.layout.mode,
            suffix=self.encoding.suffix,
            continues=continues,
            storage_options=self.storage_options,
        )
        try:
            return FoundDirectory(directory, self.encoding, self.layout, plan, keeps_rejects=self.keeps_rejects)
        except BaseException:
            directory.abort()
            raise

    def describe(self) -> str:
        keys = f", partition_by={list(self.layout.partition_by)}" if self.layout.partition_by else ""
        return f"to_{self.encoding.name}({redact(str(self.target))!r}{keys})"


class FoundDirectory(Found):
    """A directory that is open, with the files that stay: those of before, and those that this export has saved."""

    def __init__(
        self,
        directory: AtomicDirectory,
        encoding: FileEncoding,
        layout: Layout,
        plan: Sequence[str] | None,
        *,
        keeps_rejects: bool,
    ) -> None:
        self.directory = directory
        self.layout = layout
        self._context: RunContext | None = None
        self._encoding = encoding
        self.old = Manifest.from_bytes(directory.manifest, directory.label) if directory.manifest else None
        self.saved = self._taken_over()
        if self.saved is not None:
            self.checkpoint = self.saved.last
        elif self.old is not None and self.old.last is not None and plan is not None:
            same_plan = self.old.last.plan == tuple(plan)
            self.checkpoint = self.old.last if same_plan else None
        self.kept_rejects = self._kept_rejects() if keeps_rejects and layout.resume else None
        if self.old is not None:
            directory.leave_out([file.path for file in self.old.rejects or ()])

    @property
    def kept(self) -> str:
        if self.directory.saved is None:
            return ""
        saved = Manifest.from_bytes(self.directory.saved, self.directory.label)
        files = plural(len(saved.files), "file")
        return f"{plural(saved.rows, 'row')} in {files} are kept; the same export goes on behind them."

    @property
    def instead(self) -> str:
        if self.is_behind_old:
            return _ANOTHER_MODE
        return "the same export without resume=True begins anew, and clears what was kept."

    @property
    def is_behind_old(self) -> bool:
        """Whether the run goes on behind the files that are there."""
        return self.saved is None and self.checkpoint is not None

    @property
    def saved_files(self) -> tuple[FileEntry, ...]:
        """What this export has completed in runs before."""
        return () if self.saved is None else self.saved.files

    def start(self, schema: pa.Schema, context: RunContext) -> OpenSink:
        layout, directory = self.layout, self.directory
        try:
            for before in (self.saved, self.old):
                if before is not None:
                    # Where nothing is left to come, nobody may know the columns any more.
                    schema = schema if len(schema) else before.schema
                    resumes = before is self.saved or self.is_behind_old
                    self._manifest(schema).check_continues(before, directory.label, resumes=resumes)
            self._check_rejects()
            self._context = context
            partitioning = Partitioning(schema, layout.partition_by) if layout.partition_by else None
            written = schema if partitioning is None else partitioning.schema
            kept_bytes = sum(file.bytes for file in self.saved_files)
            parts = Parts(directory, self._encoding, written, context, layout, kept_bytes)
            opened = OpenDirectory(self, parts, self._manifest(schema), context)
            if partitioning is not None:
                return OpenPartitions(opened, partitioning, context)
            if self.checkpoint is None and self._encoding.tells_columns:
                parts.begin("")  # without rows there are columns; elsewhere, the manifest has them
            return opened
        except BaseException:
            self.abort()
            raise

    def rejects(self) -> Iterator[pa.RecordBatch]:
        if self.kept_rejects is not None and self._context is not None:
            yield from self.kept_rejects.before(self._context)

    def reject(self, batch: pa.RecordBatch, records: int) -> None:
        if self.kept_rejects is not None and self._context is not None:
            self.kept_rejects.add(batch, records, self._context)

    def complete_rejects(self, position: Checkpoint | None) -> tuple[FileEntry, ...] | None:
        """Complete what could not be read before a position; return all files that hold such, None if nobody asks."""
        if self.kept_rejects is None or self._context is None:
            return None
        self.kept_rejects.complete(position, self._context)
        return self.kept_rejects.entries

    def close(self) -> None:
        """Let go of what waited to be saved."""
        if self.kept_rejects is not None:
            self.kept_rejects.close()

    def abort(self) -> None:
        self.close()
        self.directory.abort()

    def _kept_rejects(self) -> KeptRejects:
        saved = () if self.saved is None else self.saved.rejects
        old = self.old.rejects if self.is_behind_old and self.old is not None else ()
        return KeptRejects(self.directory, saved or (), old or ())

    def _check_rejects(self) -> None:
        """Raise `ResumeError` if what could not be read is wanted now, and was not before, or the other way round."""
        before = self.old if self.is_behind_old else self.saved
        if before is None or (before.rejects is None) == (self.kept_rejects is None):
            return
        was, is_now = ("without", "with") if before.rejects is None else ("with", "without")
        raise ResumeError(
            f"{self.directory.label} was begun {was} rejects=, and this export is {is_now} it",
            source=self.directory.label,
            hint="make them the same.",
        )

    def _manifest(self, schema: pa.Schema) -> Manifest:
        run = self.directory.run if self.layout.resume else ""
        settings = settings_of(self._encoding)
        return Manifest(self._encoding.name, schema, self.layout.partition_by, (), run, settings=settings)

    def _taken_over(self) -> Manifest | None:
        if self.directory.saved is None:
            return None
        saved = Manifest.from_bytes(self.directory.saved, self.directory.label)
        # Killed at the very end, the manifest names the old files as well.
        files = saved.files if self.old is None else tuple(file for file in saved.files if file not in self.old.files)
        all_files = (*files, *(saved.rejects or ()))
        if self.directory.keep({file.path: file.bytes for file in all_files}) and saved.last is not None:
            return replace(saved, files=files)
        # The machine has stopped as well, and the disk has lost some of it.
        self.directory.keep({})
        self.directory.saved = None
        return None


def is_behind(manifest: bytes, plan: Sequence[str], label: str) -> bool:
    """Tell whether what a manifest names was written by this plan, so that a run may go on behind it.

    Raises
    ------
    ResumeError
        If it was another plan.
    """
    last = Manifest.from_bytes(manifest, label).last
    if last is not None:
        try:
            require_same_lines("step", last.plan, plan)
        except ResumeError as error:
            error.hint = _ANOTHER_MODE
            error.locate(source=label)
            raise
    return last is not None

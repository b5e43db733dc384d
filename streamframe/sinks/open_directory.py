"""A directory under way: which files are complete, and from where another run would go on.

Rule: what is saved names complete files only, and a position behind the rows that are in them.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from streamframe.errors import SinkError
from streamframe.plan.checkpoint import Checkpoint
from streamframe.plan.context import RunContext
from streamframe.plan.sink import OpenSink, Written
from streamframe.sinks.manifest import Manifest, joined
from streamframe.sinks.parts import Parts

if TYPE_CHECKING:
    from streamframe.sinks.directory import FoundDirectory


class OpenDirectory(OpenSink):
    """A directory whose files are written one after another."""

    def __init__(self, found: FoundDirectory, parts: Parts, manifest: Manifest, context: RunContext) -> None:
        self.parts = parts
        self._found = found
        self._manifest = manifest
        self._context = context
        self._saved: Checkpoint | None = None

    @property
    def resume(self) -> bool:
        """What is complete is saved on the way."""
        return self._found.layout.resume

    def write(self, batch: pa.RecordBatch) -> None:
        self.parts.write("", batch)
        if self.parts.position is not self._saved:
            self._saved = self.parts.position
            self.save(self._saved)

    def _save_the_rest(self) -> None:
        """Save what had not been known to be complete, unless that is what has failed."""
        with contextlib.suppress(SinkError):
            self.parts.settle()
            if self.parts.position is not self._saved:
                self.save(self.parts.position)

    def save(self, position: Checkpoint | None) -> None:
        """Save what is complete, for a run that goes on behind this position."""
        files = joined(self._found.saved_files, self.parts.entries)
        rejects = self._found.complete_rejects(position)
        self._found.directory.save(replace(self._manifest, files=files, last=position, rejects=rejects).to_bytes())

    def commit(self) -> Written:
        self.parts.finish()
        found = self._found
        directory = found.directory
        new = joined(found.saved_files, self.parts.entries)
        old = () if found.old is None else found.old.files
        if new or found.old is None:
            if found.layout.success_marker and "_SUCCESS" not in directory.taken:
                directory.create("_SUCCESS").commit()
            last = self._context.position() if found.layout.resume else None
            manifest = replace(
                self._manifest,
                files=joined(old, new),
                last=last,
                origin=self._context.origin(),
                rejects=found.complete_rejects(last),
            )
            directory.commit(manifest.to_bytes())
        else:
            directory.abort()
        found.close()
        files = joined(old, new) if found.is_behind_old else new
        label = directory.label.rstrip("/")
        return Written(tuple(f"{label}/{file.path}" for file in files), sum(file.bytes for file in files))

    def abort(self) -> None:
        try:
            if self.resume:
                self._save_the_rest()
            self.parts.abort()
        finally:
            self._found.abort()

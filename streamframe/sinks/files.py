"""Batches into one file, which is old or new, never half.

Rule: this file knows when to commit and abort; the format's encoder knows what to write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from streamframe.formats.base import Encoder, FileEncoding
from streamframe.io.atomic import AtomicFile, open_atomic
from streamframe.io.redact import redact
from streamframe.plan.context import RunContext
from streamframe.plan.sink import OpenSink, Sink, Written


@dataclass(frozen=True)
class File(Sink):
    """Write all batches into one file, beside the target until it is whole."""

    target: Any = field(repr=False)
    encoding: FileEncoding
    storage_options: Mapping[str, Any] | None = field(default=None, repr=False)

    def takes_dictionaries(self, schema: pa.Schema) -> frozenset[str]:
        return self.encoding.takes_dictionaries(schema)

    def start(self, schema: pa.Schema, context: RunContext) -> OpenSink:
        file = open_atomic(self.target, storage_options=self.storage_options)
        try:
            return _OpenFile(file, self.encoding.start(file, schema, context))
        except BaseException:
            file.abort()
            raise

    def describe(self) -> str:
        name = redact(str(getattr(self.target, "name", self.target)))
        return f"to_{self.encoding.name}({name!r})"


class _OpenFile(OpenSink):
    def __init__(self, file: AtomicFile, encoder: Encoder) -> None:
        self._file = file
        self._encoder = encoder

    def write(self, batch: pa.RecordBatch) -> None:
        self._encoder.write(batch)

    def commit(self) -> Written:
        self._encoder.finish()
        return Written(files=(self._file.label,), bytes_written=self._file.commit())

    def abort(self) -> None:
        self._file.give_up()
        try:
            self._encoder.abort()
        finally:
            self._file.abort()

"""Batches into a text file, a slice at a time."""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

from streamframe.formats.base import Encoder
from streamframe.io.atomic import AtomicFile
from streamframe.io.compressing import Compressor

# Text of so many bytes is made at a time, whatever the size of the batch.
_SLICE_BYTES = 1 << 20


class TextWriter(Protocol):
    """Turns batches of one schema into the text of one file."""

    def encode(self, batch: pa.RecordBatch) -> bytes:
        """Return the text of one batch; of an empty one, what the file needs all the same (a header)."""
        ...


class TextEncoder(Encoder):
    """Writes what `writer` makes, compressed if there is a compressor; keeps nothing between batches."""

    def __init__(self, file: AtomicFile, schema: pa.Schema, writer: TextWriter, compressor: Compressor | None) -> None:
        self._file = file
        self._schema = schema
        self._writer = writer
        self._compressor = compressor

    def write(self, batch: pa.RecordBatch) -> None:
        rows = max(1, batch.num_rows * _SLICE_BYTES // max(batch.nbytes, 1))
        for start in range(0, batch.num_rows, rows):
            self._put(self._writer.encode(batch.slice(start, rows)))

    def finish(self) -> None:
        if text := self._writer.encode(pa.RecordBatch.from_pylist([], schema=self._schema)):
            self._put(text)
        if self._compressor is not None:
            self._file.write(self._compressor.flush())

    def abort(self) -> None:
        pass

    def _put(self, text: bytes) -> None:
        self._file.write(text if self._compressor is None else self._compressor.compress(text))

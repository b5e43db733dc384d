"""Batches into a text file, a slice at a time.

Rules: slices become text side by side, and are compressed and written in order. What a compressor keeps is held against
the budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Protocol

import pyarrow as pa

from streamframe.errors import BudgetError
from streamframe.formats.base import Encoder
from streamframe.io.atomic import AtomicFile
from streamframe.io.compressing import compressor_for, held_bytes, synced
from streamframe.plan.context import InOrder, RunContext
from streamframe.plan.quantities import human_bytes

# Text of so many bytes is made at a time, whatever the size of the batch.
_SLICE_BYTES = 1 << 20
# A compressor that is asked for less loses more by it than is gained by knowing.
_SYNC_BYTES = 16 << 10


class TextWriter(Protocol):
    """Turns batches of one schema into text."""

    @property
    def head(self) -> bytes:
        """What the file starts with, before any batch."""
        ...

    def pieces(self, batch: pa.RecordBatch, ends: Sequence[int]) -> Iterator[bytes | pa.Buffer]:
        """Return the text of the first rows, of those behind them, and so on, up to each of `ends`.

        Runs in many threads at once.
        """
        ...


def small_texts(
    writer: TextWriter, rows: pa.RecordBatch, ends: Sequence[int], compression: str | None, level: int | None
) -> Iterator[bytes]:
    """Return what `TextEncoder` would write into files, each with the rows up to its end."""
    for text in writer.pieces(rows, ends):
        compressor = compressor_for(compression, "", level)
        data = b"".join((writer.head, text))
        yield data if compressor is None else compressor.compress(data) + compressor.flush()


class TextEncoder(Encoder):
    """Writes what `writer` makes, compressed if there is a compressor."""

    def __init__(
        self,
        file: AtomicFile,
        context: RunContext,
        writer: TextWriter,
        compression: str | None,
        level: int | None = None,
    ) -> None:
        self._file = file
        self._writer = writer
        nbytes = held_bytes(compression, file.label, level)
        # No level is refused that takes less than the one nobody asks for.
        if level is not None and nbytes > held_bytes(compression, file.label):
            _require_room(nbytes, level, context.options.memory_bytes)
        self._hold = context.hold()
        self._hold.resize(nbytes)
        self._compressor = compressor_for(compression, file.label, level)
        self._compression = compression
        # Text since the compressor has written all that it had.
        self._kept_bytes = 0
        self._slices: InOrder[bytes | pa.Buffer] = context.in_order(self._put)
        if writer.head:
            self._put(writer.head)

    def write(self, batch: pa.RecordBatch) -> None:
        rows = max(1, batch.num_rows * _SLICE_BYTES // max(batch.nbytes, 1))
        for start in range(0, batch.num_rows, rows):
            piece = batch.slice(start, rows)
            # The rows, and their text.
            self._slices.add(partial(_text_of, self._writer, piece), 2 * piece.nbytes)

    def settle(self) -> None:
        self._slices.finish()
        if self._compressor is not None and self._kept_bytes >= _SYNC_BYTES:
            self._file.write(synced(self._compressor, self._compression, self._file.label))
            self._kept_bytes = 0

    def finish(self) -> None:
        self._slices.finish()
        if self._compressor is not None:
            self._file.write(self._compressor.flush())
        self._hold.resize(0)

    def abort(self) -> None:
        self._slices.abort()
        self._hold.resize(0)

    def _put(self, text: bytes | pa.Buffer) -> None:
        self._kept_bytes += len(text)
        self._file.write(text if self._compressor is None else self._compressor.compress(text))


def _text_of(writer: TextWriter, batch: pa.RecordBatch) -> bytes | pa.Buffer:
    (text,) = writer.pieces(batch, [batch.num_rows])
    return text


def _require_room(nbytes: int, level: int, memory_bytes: int) -> None:
    if nbytes > memory_bytes:
        raise BudgetError(
            f"compression_level={level} keeps {human_bytes(nbytes)}, and the option memory allows for "
            f"{human_bytes(memory_bytes)}",
            hint="take a lower level, or give more: sf.set_options(memory=...).",
        )

"""Write Arrow IPC: batches are gathered, or cut, into record batches of a good size.

Rules: a tiny record batch costs a reader more than its rows, and a giant one has to fit into memory
whole, so all come out at about one size. A dictionary is written once and then only added to, as
the file format demands. An aborted file gets no end: nobody takes it for a complete one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import ClassVar

import pyarrow as pa

from streamframe.batch import held_bytes
from streamframe.errors import PlanError, SchemaError, did_you_mean
from streamframe.formats.base import Encoder, FileEncoding
from streamframe.formats.wording import first_line
from streamframe.io.atomic import AtomicFile
from streamframe.io.compression import codec_of_suffix
from streamframe.plan.context import RunContext

COMPRESSIONS = ("lz4", "zstd")
STREAM_SUFFIX = ".arrows"
# Readers hold several record batches at once, in parallel: within 64 MB, say.
MAX_BATCH_BYTES = 4 << 20
MAX_BATCH_ROWS = 1 << 20
_BATCHES_PER_BUDGET = 16


@dataclass(frozen=True)
class IpcEncoding(FileEncoding):
    """Arrow IPC; `stream` None goes by the suffix."""

    compression: str | None = None
    stream: bool | None = None
    name: ClassVar[str] = "ipc"
    many_at_once: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.compression is not None and self.compression not in COMPRESSIONS:
            raise PlanError(
                f"compression={self.compression!r} is not known to Arrow IPC",
                hint=did_you_mean(str(self.compression), COMPRESSIONS) or 'use "lz4", "zstd" or None.',
            )
        if self.stream not in (None, True, False):
            raise PlanError(f"stream needs True, False or None, got {self.stream!r}")

    @property
    def suffix(self) -> str:
        return STREAM_SUFFIX if self.stream else ".arrow"

    def start(self, file: AtomicFile, schema: pa.Schema, context: RunContext) -> Encoder:
        suffix = PurePosixPath(file.label).suffix.lower()
        if codec_of_suffix(suffix) is not None:
            raise PlanError(
                f"{file.label}: Arrow IPC is compressed inside of the file, so it cannot end in {suffix}",
                source=file.label,
                hint='write to_ipc("out.arrow", compression="zstd").',
            )
        if not len(schema):
            # There is no column that would tell how many rows there were.
            raise SchemaError("there are no columns to write", source=file.label, hint="select at least one.")
        return _IpcEncoder(file, schema, context, self.compression, self._is_stream(suffix))

    def small_files(
        self, schema: pa.Schema, rows: pa.RecordBatch, ends: Sequence[int], labels: Sequence[str]
    ) -> Iterator[bytes | pa.Buffer]:
        options = pa.ipc.IpcWriteOptions(compression=self.compression, emit_dictionary_deltas=True)
        for label, (start, end) in zip(labels, pairwise([0, *ends]), strict=True):
            sink = pa.BufferOutputStream()
            begin = pa.ipc.new_stream if self.stream else pa.ipc.new_file
            # A copy: of a slice, Arrow writes what lies behind it as well, up to 64 bytes of other files' rows.
            piece = pa.concat_batches([rows.slice(start, end - start)])
            with _telling(label), begin(sink, schema, options=options) as writer:
                writer.write_batch(piece)
            yield sink.getvalue()

    def _is_stream(self, suffix: str) -> bool:
        return suffix == STREAM_SUFFIX if self.stream is None else self.stream


class _IpcEncoder(Encoder):
    def __init__(
        self, file: AtomicFile, schema: pa.Schema, context: RunContext, compression: str | None, stream: bool
    ) -> None:
        self._label = file.label
        self._hold = context.hold()
        self._target_bytes = min(MAX_BATCH_BYTES, context.options.memory_bytes // _BATCHES_PER_BUDGET)
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self._waiting_rows = 0
        self._dictionaries: dict[int, pa.Array] = {}
        options = pa.ipc.IpcWriteOptions(compression=compression, emit_dictionary_deltas=True)
        self._writer = (pa.ipc.new_stream if stream else pa.ipc.new_file)(file, schema, options=options)

    def write(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        self._waiting_bytes += held_bytes(batch)
        self._hold.resize(self._waiting_bytes)
        if self._waiting_bytes >= self._target_bytes or self._waiting_rows >= MAX_BATCH_ROWS:
            self.flush()

    def finish(self) -> None:
        self.flush()
        self._writer.close()

    def abort(self) -> None:
        self._waiting.clear()
        self._hold.resize(0)

    def flush(self) -> None:
        batches, self._waiting = self._waiting, []
        with _telling(self._label):
            # Several batches are joined by a copy; one is written from where it is.
            for batch in [pa.concat_batches(batches)] if len(batches) > 1 else batches:
                pieces = max(1, batch.nbytes // self._target_bytes, batch.num_rows // MAX_BATCH_ROWS)
                rows = -(-batch.num_rows // pieces)
                for start in range(0, batch.num_rows, rows or 1):
                    self._writer.write_batch(self._with_grown_dictionaries(batch.slice(start, rows)))
        self._waiting_bytes = self._waiting_rows = 0
        self._hold.resize(0)

    def _with_grown_dictionaries(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with dictionaries that begin with what has been written of them."""
        columns = batch.columns
        for index, field in enumerate(batch.schema):
            if pa.types.is_dictionary(field.type):
                columns[index] = self._grown(index, columns[index])
        return pa.RecordBatch.from_arrays(columns, schema=batch.schema)

    def _grown(self, index: int, column: pa.DictionaryArray) -> pa.DictionaryArray:
        written = self._dictionaries.get(index)
        if written is not None and not written.equals(column.dictionary):
            none = pa.DictionaryArray.from_arrays(
                pa.array([], column.type.index_type), written, ordered=column.type.ordered
            )
            column = pa.chunked_array([none, column]).unify_dictionaries().chunk(1)
        self._dictionaries[index] = column.dictionary
        return column


@contextlib.contextmanager
def _telling(label: str) -> Iterator[None]:
    """Say of which file Arrow tells that it cannot hold some rows."""
    try:
        yield
    except pa.ArrowException as error:
        raise SchemaError(
            f"Arrow IPC cannot hold these rows: {first_line(error)}",
            source=label,
            hint="cast the dictionaries ('category') among the columns, or write them with stream=True.",
        ) from error

"""Write Arrow IPC: batches are gathered, since each costs a message.

Rule: what waits is held against the budget. Arrow writes into an object of ours that never seeks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from streamframe.batch import held_bytes
from streamframe.errors import PlanError, SchemaError, did_you_mean
from streamframe.formats.base import Encoder, FileEncoding
from streamframe.io.atomic import AtomicFile
from streamframe.plan.context import RunContext

COMPRESSIONS = ("none", "lz4", "zstd")
# Large enough that its metadata is nothing beside it, small enough to be read in parallel.
_BATCH_BYTES = 8 << 20
_BATCHES_PER_BUDGET = 8


@dataclass(frozen=True)
class IpcEncoding(FileEncoding):
    """Arrow's file format, or its stream format for those who read while we write."""

    compression: str | None = None
    stream: bool = False
    name: ClassVar[str] = "ipc"

    def __post_init__(self) -> None:
        object.__setattr__(self, "compression", str(self.compression).lower())
        if self.compression not in COMPRESSIONS:
            near = did_you_mean(str(self.compression), COMPRESSIONS)
            raise PlanError(
                f"compression={self.compression!r} is not known to Arrow IPC",
                hint=near or f"use one of {', '.join(COMPRESSIONS)}.",
            )

    def start(self, file: AtomicFile, schema: pa.Schema, context: RunContext) -> Encoder:
        codec = None if self.compression == "none" else self.compression
        options = pa.ipc.IpcWriteOptions(compression=codec, emit_dictionary_deltas=True)
        make = pa.ipc.new_stream if self.stream else pa.ipc.new_file
        return _IpcEncoder(file.label, make(file, schema, options=options), schema, context)


class _IpcEncoder(Encoder):
    def __init__(
        self, label: str, writer: pa.ipc.RecordBatchStreamWriter, schema: pa.Schema, context: RunContext
    ) -> None:
        self._label = label
        self._writer = writer
        self._schema = schema
        self._last: list[pa.RecordBatch] = []
        self._hold = context.hold()
        self._target_bytes = min(_BATCH_BYTES, context.options.memory_bytes // _BATCHES_PER_BUDGET)
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = self._held_bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._waiting_bytes += batch.nbytes
        self._held_bytes += held_bytes(batch)
        self._hold.resize(self._held_bytes)
        if max(self._waiting_bytes, self._held_bytes // _BATCHES_PER_BUDGET) >= self._target_bytes:
            self._flush()

    def finish(self) -> None:
        self._flush()
        self._writer.close()

    def abort(self) -> None:
        self._waiting.clear()
        self._hold.resize(0)
        self._writer.close()

    def _flush(self) -> None:
        if self._waiting:
            # A file can only add to a dictionary. So each batch's starts with that of the one before it.
            rows = pa.Table.from_batches([*self._last, *self._waiting], schema=self._schema)
            self._waiting.clear()
            try:
                rows = rows.unify_dictionaries().combine_chunks()
                self._writer.write_table(rows)
            except pa.ArrowException as error:
                raise SchemaError(
                    f"Arrow IPC cannot hold these columns: {str(error).splitlines()[0]}",
                    source=self._label,
                    hint="cast or drop the column that it cannot write.",
                ) from error
            if any(pa.types.is_dictionary(kind) for kind in self._schema.types):
                self._last = [batch.slice(0, 0) for batch in rows.to_batches()[-1:]]
        self._waiting_bytes = self._held_bytes = 0
        self._hold.resize(0)

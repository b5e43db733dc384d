"""Write Parquet: batches are gathered into row groups of a good size.

Rules: small row groups make a file slow to write and to read, so batches wait until they are worth
one; what waits is held against the budget. A row group is encoded while the next one is gathered.
Arrow writes into an object of ours that never seeks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from streamframe.batch import held_bytes
from streamframe.errors import SchemaError
from streamframe.formats.base import Encoder, FileEncoding
from streamframe.formats.codecs import checked_codec
from streamframe.formats.parquet.options import ParquetOptions, checked_level
from streamframe.formats.parquet.ordering import DeclaredOrder
from streamframe.formats.wording import first_line
from streamframe.io.atomic import AtomicFile
from streamframe.plan.context import InOrder, RunContext

# About a million rows of ten numbers: beyond that, neither size nor speed gains.
MAX_ROW_GROUP_BYTES = 64 << 20
MAX_ROW_GROUP_ROWS = 1 << 20
COMPRESSIONS = ("snappy", "zstd", "gzip", "lz4", "brotli", "none")
# One is gathered, one is encoded, and the next blocks live beside them.
_ROW_GROUPS_PER_BUDGET = 6


@dataclass(frozen=True)
class ParquetEncoding(FileEncoding):
    """Apache Parquet with one compression for all columns."""

    compression: str | None = "snappy"
    level: int | None = None
    options: ParquetOptions = field(default_factory=ParquetOptions)
    name: ClassVar[str] = "parquet"

    def __post_init__(self) -> None:
        object.__setattr__(self, "compression", checked_codec(self.compression, COMPRESSIONS, "Parquet"))
        checked_level(str(self.compression), self.level)

    def start(self, file: AtomicFile, schema: pa.Schema, context: RunContext) -> Encoder:
        if not len(schema):
            # Parquet would forget how many rows there were.
            raise SchemaError("there are no columns to write", source=file.label, hint="select at least one.")
        return _ParquetEncoder(file, schema, context, self)


class _ParquetEncoder(Encoder):
    def __init__(self, file: AtomicFile, schema: pa.Schema, context: RunContext, encoding: ParquetEncoding) -> None:
        self._file = file
        self._schema = schema
        self._hold = context.hold()
        self._target_bytes = min(MAX_ROW_GROUP_BYTES, context.options.memory_bytes // _ROW_GROUPS_PER_BUDGET)
        if encoding.options.row_group_bytes is not None:
            # What is asked for beyond the share of a run would break its promise of memory.
            self._target_bytes = min(
                encoding.options.row_group_bytes, context.options.memory_bytes // _ROW_GROUPS_PER_BUDGET
            )
        self._order = DeclaredOrder(encoding.options.sorting_columns, file.label)
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self._waiting_rows = 0
        # Row groups of one file: each is written behind the one before.
        self._row_groups: InOrder[None] = context.in_order(lambda _: None, one_at_a_time=True)
        try:
            self._writer = pq.ParquetWriter(
                file,
                schema,
                compression=encoding.compression,
                compression_level=encoding.level,
                **encoding.options.for_writer(schema),
            )
            if encoding.options.metadata:
                self._writer.add_key_value_metadata(dict(encoding.options.metadata))
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            raise SchemaError(
                f"Parquet cannot hold these columns: {first_line(error)}",
                source=file.label,
                hint="cast or drop the column that Parquet has no type for.",
            ) from error

    def write(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        self._waiting_bytes += held_bytes(batch)
        self._hold.resize(self._waiting_bytes)
        if self._waiting_bytes >= self._target_bytes or self._waiting_rows >= MAX_ROW_GROUP_ROWS:
            self.flush()

    def settle(self) -> None:
        self._row_groups.finish()

    def finish(self) -> None:
        self.flush()
        self._row_groups.finish()
        self._writer.close()

    def abort(self) -> None:
        self._row_groups.abort()
        self._waiting.clear()
        self._hold.resize(0)
        # Arrow writes a footer on close, into a file that is thrown away right after.
        self._writer.close()

    def flush(self) -> None:
        if self._waiting:
            batches, self._waiting = self._waiting, []
            self._row_groups.add(partial(self._write_row_group, batches), self._waiting_bytes)
        self._waiting_bytes = self._waiting_rows = 0
        self._hold.resize(0)

    def _write_row_group(self, batches: list[pa.RecordBatch]) -> None:
        for batch in batches:
            self._order.check(batch)
        rows = pa.Table.from_batches(batches, schema=self._schema)
        # The table holds them now; while it is written, column after column, nothing else needs to.
        batches.clear()
        self._writer.write_table(rows, row_group_size=rows.num_rows)

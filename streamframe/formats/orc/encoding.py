"""Write ORC: batches go into stripes, which Arrow closes when they have their size.

Rule: Arrow's writer has a buffer of 64 kB for each stream of each column, and a second one where it compresses, however
few rows there are; no option of it makes them smaller. So they count as memory, and too many of them are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from streamframe.errors import BudgetError, SchemaError
from streamframe.formats.base import Encoder, FileEncoding
from streamframe.formats.codecs import checked_codec
from streamframe.io.atomic import AtomicFile
from streamframe.plan.context import RunContext
from streamframe.plan.quantities import human_bytes

COMPRESSIONS = ("zstd", "zlib", "snappy", "lz4", "none")
MAX_STRIPE_BYTES = 64 << 20
# Arrow keeps a stripe, and what it becomes, until it is full.
_STRIPES_PER_BUDGET = 8
# Of a stream, as measured with 2,000 columns; other compressions are alike.
_STREAM_BYTES = {"none": 72 << 10, "zlib": 155 << 10}
_COMPRESSED_STREAM_BYTES = 135 << 10
# So much is taken with the smallest memory as well: a hundred columns or two.
FREE_BYTES = 64 << 20


@dataclass(frozen=True)
class OrcEncoding(FileEncoding):
    """Apache ORC with one compression for all columns."""

    compression: str | None = "zstd"
    name: ClassVar[str] = "orc"

    def __post_init__(self) -> None:
        object.__setattr__(self, "compression", checked_codec(self.compression, COMPRESSIONS, "ORC"))

    def start(self, file: AtomicFile, schema: pa.Schema, context: RunContext) -> Encoder:
        if not len(schema):
            raise SchemaError("there are no columns to write", source=file.label, hint="select at least one.")
        self._require_room(schema, context.options.memory_bytes)
        # ORC has no type for a column without any value; elsewhere such a column is text.
        texts = [field.with_type(pa.string()) if pa.types.is_null(field.type) else field for field in schema]
        schema = pa.schema(texts)
        for field in schema:
            _require_writable(field, file.label)
        return _OrcEncoder(file, schema, context, self)

    def open_bytes(self, schema: pa.Schema) -> int:
        streams = sum(_streams(field.type) for field in schema)
        return streams * _STREAM_BYTES.get(str(self.compression), _COMPRESSED_STREAM_BYTES)

    def _require_room(self, schema: pa.Schema, memory_bytes: int) -> None:
        nbytes = self.open_bytes(schema)
        if nbytes > max(memory_bytes, FREE_BYTES):
            half = "" if self.compression == "none" else " compression=None takes half of it;"
            raise BudgetError(
                f"to write {len(schema):,} columns of ORC takes {human_bytes(nbytes)} however few rows there are, and "
                f"the option memory allows for {human_bytes(memory_bytes)}",
                hint=f"write Parquet or fewer columns;{half} or give more: sf.set_options(memory=...).",
            )


class _OrcEncoder(Encoder):
    def __init__(self, file: AtomicFile, schema: pa.Schema, context: RunContext, encoding: OrcEncoding) -> None:
        import pyarrow.orc as orc

        self._schema = schema
        self._label = file.label
        stripe_bytes = min(MAX_STRIPE_BYTES, context.options.memory_bytes // _STRIPES_PER_BUDGET)
        self._hold = context.hold()
        self._hold.resize(stripe_bytes + encoding.open_bytes(schema))
        codec = "uncompressed" if encoding.compression == "none" else encoding.compression
        self._writer = orc.ORCWriter(file, compression=codec, stripe_size=stripe_bytes)
        self._written = False

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [_whole(column, field.type) for column, field in zip(batch.columns, self._schema, strict=True)]
        self._put(pa.Table.from_arrays(columns, schema=self._schema))

    def finish(self) -> None:
        if not self._written:
            # The writer learns the columns from the first table.
            self._put(self._schema.empty_table())
        self._writer.close()
        self._hold.resize(0)

    def abort(self) -> None:
        self._hold.resize(0)
        if self._written:
            # Arrow writes a footer on close, into a file that is thrown away right after.
            self._writer.close()

    def _put(self, table: pa.Table) -> None:
        try:
            self._writer.write(table)
        except pa.ArrowException as error:
            raise SchemaError(f"ORC cannot hold these rows: {error}", source=self._label) from error
        self._written = True


def _streams(kind: pa.DataType) -> int:
    """Return how many streams a column has: which rows are null, its values, their index, and what these need."""
    inner = sum(_streams(kind.field(place).type) for place in range(kind.num_fields))
    if pa.types.is_struct(kind):
        return inner + 2
    if kind.num_fields or (pa.types.is_primitive(kind) and not pa.types.is_timestamp(kind)):
        return inner + 3
    return 4  # text has lengths, a decimal its scale, a time its fractions


def _whole(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_null(column.type):
        return column.cast(kind)
    if column.offset and pa.types.is_nested(kind):
        # Of a slice of structs, Arrow's writer takes the values from the start of what they are a slice of.
        return column.take(pa.arange(0, len(column)))
    return column


def _has_negative_scale(kind: pa.DataType) -> bool:
    if pa.types.is_decimal(kind):
        return bool(kind.scale < 0)
    return any(_has_negative_scale(kind.field(place).type) for place in range(kind.num_fields))


def _require_writable(field: pa.Field, label: str) -> None:
    import pyarrow.orc as orc

    if _has_negative_scale(field.type):
        # Their statistics end the process.
        raise SchemaError(
            f"ORC cannot hold column {field.name!r} of type {field.type}",
            source=label,
            column=field.name,
            hint="cast it to a decimal whose scale is not negative.",
        )
    try:
        with orc.ORCWriter(pa.BufferOutputStream()) as writer:
            writer.write(pa.schema([field]).empty_table())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SchemaError(
            f"ORC cannot hold column {field.name!r} of type {field.type}",
            source=label,
            column=field.name,
            hint="cast or drop it; unsigned numbers, times of day, durations and categories have no ORC type.",
        ) from error

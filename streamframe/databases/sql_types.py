"""Arrow's types in SQL's words, for the databases into which rows go as text or as Python's values."""

from __future__ import annotations

import pyarrow as pa

from streamframe.errors import SchemaError
from streamframe.schema import dtype_name

_POSTGRES = {
    pa.bool_(): "boolean",
    pa.int8(): "smallint", pa.int16(): "smallint", pa.int32(): "integer", pa.int64(): "bigint",
    pa.uint8(): "smallint", pa.uint16(): "integer", pa.uint32(): "bigint", pa.uint64(): "numeric(20, 0)",
    pa.float16(): "real", pa.float32(): "real", pa.float64(): "double precision",
    pa.string(): "text", pa.large_string(): "text", pa.string_view(): "text", pa.null(): "text",
    pa.binary(): "bytea", pa.large_binary(): "bytea", pa.binary_view(): "bytea",
    pa.date32(): "date", pa.date64(): "date",
}  # fmt: skip


def postgres_type(field: pa.Field) -> str:
    """Return the type of PostgreSQL that holds a column."""
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if kind in _POSTGRES:
        return _POSTGRES[kind]
    if pa.types.is_timestamp(kind):
        return "timestamptz" if kind.tz else "timestamp"
    if pa.types.is_time(kind):
        return "time"
    if pa.types.is_duration(kind):
        return "interval"
    if pa.types.is_decimal(kind):
        return f"numeric({kind.precision}, {kind.scale})"
    if pa.types.is_fixed_size_binary(kind):
        return "bytea"
    raise unknown(field, "PostgreSQL")


def unknown(field: pa.Field, database: str) -> SchemaError:
    """Return the error for a column that a database has no type for."""
    return SchemaError(
        f"column {field.name!r} is {dtype_name(field.type)}, for which there is no type in {database}",
        column=field.name,
        hint="drop it, or make text of it in map_batches.",
    )


def plain(column: pa.Array) -> pa.Array:
    """Return a column spelled out, with times no finer than microseconds, which SQL has at most.

    Raises
    ------
    pyarrow.ArrowInvalid
        If a time is finer than that: nothing is cut off.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return plain(column.cast(kind.value_type))
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return column.cast(pa.timestamp("us", kind.tz))
    if pa.types.is_time64(kind) and kind.unit == "ns":
        return column.cast(pa.time64("us"))
    if pa.types.is_duration(kind):
        return column.cast(pa.duration("us"))
    return column

"""What users and their functions yield, as record batches.

Rule: data that Arrow cannot hold is told with the call that it was given to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from streamframe.errors import SchemaError

# All that pyarrow raises about values, and ValueError about names.
_REFUSED = (pa.ArrowException, ValueError, TypeError)


def is_frame(value: Any) -> bool:
    """Tell a DataFrame of pandas without importing pandas."""
    return hasattr(value, "iloc") and hasattr(value, "columns")


def frame_batches(frame: Any, call: str) -> Iterator[pa.RecordBatch]:
    """Yield a DataFrame as batches: named index levels become columns, an unnamed index is dropped."""
    if not is_frame(frame):
        raise SchemaError(f"{call} needs DataFrames, got {type(frame).__name__}")
    keep_index = any(name is not None for name in frame.index.names)
    try:
        table = pa.Table.from_pandas(frame, preserve_index=keep_index).replace_schema_metadata()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SchemaError(
            f"{call}: a column holds values of several types: {'; '.join(map(str, error.args))}",
            hint="make the column one type first, such as df['x'].astype('string').",
        ) from error
    except (pa.ArrowNotImplementedError, ValueError) as error:  # a dtype Arrow has not, a name used twice
        raise SchemaError(
            f"{call}: {'; '.join(map(str, error.args))}", hint="convert, rename or drop such columns first."
        ) from error
    yield from table.to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]


def arrow_batches(item: Any, call: str) -> Iterator[pa.RecordBatch]:
    """Yield a batch as it is, or a table as its batches."""
    if isinstance(item, pa.RecordBatch):
        yield item
    elif isinstance(item, pa.Table):
        yield from item.to_batches()
    else:
        raise SchemaError(
            f"{call} yielded {type(item).__name__}", hint="yield pyarrow.RecordBatch or pyarrow.Table objects."
        )


def stream_batches(data: Any, call: str) -> Iterator[pa.RecordBatch]:
    """Return the batches of anything with ``__arrow_c_stream__``."""
    try:
        return iter(pa.RecordBatchReader.from_stream(data))
    except pa.ArrowInvalid as error:
        raise SchemaError(f"{call} is no table: {error}", hint="give something with named columns.") from error


def table_of(columns: Mapping[str, Any], call: str) -> pa.Table:
    """Return a dict of columns as a table."""
    try:
        return pa.table(dict(columns))
    except _REFUSED as error:
        raise SchemaError(
            f"{call}: the columns make no table: {error}", hint="give each column as a list of values of one type."
        ) from error

"""Times as text: Arrow spells those of the years -32,766 to 32,767, and writes ``<value out of range>`` for others."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.errors import SchemaError

# In days since 1970; a day less at both ends, which a zone may shift.
_FIRST_DAY, _LAST_DAY = -12_687_427, 11_248_736
_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000}


def holds_times(kind: pa.DataType) -> bool:
    """Tell whether values of this type hold times that may have no text."""
    if pa.types.is_timestamp(kind):
        return kind.unit in _DAY
    if pa.types.is_dictionary(kind):
        return holds_times(kind.value_type)
    return pa.types.is_date(kind) or any(holds_times(kind.field(at).type) for at in range(kind.num_fields))


def require_spelled(batch: pa.RecordBatch, places: Sequence[int]) -> None:
    """Raise `SchemaError` if a time in these columns has no text; names the column."""
    for place in places:
        if _has_unspelled(batch.column(place)):
            name = batch.schema.names[place]
            raise SchemaError(
                f"column {name!r} holds a time beyond the year 32,767, which has no text",
                column=name,
                hint="make it null, or drop the row: such times often stand for infinity. Parquet and IPC hold them.",
            )


def _has_unspelled(values: pa.Array) -> bool:
    kind = values.type
    if pa.types.is_dictionary(kind):
        values = values.dictionary
        kind = values.type
    if pa.types.is_date32(kind):
        a_day, numbers = 1, values.cast(pa.int32())
    elif pa.types.is_date64(kind) or pa.types.is_timestamp(kind):
        a_day, numbers = _DAY.get(getattr(kind, "unit", "ms"), 0), values.cast(pa.int64())
    else:
        return any(map(_has_unspelled, _inner(values)))
    if not a_day:
        return False
    first, last = pc.min_max(numbers).as_py().values()
    return first is not None and not _FIRST_DAY * a_day <= first <= last <= _LAST_DAY * a_day


def _inner(values: pa.Array) -> list[pa.Array]:
    """Return what nested values hold, without what lies in null ones or outside of a slice."""
    if not holds_times(values.type):
        return []
    if pa.types.is_struct(values.type):
        return list(values.flatten())
    if pa.types.is_map(values.type):
        start, stop = values.offsets[0].as_py(), values.offsets[-1].as_py()
        return [each.slice(start, stop - start) for each in (values.keys, values.items)]
    return [values.flatten()]

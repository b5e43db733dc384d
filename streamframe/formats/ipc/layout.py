"""Which bytes of a message's body hold which columns.

Rule: a type whose buffers cannot be counted for sure makes the whole body needed.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from streamframe.formats.ipc.metadata import Records

# Offset in the body, and length.
Buffers = tuple[tuple[int, int], ...]

_types = pa.types


def column_buffers(records: Records, schema: pa.Schema) -> dict[str, Buffers] | None:
    """Return the buffers of each column; None where that cannot be told."""
    found: dict[str, Buffers] = {}
    views = iter(records.view_buffers)
    at = 0
    for field in schema:
        count = _buffer_count(field.type, views)
        if count is None:
            return None
        found[field.name] = records.buffers[at : at + count]
        at += count
    return found if at == len(records.buffers) and next(views, None) is None else None


def needed_buffers(records: Records, schema: pa.Schema, columns: frozenset[str]) -> Buffers | None:
    """Return offset and length of the buffers of these columns; None where only the whole body will do."""
    found = column_buffers(records, schema)
    return (
        None if found is None else tuple(one for field in schema if field.name in columns for one in found[field.name])
    )


def _buffer_count(kind: pa.DataType, views: Iterator[int]) -> int | None:
    if isinstance(kind, pa.BaseExtensionType):
        return _buffer_count(kind.storage_type, views)
    if _types.is_null(kind):
        return 0
    if _types.is_list(kind) or _types.is_large_list(kind) or _types.is_map(kind):
        return _with_children(2, kind, views)
    if _types.is_list_view(kind) or _types.is_large_list_view(kind):
        return _with_children(3, kind, views)
    if _types.is_fixed_size_list(kind) or _types.is_struct(kind):
        return _with_children(1, kind, views)
    if _types.is_string_view(kind) or _types.is_binary_view(kind):
        more = next(views, None)
        return None if more is None or more < 0 else 2 + more
    if _types.is_string(kind) or _types.is_large_string(kind) or _types.is_binary(kind) or _types.is_large_binary(kind):
        return 3
    # Unions and runs have other buffers in other versions.
    plain = _types.is_primitive(kind) or _types.is_decimal(kind) or _types.is_fixed_size_binary(kind)
    return 2 if plain or _types.is_dictionary(kind) else None


def _with_children(own: int, kind: pa.DataType, views: Iterator[int]) -> int | None:
    counts = [_buffer_count(kind.field(i).type, views) for i in range(kind.num_fields)]
    return None if None in counts else own + sum(count or 0 for count in counts)

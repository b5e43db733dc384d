"""Which bytes of a message's body hold which columns.

Rule: a type whose buffers cannot be counted for sure makes the whole body needed.
"""

from __future__ import annotations

import pyarrow as pa

from streamframe.formats.ipc.metadata import Records

_types = pa.types


def needed_buffers(records: Records, schema: pa.Schema, columns: frozenset[str]) -> tuple[tuple[int, int], ...] | None:
    """Return offset and length of the buffers of these columns; None where only the whole body will do."""
    wanted: list[tuple[int, int]] = []
    at = 0
    for field in schema:
        count = _buffer_count(field.type)
        if count is None:
            return None
        if field.name in columns:
            wanted += records.buffers[at : at + count]
        at += count
    return tuple(wanted) if at == len(records.buffers) else None


def _buffer_count(kind: pa.DataType) -> int | None:
    if isinstance(kind, pa.BaseExtensionType):
        return _buffer_count(kind.storage_type)
    if _types.is_null(kind):
        return 0
    if _types.is_list(kind) or _types.is_large_list(kind) or _types.is_map(kind):
        return _with_children(2, kind)
    if _types.is_fixed_size_list(kind) or _types.is_struct(kind):
        return _with_children(1, kind)
    if _types.is_string(kind) or _types.is_large_string(kind) or _types.is_binary(kind) or _types.is_large_binary(kind):
        return 3
    # Views, unions and runs have other buffers in other versions, or a number that the data decides.
    plain = _types.is_primitive(kind) or _types.is_decimal(kind) or _types.is_fixed_size_binary(kind)
    return 2 if plain or _types.is_dictionary(kind) else None


def _with_children(own: int, kind: pa.DataType) -> int | None:
    counts = [_buffer_count(kind.field(i).type) for i in range(kind.num_fields)]
    return None if None in counts else own + sum(count or 0 for count in counts)

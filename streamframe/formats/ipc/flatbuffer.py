"""The few fields of Arrow's flatbuffers that pyarrow does not show.

Layout: https://flatbuffers.dev/internals. A damaged buffer raises `struct.error` or `IndexError`.
"""

from __future__ import annotations

import struct

_CONTINUATION = b"\xff\xff\xff\xff"


def kind_and_body_bytes(metadata: bytes) -> tuple[int, int]:
    """Return what a message is, and how long its body is; each may be left out."""
    kind_at, body_at = _field(metadata, 1), _field(metadata, 3)
    kind = metadata[kind_at] if kind_at else 0
    return kind, struct.unpack_from("<q", metadata, body_at)[0] if body_at else 0


def dictionary_id(message: memoryview) -> tuple[int, bool]:
    """Return which dictionary a message is, and whether it adds to the one before."""
    start = 8 if message[:4] == _CONTINUATION else 4
    (length,) = struct.unpack_from("<i", message, start - 4)
    metadata = bytes(message[start : start + length])
    header = _at(metadata, _field(metadata, 2))
    id_at, delta_at = _field(metadata, 0, header), _field(metadata, 2, header)
    number = struct.unpack_from("<q", metadata, id_at)[0] if id_at else 0
    return number, bool(delta_at and metadata[delta_at])


def blocks_of_footer(footer: bytes) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return where the dictionaries and the record batches of a file lie, as (offset, nbytes)."""
    return _blocks(footer, 2), _blocks(footer, 3)


def _blocks(footer: bytes, index: int) -> list[tuple[int, int]]:
    field = _field(footer, index)
    if not field:
        return []
    start = _at(footer, field)
    (count,) = struct.unpack_from("<I", footer, start)
    if start + 4 + 24 * count > len(footer):
        raise IndexError("outside of the footer")
    found = [struct.unpack_from("<qi4xq", footer, start + 4 + 24 * number) for number in range(count)]
    if any(min(numbers) < 0 for numbers in found):
        raise IndexError("before the start")
    return [(offset, metadata + body) for offset, metadata, body in found]


def _at(data: bytes, position: int) -> int:
    return position + int(struct.unpack_from("<I", data, position)[0])


def _field(data: bytes, index: int, table: int | None = None) -> int:
    """Return where a field of a table lies; 0 if it is left out."""
    if table is None:
        table = _at(data, 0)
    vtable = table - struct.unpack_from("<i", data, table)[0]
    if vtable < 0:
        raise IndexError("outside of the message")
    (vtable_bytes,) = struct.unpack_from("<H", data, vtable)
    slot = 4 + 2 * index
    if slot >= vtable_bytes:
        return 0
    (at,) = struct.unpack_from("<H", data, vtable + slot)
    return table + int(at) if at else 0

"""The Arrow arrays that a kernel fills.

Rule: all room is there before the kernel runs, but for text, of which nobody knows how long it is: what was
needed for earlier blocks tells what the next one needs, and a kernel that has too little says so.
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

from streamframe.batch import rows_without_columns
from streamframe.native.kernels import Column

_INTEGER, _UNSIGNED, _FLOAT, _BOOLEAN, _TEXT, _DATE, _TIMESTAMP = range(1, 8)
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_LEAST_TEXT_BYTES = 1024


class _Type(NamedTuple):
    kind: int
    width: int
    least: int = 0
    most: int = 0
    per_second: int = 0
    zoned: bool = False


def is_native(schema: pa.Schema) -> bool:
    """Tell whether kernels can make columns of all these types."""
    return all(_type_of(kind) for kind in schema.types)


def _type_of(kind: pa.DataType) -> _Type | None:
    if pa.types.is_signed_integer(kind):
        return _Type(_INTEGER, kind.bit_width // 8, -(1 << kind.bit_width - 1), (1 << kind.bit_width - 1) - 1)
    if pa.types.is_unsigned_integer(kind):
        return _Type(_UNSIGNED, kind.bit_width // 8, 0, min((1 << kind.bit_width) - 1, (1 << 63) - 1))
    if pa.types.is_float64(kind):
        return _Type(_FLOAT, 8)
    if pa.types.is_boolean(kind):
        return _Type(_BOOLEAN, 0)
    if pa.types.is_string(kind):
        return _Type(_TEXT, 4)
    if pa.types.is_date32(kind):
        return _Type(_DATE, 4)
    if pa.types.is_timestamp(kind):
        return _Type(_TIMESTAMP, 8, per_second=_PER_SECOND[kind.unit], zoned=kind.tz is not None)
    return None


@dataclass
class TextRoom:
    """How much text the columns of a file hold for each raw byte, or row, as far as was seen.

    Threads write it without a lock: a forecast may be a block late.
    """

    shares: dict[str, float] = field(default_factory=dict)

    def forecast(self, name: str, raw_bytes: int, columns: int) -> int:
        """Return how many bytes a column of text may need."""
        share = self.shares.get(name, 1 / max(columns, 1))
        return int(raw_bytes * share * 1.1) + _LEAST_TEXT_BYTES

    def learn(self, name: str, raw_bytes: int, text_bytes: int) -> None:
        """Take one block into account."""
        self.shares[name] = max(self.shares.get(name, 0.0) * 0.9, text_bytes / max(raw_bytes, 1))


class Arrays:
    """Room for the rows of one block.

    Parameters
    ----------
    schema
        The columns.
    most_rows
        There are no more.
    raw_bytes
        Of the block.
    room
        What was learned of earlier blocks.
    exact
        Columns in which no digit of a whole number may be lost: a kernel is not sure of floats that would.
    """

    def __init__(
        self, schema: pa.Schema, most_rows: int, raw_bytes: int, room: TextRoom, exact: Collection[str] = ()
    ) -> None:
        self._schema = schema
        self._raw_bytes = raw_bytes
        self._room = room
        self.columns = (Column * len(schema))()
        self._validity: list[pa.Buffer] = []
        self._values: list[pa.Buffer] = []
        self._text: list[pa.Buffer | None] = []
        bitmap_bytes = -(-most_rows // 8)
        for column, wanted in zip(self.columns, schema, strict=True):
            known = _type_of(wanted.type)
            assert known
            column.kind, column.width, column.least, column.most, column.per_second, column.zoned = known
            column.exact = wanted.name in exact
            validity = pa.allocate_buffer(bitmap_bytes, resizable=True)
            ctypes.memset(validity.address, 0xFF, bitmap_bytes)
            values = pa.allocate_buffer(self._value_bytes(known, most_rows), resizable=True)
            text = None
            if known.kind == _TEXT:
                ctypes.memset(values.address, 0, 4)
                column.text_room = room.forecast(wanted.name, raw_bytes, len(schema))
                text = pa.allocate_buffer(column.text_room, resizable=True)
                column.text = text.address
            elif known.kind == _BOOLEAN:
                ctypes.memset(values.address, 0, bitmap_bytes)
            column.validity, column.values = validity.address, values.address
            self._validity.append(validity)
            self._values.append(values)
            self._text.append(text)

    @staticmethod
    def _value_bytes(known: _Type, rows: int) -> int:
        if known.kind == _BOOLEAN:
            return -(-rows // 8)
        return (rows + (known.kind == _TEXT)) * known.width

    def make_room(self, place: int) -> None:
        """Give a column more room for its text."""
        column, text = self.columns[place], self._text[place]
        assert text is not None
        column.text_room = min(2 * column.text_room, self._raw_bytes) + _LEAST_TEXT_BYTES
        text.resize(column.text_room)
        column.text = text.address

    def batch(self, rows: int) -> pa.RecordBatch:
        """Return so many rows as a batch."""
        if not len(self._schema):
            return rows_without_columns(rows)
        made = []
        for place, (column, wanted) in enumerate(zip(self.columns, self._schema, strict=True)):
            known = _type_of(wanted.type)
            values, validity, text = self._values[place], self._validity[place], self._text[place]
            assert known
            values.resize(self._value_bytes(known, rows), shrink_to_fit=True)
            if column.nulls:
                validity.resize(-(-rows // 8), shrink_to_fit=True)
            buffers = [validity if column.nulls else None, values]
            if text is not None:
                text.resize(column.text_used, shrink_to_fit=True)
                self._room.learn(wanted.name, self._raw_bytes, column.text_used)
                buffers.append(text)
            made.append(pa.Array.from_buffers(wanted.type, rows, buffers, column.nulls))
        return pa.RecordBatch.from_arrays(made, schema=self._schema)

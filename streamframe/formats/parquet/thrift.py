"""Structs in the compact protocol of Thrift, as footers and page headers of Parquet are.

Rule: what is read can be written again, whether its meaning is known or not: a struct is a dict of fields by number,
and each value stands beside its type. Nothing here knows Parquet; what is read was written, or read before, by Arrow.
See https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
_INTEGERS = (I16, I32, I64)
_LONG_LIST = 15


class Typed(NamedTuple):
    """A value and its type.

    That of a struct is a dict of `Typed` by field, or the bytes of one; of a list, the type of its items, and these.
    """

    kind: int
    value: Any


Struct = dict[int, Typed]


def flag(value: bool) -> Typed:
    """Return a boolean field."""
    return Typed(TRUE if value else FALSE, value)


def i32(value: int) -> Typed:
    """Return a field of 32 bits."""
    return Typed(I32, value)


def i64(value: int) -> Typed:
    """Return a field of 64 bits."""
    return Typed(I64, value)


def binary(value: bytes) -> Typed:
    """Return a field of bytes, or of text in UTF-8."""
    return Typed(BINARY, value)


def items(kind: int, values: list[Any]) -> Typed:
    """Return a field that is a list."""
    return Typed(LIST, (kind, values))


def nested(fields: Struct | bytes) -> Typed:
    """Return a field that is a struct, or what one was written as."""
    return Typed(STRUCT, fields)


def written(fields: Struct, *, behind: int = 0) -> bytes:
    """Return a struct as bytes; what comes behind one of its fields, if these are those of higher numbers.

    Examples
    --------
    >>> written({1: i32(5), 3: binary(b"ab")}).hex()
    '150a2802616200'
    """
    out = bytearray()
    _write_struct(out, fields, behind)
    return bytes(out)


def read(data: bytes, *, last: int | None = None) -> Struct:
    """Return the struct that bytes begin with, its fields up to one of them.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> read(bytes.fromhex("150a2802616200"))[3].value
    b'ab'
    """
    return _read(data, last)[0]


def read_first(data: bytes) -> tuple[Struct, int]:
    """Return the struct that bytes begin with, and how many of them it is.

    Raises
    ------
    ValueError
        If there is none, or not all of it.

    Examples
    --------
    >>> read_first(bytes.fromhex("150a280261620077"))[1]
    7
    """
    fields, nbytes = _read(data, None)
    if nbytes > len(data):
        raise ValueError("a struct of Thrift is cut off")
    return fields, nbytes


def _read(data: bytes, last: int | None) -> tuple[Struct, int]:
    reader = _Reader(data)
    try:
        return reader.struct(last), reader.at
    except (IndexError, RecursionError, struct.error) as error:
        raise ValueError("not a struct of Thrift") from error


def _write_struct(out: bytearray, fields: Struct, before: int = 0) -> None:
    for number, (kind, value) in sorted(fields.items()):
        step = number - before
        if 0 < step <= _LONG_LIST:
            out.append(step << 4 | kind)
        else:
            out.append(kind)
            write_varint(out, _zigzag(number))
        if kind not in (TRUE, FALSE):
            _write(out, kind, value)
        before = number
    out.append(0)


def _write(out: bytearray, kind: int, value: Any) -> None:
    if kind in _INTEGERS:
        write_varint(out, _zigzag(value))
    elif kind == BINARY:
        write_varint(out, len(value))
        out += value
    elif kind == STRUCT:
        if isinstance(value, bytes):
            out += value
        else:
            _write_struct(out, value)
    elif kind in (LIST, SET):
        inner, values = value
        if len(values) < _LONG_LIST:
            out.append(len(values) << 4 | inner)
        else:
            out.append(_LONG_LIST << 4 | inner)
            write_varint(out, len(values))
        for each in values:
            _write(out, inner, each)
    elif kind in (TRUE, FALSE, BYTE):
        # In a list: a field has no value behind its type.
        out.append(value & 0xFF if kind == BYTE else TRUE if value else FALSE)
    elif kind == DOUBLE:
        out += struct.pack("<d", value)
    else:
        raise ValueError(f"Thrift's type {kind} is not written here")


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def write_varint(out: bytearray, value: int) -> None:
    """Write a whole number in as few bytes as it takes, seven bits in each."""
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def struct(self, last: int | None = None) -> Struct:
        fields: Struct = {}
        number = 0
        while number != last and (head := self._byte()):
            kind = head & 0x0F
            number = number + (head >> 4) if head >> 4 else self._integer()
            fields[number] = Typed(kind, kind == TRUE if kind in (TRUE, FALSE) else self._value(kind))
        return fields

    def _value(self, kind: int) -> Any:
        if kind in _INTEGERS:
            return self._integer()
        if kind == BINARY:
            return self._bytes(self._varint())
        if kind == STRUCT:
            return self.struct()
        if kind in (LIST, SET):
            head = self._byte()
            count, inner = head >> 4, head & 0x0F
            if count == _LONG_LIST:
                count = self._varint()
            return inner, [self._value(inner) for _ in range(count)]
        if kind in (TRUE, FALSE):
            return self._byte() == TRUE
        if kind == BYTE:
            # Not by a slice, which has no end: there may be two thousand million of them in a damaged list.
            return (self._byte() ^ 0x80) - 0x80
        if kind == DOUBLE:
            return struct.unpack("<d", self._bytes(8))[0]
        raise ValueError(f"Thrift's type {kind} is not read here")

    def _byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def _bytes(self, count: int) -> bytes:
        self.at += count
        return self._data[self.at - count : self.at]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) > 0x7F:
            value |= (byte & 0x7F) << shift
            shift += 7
        return value | byte << shift

    def _integer(self) -> int:
        value = self._varint()
        return value >> 1 if not value & 1 else -(value >> 1) - 1

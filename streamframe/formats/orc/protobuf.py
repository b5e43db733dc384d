"""Messages of Protocol Buffers, as far as ORC has them: numbers, and bytes.

Rule: what is no such message ends with an IndexError, a KeyError or a TypeError; whoever reads says what it means.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Fields = dict[int, list[Any]]


def first(fields: Fields, number: int) -> int:
    """Return the number in a field; 0, the default, where it is left out."""
    found = fields[number]
    return found[0] if found else 0


def fields_of(data: bytes) -> Fields:
    """Return the values of a message of Protocol Buffers by their numbers: integers, or the bytes of what is longer."""
    found: Fields = defaultdict(list)
    for number, value in _each(data):
        found[number].append(value)
    return found


def _each(data: bytes) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
            yield key >> 3, value
            continue
        length, at = varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
        yield key >> 3, data[at : at + length]
        at += length


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins there, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def message(fields: Mapping[int, Iterable[int | bytes]]) -> bytes:
    """Return a message that `fields_of` reads back, in the order of the numbers."""
    made = bytearray()
    for number in sorted(fields):
        for value in fields[number]:
            if isinstance(value, bytes):
                made += _written(number << 3 | 2) + _written(len(value)) + value
            else:
                made += _written(number << 3) + _written(value)
    return bytes(made)


def _written(value: int) -> bytes:
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes([*made, value])

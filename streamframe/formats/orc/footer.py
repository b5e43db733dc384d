"""What the footer of an ORC file says of its size: the rows of each stripe, and what its columns weigh.

Rules: Arrow has read the footer before and found it in order; still, what it says of sizes may be wrong, so
that nothing here is more than a forecast, but for the rows of a stripe: Arrow decodes as many. The numbers are those
of `orc_proto.proto` (https://orc.apache.org/specification/ORCv1).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

# Of FileTail, Footer, StripeInformation, Type and ColumnStatistics.
_FOOTER = 2
_STRIPES, _TYPES, _ROWS, _STATISTICS = 3, 4, 6, 7
_STRIPE_ROWS = 5
_KIND, _SUBTYPES = 1, 2
_VALUES, _TEXT, _BYTES = 1, 4, 8
_TEXT_SUM, _BYTES_SUM = 3, 1

# Bits of one value in Arrow, by kind.
_BITS = {0: 1, 1: 8, 2: 16, 3: 32, 4: 64, 5: 32, 6: 64, 9: 64, 14: 128, 15: 32, 18: 64}
_TEXTS = {7, 8, 16, 17}
_LIST, _MAP = 10, 11
_OFFSET_BITS = 32
# Of a text whose length nobody has written down.
_GUESSED_TEXT_BITS = 8 * 32

_Fields = dict[int, list[Any]]


class OrcFooter(NamedTuple):
    """Sizes of a file, decoded."""

    stripe_rows: list[int]
    # Bytes of a row, by top-level column, as they stand in the schema.
    row_bytes: list[float]

    @classmethod
    def of(cls, tail: bytes) -> OrcFooter:
        """Return what the serialized `FileTail` says."""
        footer = _fields(_fields(tail)[_FOOTER][0])
        types = [_fields(one) for one in footer[_TYPES]]
        statistics = [_fields(one) for one in footer[_STATISTICS]]
        statistics += [_fields(b"")] * (len(types) - len(statistics))
        rows = _first(footer, _ROWS)
        bits = [_bits(types, statistics, child, rows) for child in _children(types, 0)]
        stripes = [_first(_fields(one), _STRIPE_ROWS) for one in footer[_STRIPES]]
        return cls(stripes, [each / 8 / max(1, rows) for each in bits])


def _bits(types: list[_Fields], statistics: list[_Fields], place: int, slots: int) -> int:
    """Return the bits of a column and what is below it, with so many slots for values."""
    kind = _first(types[place], _KIND)
    below = [child for child in _children(types, place) if place < child < len(types)]
    told = statistics[place]
    if kind in _TEXTS:
        sums = [
            _unzigzag(_first(_fields(one), number))
            for statistic, number in ((_TEXT, _TEXT_SUM), (_BYTES, _BYTES_SUM))
            for one in told[statistic]
        ]
        own = 8 * max(0, sums[0]) if sums else slots * _GUESSED_TEXT_BITS
        return slots * (_OFFSET_BITS + 1) + own
    if kind in (_LIST, _MAP):
        own = slots * (_OFFSET_BITS + 1)
        return own + sum(_bits(types, statistics, child, _first(statistics[child], _VALUES)) for child in below)
    return slots * (_BITS.get(kind, 0) + 1) + sum(_bits(types, statistics, child, slots) for child in below)


def _children(types: list[_Fields], place: int) -> list[int]:
    found: list[int] = []
    for one in types[place][_SUBTYPES]:
        if isinstance(one, bytes):
            at = 0
            while at < len(one):
                child, at = _varint(one, at)
                found.append(child)
        else:
            found.append(one)
    return found


def _first(fields: _Fields, number: int) -> int:
    found = fields[number]
    return found[0] if found else 0


def _unzigzag(value: int) -> int:
    return (value >> 1) ^ -(value & 1)


def _fields(data: bytes) -> _Fields:
    """Return the values of a message of Protocol Buffers by their numbers: integers, or the bytes of what is longer."""
    found: _Fields = defaultdict(list)
    for number, value in _each(data):
        found[number].append(value)
    return found


def _each(data: bytes) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        length, at = _varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
        yield key >> 3, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at

"""What the footer of an ORC file says of its size: the rows of each stripe, and what its columns weigh.

Rules: Arrow has read the footer before and found it in order; still, what it says of sizes may be wrong, so
that nothing here is more than a forecast, but for the rows of a stripe: Arrow decodes as many. The numbers are those
of `orc_proto.proto` (https://orc.apache.org/specification/ORCv1).
"""

from __future__ import annotations

from typing import NamedTuple

from streamframe.formats.orc.protobuf import Fields, fields_of, first, varint

# Of FileTail, PostScript, Footer, StripeInformation, Type and ColumnStatistics.
_POSTSCRIPT, _FOOTER = 1, 2
_COMPRESSION, _CHUNK_BYTES = 2, 3
_STRIPES, _TYPES, _ROWS, _STATISTICS = 3, 4, 6, 7
_OFFSET, _INDEX, _DATA, _STRIPE_FOOTER, _STRIPE_ROWS = 1, 2, 3, 4, 5
_KIND, _SUBTYPES = 1, 2
_VALUES, _TEXT, _BYTES = 1, 4, 8
_TEXT_SUM, _BYTES_SUM = 3, 1

# Bits of one value in Arrow, by kind.
_BITS = {0: 1, 1: 8, 2: 16, 3: 32, 4: 64, 5: 32, 6: 64, 9: 64, 14: 128, 15: 32, 18: 64}
TEXTS = frozenset({7, 8, 16, 17})
LISTS = frozenset({10, 11})
_OFFSET_BITS = 32
# Of a text whose length nobody has written down.
_GUESSED_TEXT_BITS = 8 * 32
# Of writers that do not say.
_DEFAULT_CHUNK_BYTES = 256 << 10


class StripePlace(NamedTuple):
    """Where a stripe lies: what helps to find rows comes first, then its data, then what its streams are."""

    offset: int
    index_bytes: int
    data_bytes: int
    footer_bytes: int
    rows: int


class OrcFooter(NamedTuple):
    """Sizes of a file, decoded."""

    stripes: list[StripePlace]
    # Bytes of a row, by top-level column, as they stand in the schema.
    row_bytes: list[float]
    # The kind of each column and those below it; the first one holds the top-level columns.
    kinds: list[int]
    children: list[list[int]]
    # The number of the codec, and what each chunk that it made becomes at most.
    compression: int
    chunk_bytes: int

    @classmethod
    def of(cls, tail: bytes) -> OrcFooter:
        """Return what the serialized `FileTail` says."""
        parts = fields_of(tail)
        postscript, footer = fields_of(parts[_POSTSCRIPT][0]), fields_of(parts[_FOOTER][0])
        types = [fields_of(one) for one in footer[_TYPES]]
        statistics = [fields_of(one) for one in footer[_STATISTICS]]
        statistics += [fields_of(b"")] * (len(types) - len(statistics))
        rows = first(footer, _ROWS)
        bits = [_bits(types, statistics, child, rows) for child in _children(types, 0)]
        return cls(
            stripes=[_place(fields_of(one)) for one in footer[_STRIPES]],
            row_bytes=[each / 8 / max(1, rows) for each in bits],
            kinds=[first(one, _KIND) for one in types],
            children=[_children(types, place) for place in range(len(types))],
            compression=first(postscript, _COMPRESSION),
            chunk_bytes=first(postscript, _CHUNK_BYTES) or _DEFAULT_CHUNK_BYTES,
        )

    @property
    def stripe_rows(self) -> list[int]:
        """The rows of each stripe."""
        return [stripe.rows for stripe in self.stripes]


def _place(stripe: Fields) -> StripePlace:
    return StripePlace(*(first(stripe, number) for number in (_OFFSET, _INDEX, _DATA, _STRIPE_FOOTER, _STRIPE_ROWS)))


def _bits(types: list[Fields], statistics: list[Fields], place: int, slots: int) -> int:
    """Return the bits of a column and what is below it, with so many slots for values."""
    kind = first(types[place], _KIND)
    below = [child for child in _children(types, place) if place < child < len(types)]
    told = statistics[place]
    if kind in TEXTS:
        sums = [
            _unzigzag(first(fields_of(one), number))
            for statistic, number in ((_TEXT, _TEXT_SUM), (_BYTES, _BYTES_SUM))
            for one in told[statistic]
        ]
        own = 8 * max(0, sums[0]) if sums else slots * _GUESSED_TEXT_BITS
        return slots * (_OFFSET_BITS + 1) + own
    if kind in LISTS:
        own = slots * (_OFFSET_BITS + 1)
        return own + sum(_bits(types, statistics, child, first(statistics[child], _VALUES)) for child in below)
    return slots * (_BITS.get(kind, 0) + 1) + sum(_bits(types, statistics, child, slots) for child in below)


def _children(types: list[Fields], place: int) -> list[int]:
    found: list[int] = []
    for one in types[place][_SUBTYPES]:
        if isinstance(one, bytes):
            at = 0
            while at < len(one):
                child, at = varint(one, at)
                found.append(child)
        else:
            found.append(one)
    return found


def _unzigzag(value: int) -> int:
    return (value >> 1) ^ -(value & 1)

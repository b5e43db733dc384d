"""How much Arrow would hold of a column chunk at once: looked at before it decompresses the first page.

Rules: a footer may say what it likes, and 46 KB hold a page of 1.5 GB. What Arrow makes room for is what the header of
the page says, so the headers are read, one after another, for as long as Arrow would; what is not as Arrow would read
it is damaged. Only where so much can come out of the bytes of a chunk at all: each codec has its bound.
See https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Self

from streamframe.errors import DecodeError
from streamframe.formats.limits import Limits
from streamframe.formats.parquet import thrift
from streamframe.formats.parquet.chunks import Chunk

DAMAGED_HINT = "the file is damaged or was cut short; write or download it again."
# A header is short, but for the bounds of texts in it. Arrow reads none that is longer.
_HEADER_BYTES, _MOST_HEADER_BYTES = 1 << 10, 1 << 24
# `PageHeader` of Parquet's format: its fields by number, and what pages of data have in one of them.
_KIND, _NBYTES, _PACKED_BYTES = 1, 2, 3
_DATA_HEADERS = {0: 5, 3: 8}
_VALUES = 1
# What becomes of one byte at most: a copy of 64 bytes in three, a length of 255 in one, 258 bytes in two bits, a block
# of 128 KiB in four bytes. Brotli has no bound that would help.
_MOST_OF_A_BYTE = {"UNCOMPRESSED": 1, "SNAPPY": 22, "LZ4": 256, "LZ4_RAW": 256, "GZIP": 1032, "ZSTD": 1 << 15}
# Arrow notes of each value in a list how deep it is, in 16 bits, and whether it is there, in as many.
_LEAST_VALUE_BYTES = 4


class Page(NamedTuple):
    """One page, as its header says.

    Attributes
    ----------
    nbytes, packed_bytes
        Its size, and that of what it is packed into.
    values
        How many there are, with those that are missing; 0 for a dictionary.
    """

    nbytes: int
    packed_bytes: int
    values: int

    @classmethod
    def of(cls, header: thrift.Struct) -> Self:
        """Return what a header says; raise `ValueError` if it is none."""
        nbytes, packed_bytes = _number(header, _NBYTES), _number(header, _PACKED_BYTES)
        place = _DATA_HEADERS.get(_number(header, _KIND))
        return cls(nbytes, packed_bytes, 0 if place is None else _values(header, place))


def require_small(
    chunk: Chunk, rows: int, limits: Limits, source: Callable[[int, int], Any], *, column: str, label: str
) -> None:
    """Raise `BudgetError` if Arrow would hold more at once of a chunk than is allowed: a page, or a row.

    Parameters
    ----------
    chunk, rows
        Where its pages are, and how many rows they hold.
    limits
        What is allowed.
    source
        Returns bytes of the file, by offset and number.
    column, label
        The names of the column and of the file.

    Raises
    ------
    DecodeError
        If there is something else where a page should be.
    """
    # Of values in lists, the largest row has as many as all have on average.
    row_bytes = chunk.values // max(1, rows) * _LEAST_VALUE_BYTES
    limits.check(row_bytes, f"some row of column {column!r}", label, chunk.start)
    if not chunk.elsewhere and may_become(chunk, limits.batch_bytes):
        nbytes, offset = _largest_page(chunk, source, label)
        limits.check(nbytes, f"a page of column {column!r}", label, offset)


def may_become(chunk: Chunk, nbytes: int) -> bool:
    """Tell whether a page of so many bytes can come out of a chunk, whatever is said of it."""
    most = _MOST_OF_A_BYTE.get(chunk.codec)
    return most is None or (chunk.end - chunk.start) * most >= nbytes


def _largest_page(chunk: Chunk, source: Callable[[int, int], Any], label: str) -> tuple[int, int]:
    """Return how large the largest page becomes, and where it starts."""
    found, at, values = (0, chunk.start), chunk.start, 0
    while at < chunk.end and values < chunk.values:
        page, length = _page(at, chunk.end, source, label)
        found = max(found, (page.nbytes, at), key=lambda each: each[0])
        at += length + page.packed_bytes
        values += page.values
    return found


def _page(at: int, end: int, source: Callable[[int, int], Any], label: str) -> tuple[Page, int]:
    """Return the page that starts somewhere, and the length of its header."""
    window = _HEADER_BYTES
    while True:
        try:
            header, length = thrift.read_first(bytes(source(at, min(window, end - at))))
            return Page.of(header), length
        except ValueError as error:
            if window >= min(end - at, _MOST_HEADER_BYTES):
                raise DecodeError(
                    "a page cannot be decoded: its header is damaged",
                    source=label,
                    byte_offset=at,
                    hint=DAMAGED_HINT,
                ) from error
            window *= 16


def _values(header: thrift.Struct, place: int) -> int:
    fields = header.get(place)
    if fields is None or fields.kind != thrift.STRUCT:
        raise ValueError("a page of data does not say how many values it has")
    return _number(fields.value, _VALUES)


def _number(fields: thrift.Struct, place: int) -> int:
    found = fields.get(place)
    if found is None or found.kind != thrift.I32 or not 0 <= found.value < 1 << 31:
        raise ValueError("not a number of Parquet's")
    return int(found.value)

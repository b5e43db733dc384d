"""The pages of a column chunk, as their headers say: looked at before Arrow decompresses the first of them.

Rules: a footer may say what it likes, and 46 KB hold a page of 1.5 GB. So the headers are read, one after another, for
as long as Arrow would; what is not as Arrow would read it is damaged.
See https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self

from streamframe.errors import DecodeError
from streamframe.formats.parquet import thrift
from streamframe.formats.parquet.chunks import Chunk
from streamframe.native.parquet_rows import header_of

DAMAGED_HINT = "the file is damaged or was cut short; write or download it again."
# A header is short, but for the bounds of texts in it. Arrow reads none that is longer.
_HEADER_BYTES, _MOST_HEADER_BYTES = 1 << 10, 1 << 24
# `PageHeader` of Parquet's format: its fields by number, and those of what a page of each kind has in one of them.
_KIND, _NBYTES, _PACKED_BYTES = 1, 2, 3
DATA_PAGE, DICTIONARY_PAGE, DATA_PAGE_2 = 0, 2, 3
_HEADERS = {DATA_PAGE: 5, DICTIONARY_PAGE: 7, DATA_PAGE_2: 8}
_VALUES = 1
_ENCODING, _DEFINITION_ENCODING, _REPETITION_ENCODING = 2, 3, 4
_ENCODING_2, _DEFINITION_BYTES, _REPETITION_BYTES, _PACKED = 4, 5, 6, 7
# What becomes of one byte at most: a copy of 64 bytes in three, a length of 255 in one, 258 bytes in two bits, a block
# of 128 KiB in four bytes. Brotli has no bound that would help.
_MOST_OF_A_BYTE = {"UNCOMPRESSED": 1, "SNAPPY": 22, "LZ4": 256, "LZ4_RAW": 256, "GZIP": 1032, "ZSTD": 1 << 15}


class Page(NamedTuple):
    """One page, as its header says.

    Attributes
    ----------
    kind
        `DATA_PAGE`, `DICTIONARY_PAGE`, `DATA_PAGE_2`, or another one, which is passed over.
    nbytes, packed_bytes
        Its size, and that of what it is packed into.
    values
        How many there are, with those that are missing.
    encoding, definition_encoding, repetition_encoding
        How values are written, and in the first version the levels.
    definition_bytes, repetition_bytes, packed
        In the second version, how long the levels are, and whether what is behind them is packed.
    """

    kind: int
    nbytes: int
    packed_bytes: int
    values: int = 0
    encoding: int = 0
    definition_encoding: int = 0
    repetition_encoding: int = 0
    definition_bytes: int = 0
    repetition_bytes: int = 0
    packed: bool = True

    @property
    def is_data(self) -> bool:
        """It has rows, or parts of rows."""
        return self.kind in (DATA_PAGE, DATA_PAGE_2)

    @classmethod
    def of(cls, header: thrift.Struct) -> Self:
        """Return what a header says; raise `ValueError` if it is none."""
        kind, nbytes, packed_bytes = (_number(header, place) for place in (_KIND, _NBYTES, _PACKED_BYTES))
        if kind not in _HEADERS:
            return cls(kind, nbytes, packed_bytes)
        found = header.get(_HEADERS[kind])
        if found is None or found.kind != thrift.STRUCT:
            raise ValueError("a page does not say how many values it has")
        fields = found.value
        values = _number(fields, _VALUES)
        if kind != DATA_PAGE_2:
            encoding = _number(fields, _ENCODING)
            if kind == DICTIONARY_PAGE:
                return cls(kind, nbytes, packed_bytes, values, encoding)
            definition, repetition = _number(fields, _DEFINITION_ENCODING), _number(fields, _REPETITION_ENCODING)
            return cls(kind, nbytes, packed_bytes, values, encoding, definition, repetition)
        return cls(
            kind,
            nbytes,
            packed_bytes,
            values,
            _number(fields, _ENCODING_2),
            definition_bytes=_number(fields, _DEFINITION_BYTES),
            repetition_bytes=_number(fields, _REPETITION_BYTES),
            packed=fields.get(_PACKED, thrift.flag(True)).kind != thrift.FALSE,
        )


def pages_of(chunk: Chunk, source: Callable[[int, int], Any], label: str) -> Iterator[tuple[int, int, Page]]:
    """Yield the pages that Arrow would read, with the places of their headers and of their bytes.

    Raises
    ------
    DecodeError
        If there is something else where a page should be.
    """
    at, values = chunk.start, 0
    while at < chunk.end and values < chunk.values:
        page, length = _page(at, chunk.end, source, label)
        yield at, at + length, page
        at += length + page.packed_bytes
        values += page.values if page.is_data else 0


def may_become(chunk: Chunk, nbytes: int) -> bool:
    """Tell whether a page of so many bytes can come out of a chunk, whatever is said of it."""
    most = _MOST_OF_A_BYTE.get(chunk.codec)
    return most is None or (chunk.end - chunk.start) * most >= nbytes


def _page(at: int, end: int, source: Callable[[int, int], Any], label: str) -> tuple[Page, int]:
    """Return the page that starts somewhere, and the length of its header."""
    window = _HEADER_BYTES
    while True:
        data = bytes(source(at, min(window, end - at)))
        if (told := header_of(data)) is not None:
            (*numbers, packed), length = told
            return Page._make([*numbers, bool(packed)]), length
        try:
            header, length = thrift.read_first(data)
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


def _number(fields: thrift.Struct, place: int) -> int:
    found = fields.get(place)
    if found is None or found.kind != thrift.I32 or not 0 <= found.value < 1 << 31:
        raise ValueError("not a number of Parquet's")
    return int(found.value)

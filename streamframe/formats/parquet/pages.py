"""How large the pages of a column chunk become: looked at before Arrow decompresses them.

Rule: only chunks that are large themselves are looked at, page header by page header. What cannot be understood is left
to Arrow, which has an error for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from streamframe.formats.parquet import thrift
from streamframe.formats.parquet.chunks import Chunk

# A header is short, but for the bounds of texts in it.
_HEADER_BYTES, _MOST_HEADER_BYTES = 1 << 10, 1 << 24
# `PageHeader` of Parquet's format: its fields by number.
_NBYTES, _PACKED_BYTES = 2, 3


def largest_page(chunk: Chunk, source: Callable[[int, int], Any]) -> tuple[int, int]:
    """Return how large the largest page becomes, and where it starts, as far as can be told.

    Parameters
    ----------
    chunk
        Where its pages are.
    source
        Returns bytes of the file, by offset and number.
    """
    found, at = (0, chunk.start), chunk.start
    while at < chunk.end and (header := _header(at, chunk.end, source)) is not None:
        nbytes, packed_bytes, length = header
        found = max(found, (nbytes, at), key=lambda each: each[0])
        at += length + packed_bytes
    return found


def _header(at: int, end: int, source: Callable[[int, int], Any]) -> tuple[int, int, int] | None:
    """Return the size of a page, that of what it is packed into, and that of its header; None if there is none."""
    window = _HEADER_BYTES
    while True:
        try:
            fields, length = thrift.read_first(bytes(source(at, min(window, end - at))))
            nbytes, packed_bytes = fields[_NBYTES].value, fields[_PACKED_BYTES].value
        except (ValueError, KeyError):
            if window >= min(end - at, _MOST_HEADER_BYTES):
                return None
            window *= 16
        else:
            known = isinstance(nbytes, int) and isinstance(packed_bytes, int) and packed_bytes >= 0
            return (nbytes, packed_bytes, length) if known else None

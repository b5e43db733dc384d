"""Whether the lengths in a stripe are such that Arrow may decode it.

Rules: the library below Arrow adds lengths up and takes the sum for what to allocate and where to read, however large
or negative they are: one damaged length ends the process. So the lengths of text, bytes, lists and maps are decoded
here first, and held against what the stripe can hold. Nothing else is looked at; ORC has no checksums.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from streamframe.formats.orc.chunks import can_decompress, decompressed, most_bytes
from streamframe.formats.orc.footer import LISTS, TEXTS, OrcFooter, StripePlace
from streamframe.formats.orc.protobuf import Fields, fields_of, first
from streamframe.formats.orc.run_lengths import Totals, totals

# Of StripeFooter, Stream and ColumnEncoding.
_STREAMS, _ENCODINGS = 1, 2
_STREAM_KIND, _STREAM_COLUMN, _STREAM_LENGTH = 1, 2, 3
_ENCODING_KIND, _DICTIONARY_SIZE = 1, 2
# Kinds of streams, and of encodings: direct and by a dictionary, each in two versions.
_VALUES, _LENGTHS, _DICTIONARY = 1, 2, 3
_DICTIONARIES = frozenset({1, 3})
_FIRST_VERSIONS = frozenset({0, 1})
# Arrow's lists and their values are counted in 32 bits.
_MOST_ELEMENTS = (1 << 31) - 1


class _Stream(NamedTuple):
    offset: int
    nbytes: int


def require_sound(path: str, footer: OrcFooter, stripe: int, tops: Iterable[int]) -> None:
    """Raise `ValueError` if the lengths in some top-level columns of a stripe cannot be right."""
    columns = [column for top in tops for column in _below(footer, footer.children[0][top])]
    columns = [column for column in columns if footer.kinds[column] in TEXTS | LISTS]
    if not columns or not can_decompress(footer.compression):
        return
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        _StripeFile(descriptor, footer, footer.stripes[stripe]).require_sound(columns)
    except (IndexError, KeyError, TypeError, OverflowError) as error:
        raise ValueError("what says where its columns lie cannot be read") from error
    finally:
        os.close(descriptor)


def _below(footer: OrcFooter, column: int) -> Iterable[int]:
    yield column
    for child in footer.children[column]:
        if column < child < len(footer.kinds):
            yield from _below(footer, child)


class _StripeFile:
    def __init__(self, descriptor: int, footer: OrcFooter, place: StripePlace) -> None:
        self._descriptor = descriptor
        self._footer = footer
        told = fields_of(self._decompressed(place.offset + place.index_bytes + place.data_bytes, place.footer_bytes))
        self._encodings: list[Fields] = [fields_of(one) for one in told[_ENCODINGS]]
        self._streams: dict[tuple[int, int], _Stream] = {}
        offset = place.offset
        for one in told[_STREAMS]:
            stream = fields_of(one)
            nbytes = first(stream, _STREAM_LENGTH)
            key = first(stream, _STREAM_COLUMN), first(stream, _STREAM_KIND)
            self._streams[key] = _Stream(offset, nbytes)
            offset += nbytes

    def require_sound(self, columns: Iterable[int]) -> None:
        for column in columns:
            encoding = self._encodings[column]
            kind = first(encoding, _ENCODING_KIND)
            found = self._totals(column, kind)
            if self._footer.kinds[column] in LISTS:
                most = _MOST_ELEMENTS
            else:
                most = self._most_bytes(column, _DICTIONARY if kind in _DICTIONARIES else _VALUES)
            if found.least < 0 or found.total > most:
                raise ValueError(f"column {column} has lengths that no values have")
            if kind in _DICTIONARIES and first(encoding, _DICTIONARY_SIZE) > found.values:
                raise ValueError(f"column {column} has a dictionary of more values than there are lengths")

    def _totals(self, column: int, kind: int) -> Totals:
        stream = self._streams.get((column, _LENGTHS))
        if stream is None:
            return Totals()
        return totals(self._decompressed(*stream), version=1 if kind in _FIRST_VERSIONS else 2)

    def _most_bytes(self, column: int, kind: int) -> int:
        stream = self._streams.get((column, kind))
        if stream is None:
            return 0

        def read(at: int, nbytes: int) -> bytes:
            return os.pread(self._descriptor, nbytes, stream.offset + at)

        return most_bytes(read, stream.nbytes, self._footer.compression, self._footer.chunk_bytes)

    def _decompressed(self, offset: int, nbytes: int) -> bytes:
        data = os.pread(self._descriptor, nbytes, offset)
        return decompressed(data, self._footer.compression, self._footer.chunk_bytes)

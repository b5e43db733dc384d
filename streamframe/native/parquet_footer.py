"""What the footer of a Parquet file says of its column chunks, by the kernel."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streamframe.native.kernels import library

# As Parquet numbers them.
_TYPES = {
    name: number
    for number, name in enumerate(
        ("BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")
    )
}
# A list of no structs, as Thrift writes it.
_NO_STRUCTS = b"\x0c"
# And zero.
_NO_ROWS = b"\x00"
# Of integers, `ChunkFacts.least` and `most` are told.
AS_INTEGERS = 2


class ChunkFacts(NamedTuple):
    """`struct chunk_facts` of `parquet_footer.c`."""

    values: int
    data_page_offset: int
    # -1 without one.
    dictionary_page_offset: int
    packed_bytes: int
    nbytes: int
    codec: int
    type: int
    # In another file.
    elsewhere: int
    # 0 if the least and the greatest value are not told.
    bounds: int
    least: int
    most: int


_SIZES = [ChunkFacts._fields.index(name) for name in ("packed_bytes", "nbytes")]


class Facts:
    """What is told of each chunk of each row group, and how many rows these have.

    As numbers of numpy's, of which few are looked at at a time: as Python's they would take ten times as much memory.
    """

    def __init__(self, rows: np.ndarray, told: np.ndarray) -> None:
        self.rows: list[int] = rows.tolist()
        self._told = told

    def chunks(self, group: int, leaves: Sequence[int]) -> list[ChunkFacts]:
        """Return what is told of some columns' chunks in a row group."""
        return list(map(ChunkFacts._make, self._told[group, leaves].tolist()))

    def of(self, group: int) -> np.ndarray:
        """Return what is told of all chunks in a row group, as numbers."""
        return self._told[group]  # type: ignore[no-any-return]

    def sizes(self, group: int, leaves: Sequence[int]) -> tuple[int, int]:
        """Return how many bytes some columns have in a row group, packed and not."""
        packed, nbytes = self._told[group, leaves][:, _SIZES].sum(axis=0).tolist()
        return packed, nbytes

    def column(self, leaf: int, fact: str) -> list[int]:
        """Return one fact of the chunks of a column."""
        values: list[int] = self._told[:, leaf, ChunkFacts._fields.index(fact)].tolist()
        return values


def without_row_groups(footer: bytes) -> tuple[bytes, int] | None:
    """Return a footer that tells of no rows and row groups, and how many of these there were; None if that takes Arrow.

    Parameters
    ----------
    footer
        Its bytes, without what stands around them.
    """
    kernels = library()
    spans = (ctypes.c_int64 * 4)()
    groups = -1 if kernels is None else kernels.sf_parquet_row_groups(footer, len(footer), spans)
    if groups < 0:
        return None
    start, end, rows, behind = spans
    head = footer[:rows] + _NO_ROWS + footer[behind:start] if rows else footer[:start]
    return head + _NO_STRUCTS + footer[end:], groups


def facts_of(footer: bytes, groups: int, types: Sequence[str]) -> Facts | None:
    """Return what is told of the row groups; None if that takes Arrow.

    Parameters
    ----------
    footer
        Its bytes, without what stands around them.
    groups
        How many row groups there are.
    types
        Of each column of Parquet, the physical type that the schema tells.
    """
    kernels = library()
    if kernels is None or sys.byteorder != "little" or not set(types) <= _TYPES.keys():
        return None
    columns = len(types)
    # So few bytes cannot tell of so many.
    if groups * columns > len(footer):
        return None
    numbers = np.array([_TYPES[name] for name in types], np.int32)
    rows = np.empty(groups, np.int64)
    told = np.empty((groups, columns, len(ChunkFacts._fields)), np.int64)
    found = kernels.sf_parquet_footer(
        footer, len(footer), columns, numbers.ctypes.data, groups, rows.ctypes.data, told.ctypes.data
    )
    if found != groups:
        return None
    return Facts(rows, told)

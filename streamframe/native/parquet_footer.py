"""What the footer of a Parquet file says of its column chunks, by the kernel."""

from __future__ import annotations

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


def facts_of(footer: bytes, groups: int, types: Sequence[str]) -> list[list[ChunkFacts]] | None:
    """Return what is told of each chunk of each row group; None if that takes Arrow.

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
    return [list(map(ChunkFacts._make, group)) for group in told.tolist()]

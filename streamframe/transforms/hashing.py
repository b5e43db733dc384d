"""Hash rows by the values of some columns, to divide them into parts that share no key.

Rule: equal values have equal hashes, in every batch and every run. Arrow hashes inside its own
kernels only, so pandas does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Hashes = npt.NDArray[np.uint64]

_ODD = np.uint64(0x9E3779B97F4A7C15)
# Texts are Python objects while they are hashed, which take about 60 bytes each.
_HASHED_ROWS = 65_536


def row_hashes(columns: Sequence[pa.Array]) -> Hashes:
    """Return a hash of each row; there is at least one column, and no nested one."""
    hashes = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        for start in range(0, len(column), _HASHED_ROWS):
            rows = slice(start, start + _HASHED_ROWS)
            hashes[rows] = hashes[rows] * _ODD + _hashes(column[rows])
    return hashes


def _hashes(array: pa.Array) -> Hashes:
    from pandas.util import hash_array

    hashed: Hashes = hash_array(_comparable(array).to_numpy(zero_copy_only=False), categorize=False)
    return hashed


def _comparable(array: pa.Array) -> pa.Array:
    """Return an array that numpy holds in one type, whether there are nulls or not."""
    dtype = array.type
    if pa.types.is_temporal(dtype):
        array = array.view(pa.int32() if dtype.bit_width == 32 else pa.int64())
    if pa.types.is_boolean(array.type):
        return array.fill_null(False)
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        return array.fill_null(pa.scalar(0).cast(array.type))
    return array

"""Whole numbers as floats: a float keeps 53 bits, and says nothing of the digits that it has lost."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa

# Below, each whole number is a float.
LEAST_LOSSY = 2.0**53


def may_lose_digits(column: pa.Array | pa.ChunkedArray) -> bool:
    """Tell whether there is a float that may stand for another whole number."""
    return any(map(_reaches, column.chunks if isinstance(column, pa.ChunkedArray) else [column]))


def _reaches(column: pa.Array) -> bool:
    if not len(column):
        return False
    # numpy is ten times as fast as Arrow here. What it sees where a value is null only makes it say yes too often.
    values = np.frombuffer(column.buffers()[1], np.float64, len(column), column.offset * 8)
    with np.errstate(invalid="ignore"):
        # Not the other way round: what is no number is neither.
        return not (values.max() < LEAST_LOSSY and values.min() > -LEAST_LOSSY)


def loses_digits(text: str) -> bool:
    """Tell whether a whole number is another one as a float: neither its value, nor what the float is written as.

    JavaScript writes 1e20 as 100000000000000000000.
    """
    value = float(text)
    return Decimal(text) not in (Decimal(value), Decimal(repr(value)))

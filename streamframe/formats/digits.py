"""Whole numbers as floats: a float keeps 53 bits, and says nothing of the digits that it has lost."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

# Below, each whole number is a float.
_LEAST_LOSSY = 2.0**53


def may_lose_digits(column: pa.Array | pa.ChunkedArray) -> bool:
    """Tell whether there is a float that may stand for another whole number."""
    # Not by comparing with a scalar: to make one, pyarrow imports pandas, which takes longer than to look at a sample.
    ends = pc.min_max(column).as_py()
    return any(end is not None and abs(end) >= _LEAST_LOSSY for end in ends.values())


def loses_digits(text: str) -> bool:
    """Tell whether a whole number is another one as a float: neither its value, nor what the float is written as.

    JavaScript writes 1e20 as 100000000000000000000.
    """
    value = float(text)
    return Decimal(text) not in (Decimal(value), Decimal(repr(value)))

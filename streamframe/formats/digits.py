"""Whole numbers as floats: a float keeps 53 bits, and says nothing of the digits that it has lost."""

from __future__ import annotations

from decimal import Decimal

# Below, each whole number is a float.
LEAST_LOSSY = 2.0**53


def loses_digits(text: str) -> bool:
    """Tell whether a whole number is another one as a float: neither its value, nor what the float is written as.

    JavaScript writes 1e20 as 100000000000000000000.
    """
    value = float(text)
    return Decimal(text) not in (Decimal(value), Decimal(repr(value)))

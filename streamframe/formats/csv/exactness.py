"""Whole numbers among floats: a float keeps 53 bits, and CSV does not tell which of both a column holds.

Rule: where nobody asked for floats, no digit is lost in silence. A whole number stays a float if that has all of its
digits, or if it is what the float is written as. Looking at values costs next to nothing; the text of a column is
looked at where a value is so large.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.formats import digits
from streamframe.formats.csv.spelling import Spelling

_LONG_NUMBER = re.compile(rb"[ \t]*([+-]?[0-9]{16,})[ \t]*")


def loses_digits(
    batch: pa.RecordBatch,
    names: Collection[str],
    as_bytes: Callable[[Sequence[str]], pa.Table],
    spelling: Spelling,
) -> bool:
    """Tell whether a record has lost digits of a whole number in one of these columns.

    Parameters
    ----------
    batch
        The records.
    names
        Columns; those that are not in the batch are passed over.
    as_bytes
        Returns some of its columns as they are written.
    spelling
        How they are.
    """
    suspects = [
        field.name
        for field, column in zip(batch.schema, batch.columns, strict=True)
        if field.name in names and pa.types.is_float64(field.type) and digits.may_lose_digits(column)
    ]
    if not suspects:
        return False
    return any(has_rounded(column, spelling) for column in as_bytes(suspects).itercolumns())


def has_rounded(values: pa.Array | pa.ChunkedArray, spelling: Spelling) -> bool:
    """Tell whether digits are lost where CSV is read as floats; values are text, or bytes."""
    # Most are written with a point, or are short: Arrow tells those at once.
    values = spelling.without_groups(values)
    long = values.filter(pc.match_substring_regex(values, rf"^{_LONG_NUMBER.pattern.decode()}$"))
    return any(is_rounded(text, pa.float64()) for text in long.unique().cast(pa.binary()).to_pylist())


def is_rounded(text: bytes, kind: pa.DataType, spelling: Spelling | None = None) -> bool:
    """Tell whether digits are lost where CSV is read as this type."""
    if not pa.types.is_float64(kind):
        return False
    found = _LONG_NUMBER.fullmatch(spelling.ungrouped(text) if spelling else text)
    return found is not None and digits.loses_digits(found[1].decode())

"""Whole numbers among floats: JSON has one kind of number, and a float keeps 53 bits of it.

Rule: where nobody asked for floats, no digit is lost in silence. A whole number stays a float if that has all of its
digits, or if it is what the float is written as: JavaScript writes 1e20 as 100000000000000000000. Looking at
values costs next to nothing; the text of a record is looked at where a value is so large, and a number there so long.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

import pyarrow as pa

from streamframe.formats import digits

_LONG_NUMBER = re.compile(rb"[-:,\[ \t]\d{16,}[ \t\r]*[,}\]]")


class _Whole(str):
    """A number without a fraction and an exponent, as it is written."""

    __slots__ = ()


_TEXTS = json.JSONDecoder(parse_int=_Whole)


def loses_digits(batch: pa.RecordBatch, data: Any, names: Collection[str]) -> bool:
    """Tell whether a record has lost digits of a whole number in one of these columns.

    Parameters
    ----------
    batch, data
        The records, and the lines that they stand in.
    names
        Columns; those that are not in the batch are passed over.
    """
    fields = [field for field in batch.schema if field.name in names]
    if not any(_reaches(batch.column(field.name)) for field in fields) or not _LONG_NUMBER.search(data):
        return False
    return any(
        _loses_in(line, {field.name: field.type for field in fields})
        for line in bytes(data).split(b"\n")
        if _LONG_NUMBER.search(line)
    )


def is_rounded(text: str, kind: pa.DataType) -> bool:
    """Tell whether digits are lost where JSON is read as this type."""
    # What stands in front of a value in an object tells where it begins.
    return bool(_LONG_NUMBER.search(f":{text},".encode())) and _loses(_TEXTS.decode(text), kind)


def _loses_in(line: bytes, types: dict[str, pa.DataType]) -> bool:
    try:
        row = _TEXTS.decode(line.decode())
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and any(_loses(value, types[name]) for name, value in row.items() if name in types)


def _loses(value: Any, kind: pa.DataType) -> bool:
    if isinstance(value, _Whole):
        return bool(pa.types.is_float64(kind)) and digits.loses_digits(value)
    if isinstance(value, dict) and pa.types.is_struct(kind):
        return any(_loses(value[field.name], field.type) for field in kind if field.name in value)
    if isinstance(value, list) and pa.types.is_list(kind):
        return any(_loses(item, kind.value_type) for item in value)
    return False


def _reaches(column: pa.Array) -> bool:
    """Tell whether there is a float that may stand for another number."""
    kind = column.type
    if pa.types.is_struct(kind):
        return any(map(_reaches, column.flatten()))
    if pa.types.is_list(kind):
        return _reaches(column.flatten())
    return bool(pa.types.is_float64(kind)) and digits.may_lose_digits(column)

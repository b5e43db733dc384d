"""Column types from a sample.

Rules: JSON says itself what is text, a number or an object, so that nothing is guessed: text that
looks like a time stays text. Integers among floats are floats. What does not fit together is text,
as is what has no value: whoever reads it gets an error that names the remedy, if it is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

# Only the kind of a number is asked for; and int() refuses very long ones.
_KINDS = json.JSONDecoder(parse_int=lambda _: 0, parse_float=lambda _: 0.0)
_SCALARS = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}


# Types are found by functions that call themselves, three for each level: Python allows a thousand calls.
_MAX_LEVELS = 200


def infer_schema(samples: Iterable[bytes | bytearray], *, settled: bool = True) -> pa.Schema | None:
    """Return the schema of the records in these samples; None if there is none.

    Lines that are no records are passed over: the reader comes by, in order, and will tell. What has
    no value is text; if not `settled`, it is null, for other files to tell.
    """
    rows = [row for sample in samples for row in _records(sample)]
    return pa.schema(_fields(rows, settled)) if rows else None


def whole_lines(data: bytearray) -> bytes:
    """Return the complete lines in bytes that start and end anywhere."""
    return bytes(data[data.find(b"\n") + 1 : data.rfind(b"\n") + 1])


def whole_elements(data: bytearray, sample: bytes | bytearray) -> bytes:
    """Return the complete elements, as lines, in bytes of an array that start and end anywhere.

    An object that stands in an element must not pass for one: so one counts that has the names of a record
    in `sample`, in the same order, and more than one of them.
    """
    known = {tuple(row) for row in _records(sample) if len(row) > 1}
    text, at, found = data.decode(errors="replace"), 0, []
    while known and (at := text.find("{", at)) >= 0:
        try:
            row, end = _KINDS.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        if tuple(row) in known:
            found.append(text[at:end].replace("\n", " ").encode())
        at = end
    return b"\n".join(found)


def infer_type(values: Sequence[Any], *, settled: bool = True) -> pa.DataType:
    """Return the narrowest type that holds these parsed values."""
    kinds = {type(value) for value in values} - {type(None)}
    if not kinds and not settled:
        return pa.null()
    if kinds == {int, float}:
        return pa.float64()
    if len(kinds) != 1:
        return pa.string()
    kind = kinds.pop()
    if kind is dict:
        return pa.struct(_fields([value for value in values if value is not None], settled))
    if kind is list:
        items = [item for value in values if value is not None for item in value]
        return pa.list_(infer_type(items, settled=settled))
    return _SCALARS[kind]


def _fields(rows: list[dict[str, Any]], settled: bool) -> list[tuple[str, pa.DataType]]:
    columns: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return [(name, infer_type(values, settled=settled)) for name, values in columns.items()]


def _records(sample: bytes | bytearray) -> Iterator[dict[str, Any]]:
    for line in sample.split(b"\n"):
        try:
            row = _KINDS.decode(line.decode())
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and not (b"\\ud" in line.lower() and has_half(row)) and not is_too_deep(line, row):
            yield row


def is_too_deep(line: bytes | bytearray, row: Any) -> bool:
    """Tell whether a value that was parsed from a line has more levels than there are types for."""
    if line.count(b"{") + line.count(b"[") <= _MAX_LEVELS:
        return False
    level, levels = [row], 0
    while nested := [each for each in level if isinstance(each, (dict, list))]:
        levels += 1
        level = [item for each in nested for item in (each.values() if isinstance(each, dict) else each)]
    return levels > _MAX_LEVELS


def has_half(value: Any) -> bool:
    """Tell whether half of a pair of UTF-16 is named in a value: no column can be called so, and no text hold it."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False

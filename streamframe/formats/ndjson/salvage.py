"""What is left of a piece of NDJSON in which a line cannot be read.

Rules: exactly what Arrow reads counts as readable, each line by itself. With ``errors="null"`` a value
at the top of an object becomes null, with all that is in it; what is no object of known fields has none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa

from streamframe.errors import DecodeError
from streamframe.formats.ndjson.locating import refused
from streamframe.formats.ndjson.mending import with_null
from streamframe.formats.ndjson.parsing import REFUSED, surely_refused
from streamframe.formats.rejects import Reject, Salvaged, failing

if TYPE_CHECKING:
    from streamframe.formats.ndjson.decode import Decoding, Line
    from streamframe.formats.records import Piece


def salvaged(piece: Piece, decoding: Decoding, lines: Sequence[bytearray], objects: Sequence[int]) -> Salvaged:
    """Return the records of a piece that can be read, and those that cannot.

    Parameters
    ----------
    piece
        What they stand in.
    decoding
        How lines become rows.
    lines
        Its lines that are not blank.
    objects
        Which of them start and end as an object does.
    """
    types = {field.name: field.type for field in decoding.schema if field.name not in decoding.text}
    chances = {at: _chance(lines[at], types) for at in objects}
    likely = [at for at in objects if chances[at] == "likely"]

    def readable(start: int, stop: int) -> bool:
        return _reads(decoding, [lines[at] for at in likely[start:stop]])

    bad = [at for at in objects if chances[at] == "none"]
    # One by one where they are likely to fail: halving would try the good ones with each of them again.
    bad += [at for at in objects if chances[at] == "unknown" and not _reads(decoding, [lines[at]])]
    bad += [likely[at] for at in failing(len(likely), readable)]
    records: dict[int, Line] = {at: lines[at] for at in objects}
    nulled = 0
    for at in bad:
        line = records.pop(at)
        if decoding.errors == "null" and (mended := _nulled(bytes(decoding.record(line)), decoding)):
            records[at], count = mended
            nulled += count
    places = sorted(records)
    data = _batch(decoding, [records[at] for at in places])
    rejects = _told(piece, decoding, lines, records) if decoding.errors == "quarantine" else []
    whole = len(places) == len(lines)
    return Salvaged(data, None if whole else pa.array(np.array(places, np.int64)), len(lines), rejects, nulled)


def _batch(decoding: Decoding, lines: Sequence[Line]) -> pa.RecordBatch:
    """Return the records in these lines; raise one of `REFUSED` if one cannot be read."""
    # One line is taken apart sooner than two looks at it are taken.
    if len(lines) > 1:
        try:
            return decoding.at_once(pa.py_buffer(b"\n".join(lines)), len(lines))
        except REFUSED:
            pass
    return decoding.of_lines([decoding.record(line) for line in lines])


def _reads(decoding: Decoding, lines: Sequence[Line]) -> bool:
    try:
        _batch(decoding, lines)
    except REFUSED:
        return False
    return True


def _chance(line: bytearray, types: Mapping[str, pa.DataType]) -> Literal["likely", "unknown", "none"]:
    """Tell whether a line will be read, without Arrow."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return "unknown"
    refused = any(surely_refused(value, types[name]) for name, value in row.items() if name in types)
    return "none" if refused else "likely"


def _nulled(line: bytes, decoding: Decoding) -> tuple[bytes, int] | None:
    """Return the line with null for what cannot be read, and for how many values; None if that does not help."""
    for count in range(1, len(decoding.schema) + 1):
        error = refused(line, decoding.schema, decoding.text, strict=decoding.strict, exact=decoding.exact)
        if not isinstance(error, DecodeError) or error.column is None:
            return None
        line = with_null(line, error.column)
        if _reads(decoding, [line]):
            return line, count
    return None


def _told(piece: Piece, decoding: Decoding, lines: Sequence[bytearray], good: dict[int, Line]) -> list[Reject]:
    found = []
    end = piece.start
    for at, line in enumerate(lines):
        start = piece.data.find(line, end)
        end = start + len(line)
        if at not in good:
            error = refused(
                bytes(line),
                decoding.schema,
                decoding.text,
                strict=decoding.strict,
                encoding=decoding.encoding,
                unit=decoding.unit,
                exact=decoding.exact,
            )
            offset = piece.byte_offset + start - piece.start
            found.append(Reject(at + 1, offset, error.column, error.message, bytes(line)))
    return found

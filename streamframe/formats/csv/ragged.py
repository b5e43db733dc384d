"""Records of too few or too many fields whose bytes are no text.

Rule: Arrow makes text of such a record before it asks whether to pass over it; where it is none, it prints an exception
and gives up. What separates fields is ASCII, so a copy with letters for all other bytes tells which records they are,
and Arrow gets the rest.
"""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
import pyarrow.csv as pacsv

from streamframe.formats.csv.decode import read_options
from streamframe.formats.csv.dialect import Dialect
from streamframe.formats.csv.places import record_offsets
from streamframe.formats.records import Piece
from streamframe.formats.sniffing import BOM, is_utf8

# By the number of a record, from 1: how many fields it should have, and has.
Ragged = dict[int, tuple[int, int]]


def skipping(parse_options: pacsv.ParseOptions, skipped: Ragged) -> pacsv.ParseOptions:
    """Let such records be passed over, and counted; they have to be text."""

    def skip(row: pacsv.InvalidRow) -> str:
        skipped[row.number] = (row.expected_columns, row.actual_columns)
        return "skip"

    parse_options.invalid_row_handler = skip
    return parse_options


def without_ragged_bytes(data: pa.Buffer, dialect: Dialect, names: tuple[str, ...]) -> tuple[pa.Buffer, Ragged]:
    """Return what Arrow may be given, and the records that were taken out of it: none if all of it is text."""
    content = data.to_pybytes()
    if is_utf8(content):
        return data, {}
    skipped: Ragged = {}
    pacsv.read_csv(
        pa.BufferReader(content.translate(_letters(dialect))),
        read_options=read_options(data, names),
        parse_options=skipping(dialect.arrow, skipped),
        convert_options=pacsv.ConvertOptions(column_types={names[0]: pa.binary()}, include_columns=[names[0]]),
    )
    if not skipped:
        return data, {}
    starts = [*record_offsets(Piece(bytearray(content), 0, len(content), 0), dialect).to_pylist(), len(content)]
    records = enumerate(pairwise(starts), start=1)
    kept = b"".join(content[start:stop] for number, (start, stop) in records if number not in skipped)
    if 1 in skipped and kept.startswith(BOM):
        # Arrow drops a mark in front of whatever it parses.
        kept = BOM + kept
    # Without a byte it finds no columns.
    return pa.py_buffer(kept or b"\n"), skipped


def _letters(dialect: Dialect) -> bytes:
    special = {dialect.sep, dialect.quotechar, dialect.escapechar, dialect.comment}
    letter = next(letter for letter in "abcde" if letter not in special)
    return bytes(range(128)) + letter.encode() * 128

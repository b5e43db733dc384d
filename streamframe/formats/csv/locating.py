"""From what Arrow says about a block to an error that names column, row and place.

Arrow names the column and the record by number. The record is looked up in the block as it was
read, comments and empty lines passed over, which gives its offset and its text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

import pyarrow as pa
import pyarrow.csv as pacsv

from streamframe.errors import DecodeError
from streamframe.formats.csv.dialect import Dialect
from streamframe.formats.csv.exactness import is_rounded
from streamframe.formats.csv.places import records_of
from streamframe.formats.csv.spelling import Spelling
from streamframe.formats.records import Piece
from streamframe.formats.rejects import Reject
from streamframe.formats.sniffing import ENCODING_HINT
from streamframe.formats.wording import not_text, quoted, shortened
from streamframe.formats.zones import zone_hint
from streamframe.schema import dtype_name

CONVERSION = re.compile(r"In CSV column #(\d+): Row #(\d+): (.*)", re.DOTALL)
_RAGGED = re.compile(r"CSV parse error: Row #(\d+): Expected (\d+) columns, got (\d+)")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_LARGE = re.compile(r"[+-]?\d{19,}")
_SHOWN_VALUE = 60
_SHOWN_RECORD = 80
_SHORT_VALUE = 12
_USUAL = Spelling()


def located(
    error: pa.ArrowInvalid, piece: Piece, dialect: Dialect, names: Sequence[str], schema: pa.Schema
) -> DecodeError:
    """Return the error to raise for what Arrow said about this piece."""
    text = str(error)
    if found := _RAGGED.match(text):
        row, expected, got = (int(number) for number in found.groups())
        offset, record = _record(piece, dialect, row)
        return rejected(Reject(row, offset, None, ragged(expected, got), record), dialect, names, schema)
    if found := CONVERSION.match(text):
        index, row = int(found[1]), int(found[2])
        offset, record = _record(piece, dialect, row)
        name = names[index]
        reason = unreadable(name, _field(record, dialect, index), schema.field(name).type)
        return rejected(Reject(row, offset, name, reason, record), dialect, names, schema)
    return DecodeError(f"cannot be read as CSV: {shortened(text, 200)}", byte_offset=piece.byte_offset)


def rejected(
    reject: Reject, dialect: Dialect, names: Sequence[str], schema: pa.Schema, spelling: Spelling = _USUAL
) -> DecodeError:
    """Return the error to raise for a record."""
    name, reason = reject.column, reject.reason
    if name is None:
        shown = shortened(reject.record.rstrip(b"\r\n").decode("utf-8", "replace"), _SHOWN_RECORD)
        reason = f"{reason}: {shown!r}"
        hint = "look at that place; if most rows are like this one, pass another sep=, quotechar= or skip_rows=."
    else:
        value = _field(reject.record, dialect, names.index(name))
        hint = _value_hint(name, value, schema.field(name).type, spelling)
    return DecodeError(reason, column=name, row=reject.row, byte_offset=reject.byte_offset, hint=hint)


def ragged(expected: int, got: int) -> str:
    """Return what is wrong with a record of so many fields."""
    return f"expected {expected} fields, got {got}"


def unreadable(name: str, value: bytes, kind: pa.DataType, encoding: str = "utf-8", spelling: Spelling = _USUAL) -> str:
    """Return what is wrong with a value in a column of this type."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return f"column {name!r}: {not_text(value, _SHOWN_VALUE, encoding)}"
    keeping = " without losing digits" if is_rounded(value, kind, spelling) else ""
    return f"column {name!r}: cannot read {shortened(text, _SHOWN_VALUE)!r} as {dtype_name(kind)}{keeping}"


def _record(piece: Piece, dialect: Dialect, row: int) -> tuple[int, bytes]:
    """Return offset and text of a record, counted from 1."""
    return next(islice(records_of(piece, dialect), row - 1, None), (piece.byte_offset, b""))


def _field(record: bytes, dialect: Dialect, index: int) -> bytes:
    # Arrow counts the fields of a whole line only. Two newlines, since an escape may eat the first.
    record += b"\n\n"
    table = pacsv.read_csv(
        pa.BufferReader(record),
        read_options=pacsv.ReadOptions(use_threads=False, autogenerate_column_names=True, block_size=len(record) + 1),
        parse_options=dialect.arrow,
        convert_options=pacsv.ConvertOptions(column_types={f"f{index}": pa.binary()}, include_columns=[f"f{index}"]),
    )
    return bytes(table.column(0)[0].as_py())


def _value_hint(name: str, value: bytes, kind: pa.DataType, spelling: Spelling) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return ENCODING_HINT
    if is_rounded(value, kind, spelling):
        return f'pass dtype={{{quoted(name)}: "string"}}, which keeps all digits, or "float64", which rounds.'
    return f'pass dtype={{{quoted(name)}: "string"}}.' if spelling.is_grouped(kind) else _type_hint(name, text, kind)


def _type_hint(name: str, value: str, kind: pa.DataType) -> str:
    if pa.types.is_integer(kind) and _LARGE.fullmatch(value):
        return f'pass dtype={{{quoted(name)}: "string"}}, which keeps all digits (float64 rounds).'
    if pa.types.is_integer(kind) and _NUMBER.fullmatch(value):
        return f'pass dtype={{{quoted(name)}: "float64"}}.'
    if hint := zone_hint(name, value, kind):
        return hint
    hint = f'pass dtype={{{quoted(name)}: "string"}}'
    # Words such as "nil" or "-" rather spell a null. (In quotes they never do, so "" cannot be helped that way.)
    if 0 < len(value) <= _SHORT_VALUE:
        hint += f", or na_values=[{quoted(value)}] if that means a missing value"
    return f"{hint}."

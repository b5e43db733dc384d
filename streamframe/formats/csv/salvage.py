"""What is left of a piece of CSV in which Arrow cannot read something.

Rules: exactly what Arrow reads counts as readable. Arrow stops at the first value that it cannot
read; so a column that it refuses is taken as bytes, and each different value in it is tried, many at
once. Only a value in a column that is wanted makes a record bad, or a wrong number of fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from streamframe.batch import rows_without_columns
from streamframe.formats.csv.decode import arrow_buffer, read_options
from streamframe.formats.csv.exactness import is_rounded
from streamframe.formats.csv.locating import CONVERSION, located, ragged, unreadable
from streamframe.formats.csv.places import records_of
from streamframe.formats.csv.ragged import Ragged, skipping, without_ragged_bytes
from streamframe.formats.csv.records import NEVER_CLOSED
from streamframe.formats.digits import may_lose_digits
from streamframe.formats.rejects import Reject, Salvaged, failing
from streamframe.schema import is_text

if TYPE_CHECKING:
    from streamframe.formats.csv.decode import Decoding
    from streamframe.formats.csv.spelling import Spelling
    from streamframe.formats.records import Piece

# Stands between no two fields here: a value with it, or with the end of a line, is no number and no time.
_SEP = "\x1f"
# What a value may look like. Each matches all that Arrow reads, and little else: what does not match
# need not be tried, and there may be a million different ones.
_INTEGER = re.compile(rb"[ \t]*[-+]?(?:0[xX][0-9A-Fa-f]+|[0-9]+)[ \t]*")
_NUMBER = re.compile(
    rb"[ \t]*[-+]?(?:[0-9]*[^0-9a-zA-Z \t]?[0-9]*(?:e[-+]?[0-9]+)?|nan(?:\([0-9a-z_]*\))?|inf(?:inity)?)[ \t]*",
    re.IGNORECASE,
)
_ONE_LINE = re.compile(rb"[^\x1f\r\n]+")


def salvaged(piece: Piece, decoding: Decoding) -> Salvaged:
    """Return the records of a piece that can be read, and those that cannot.

    Raises
    ------
    DecodeError
        If Arrow says something that is not about a record.
    """
    if piece.broken:
        record = bytes(memoryview(piece.data)[piece.start : piece.stop])
        rejects = [Reject(1, piece.byte_offset, None, NEVER_CLOSED, record)] if decoding.errors == "quarantine" else []
        return Salvaged(decoding.no_rows, pa.array([], pa.int64()), 1, rejects)
    table, suspects, skipped = _read(piece, decoding)
    columns, failed = _typed(table, suspects, decoding)
    records = len(table) + len(skipped)
    places = np.delete(np.arange(records), [number - 1 for number in skipped])
    bad = np.zeros(len(table), np.bool_)
    nulled = 0
    if decoding.errors == "null":
        nulled = sum(len(rows) for rows in failed.values())
    else:
        for rows in failed.values():
            bad[rows] = True
    data = pa.RecordBatch.from_arrays(columns, schema=decoding.schema) if columns else rows_without_columns(len(table))
    if bad.any():
        data = data.filter(pa.array(~bad))
    rejects = []
    if decoding.errors == "quarantine":
        reasons: dict[int, tuple[str | None, str]] = {
            number - 1: (None, ragged(*fields)) for number, fields in skipped.items()
        }
        for name, rows in reversed(failed.items()):  # the first column has the last word
            values = table.column(name)
            kind = decoding.schema.field(name).type
            reasons |= {
                int(places[row]): (
                    name,
                    unreadable(name, values[row].as_py(), kind, decoding.encoding, decoding.spelling),
                )
                for row in rows
            }
        rejects = list(_told(piece, decoding, reasons))
    whole = not skipped and not bad.any()
    return Salvaged(data, None if whole else pa.array(places[~bad]), records, rejects, nulled)


def _read(piece: Piece, decoding: Decoding) -> tuple[pa.Table, list[str], Ragged]:
    """Return what can be read, the columns that are taken as bytes, and the records with too few or many fields."""
    data, no_text = without_ragged_bytes(arrow_buffer(piece, decoding.dialect), decoding.dialect, decoding.names)
    suspects = [field.name for field in decoding.schema if decoding.spelling.is_grouped(field.type)]
    while True:
        skipped = dict(no_text)
        kinds = {field.name: pa.binary() if field.name in suspects else field.type for field in decoding.schema}
        kinds = kinds or {decoding.names[0]: pa.binary()}
        try:
            table = pacsv.read_csv(
                pa.BufferReader(data),
                read_options=read_options(data, decoding.names),
                parse_options=skipping(decoding.dialect.arrow, skipped),
                convert_options=decoding.spelling.options(kinds, include_columns=list(kinds)),
            )
        except pa.ArrowInvalid as error:
            found = CONVERSION.match(str(error))
            name = decoding.names[int(found[1])] if found else None
            if name is None or name in suspects:
                raise located(error, piece, decoding.dialect, decoding.names, decoding.schema) from error
            suspects.append(name)
        else:
            doubtful = [name for name in decoding.exact.difference(suspects) if _may_round(table, name)]
            doubtful += [
                name
                for name, column in zip(table.column_names, table.itercolumns(), strict=True)
                if name not in suspects and decoding.spelling.may_be_off(column) is not None
            ]
            if not doubtful:
                return table.combine_chunks(), suspects, skipped
            suspects += doubtful


def _may_round(table: pa.Table, name: str) -> bool:
    at = table.schema.get_field_index(name)
    return at >= 0 and pa.types.is_float64(table.field(at).type) and may_lose_digits(table.column(at))


def _typed(table: pa.Table, suspects: list[str], decoding: Decoding) -> tuple[list[pa.Array], dict[str, np.ndarray]]:
    """Return the columns in their types, with null for what cannot be read; and the rows of that, by column."""
    columns, failed = [], {}
    for field in decoding.schema:
        column = _one(table.column(field.name))
        if field.name in suspects:
            encoded = column.dictionary_encode()
            exact = field.name in decoding.exact
            typed, bad = _converted(encoded.dictionary, field.type, decoding.spelling, exact=exact)
            column = typed.take(encoded.indices)
            failed[field.name] = np.flatnonzero(np.isin(encoded.indices.fill_null(-1).to_numpy(), bad))
        columns.append(column)
    return columns, failed


def _converted(values: pa.Array, kind: pa.DataType, spelling: Spelling, *, exact: bool) -> tuple[pa.Array, list[int]]:
    """Return different values as Arrow reads them, null for those that it cannot read, and the places of these."""
    texts = values.to_pylist()
    if spelling.is_grouped(kind) and not spelling.is_dated(kind):
        texts = [spelling.ungrouped(text) for text in texts]
    may_be = _pattern(kind)
    no_days = spelling.no_days(texts, kind)
    tried = [
        at
        for at, text in enumerate(texts)
        if (may_be is None or may_be.fullmatch(text))
        and not (exact and is_rounded(text, kind, spelling))
        and at not in no_days
    ]

    def readable(start: int, stop: int) -> bool:
        try:
            _parsed([texts[at] for at in tried[start:stop]], kind, spelling)
        except pa.ArrowInvalid:
            return False
        return True

    refused = {tried[at] for at in failing(len(tried), readable)}
    good = [at for at in tried if at not in refused]
    places = np.full(len(texts), -1)
    places[good] = np.arange(len(good))
    indices = pa.array(places, mask=places < 0)
    return _parsed([texts[at] for at in good], kind, spelling).take(indices), np.flatnonzero(places < 0).tolist()


def _parsed(texts: list[bytes], kind: pa.DataType, spelling: Spelling) -> pa.Array:
    if not texts:
        return pa.array([], kind)
    if spelling.is_dated(kind):
        return _one(spelling.numbers(pa.chunked_array([pa.array(texts, pa.binary()).cast(pa.string())]), kind))
    if pa.types.is_dictionary(kind):
        return _parsed(texts, kind.value_type, spelling).dictionary_encode().cast(kind)
    if _pattern(kind) is None:
        return pa.array(texts, pa.binary()).cast(kind)
    data = b"\n".join(texts) + b"\n"
    table = pacsv.read_csv(
        pa.BufferReader(data),
        read_options=pacsv.ReadOptions(use_threads=False, column_names=["x"], block_size=len(data) + 1),
        parse_options=pacsv.ParseOptions(delimiter=_SEP, quote_char=False, ignore_empty_lines=False),
        convert_options=_without_nulls(spelling.options({"x": kind})),
    )
    return _one(table.column("x"))


def _without_nulls(options: pacsv.ConvertOptions) -> pacsv.ConvertOptions:
    # What is null has been told by the first look.
    options.null_values = []
    return options


def _pattern(kind: pa.DataType) -> re.Pattern[bytes] | None:
    """Return what a value of this type may look like; None if any text may be one."""
    if pa.types.is_dictionary(kind):
        return _pattern(kind.value_type)
    if is_text(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return None
    if pa.types.is_integer(kind):
        return _INTEGER
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _NUMBER
    return _ONE_LINE


def _told(piece: Piece, decoding: Decoding, reasons: dict[int, tuple[str | None, str]]) -> Iterator[Reject]:
    """Yield the records at these places, as they stand in the piece."""
    left = len(reasons)
    for place, (offset, text) in enumerate(records_of(piece, decoding.dialect) if left else ()):
        if place in reasons:
            column, reason = reasons[place]
            yield Reject(place + 1, offset, column, reason, text.rstrip(b"\r\n"))
            left -= 1
            if not left:
                return


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()

"""Column types from a sample.

Rules: Arrow looks at each sample; samples are unified upward, and what does not fit together is
text. So is a column without a single value: nothing else can hold what may still come. So are
integers that Arrow would round to floats, beyond 64 bits or among floats, and one warning tells; and so is ``0x10``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from streamframe.errors import DecodeError
from streamframe.formats.csv.cutter import end_of_records, inside_quotes
from streamframe.formats.csv.decode import Decoding, arrow_buffer, read_options
from streamframe.formats.csv.dialect import Dialect
from streamframe.formats.csv.exactness import has_rounded
from streamframe.formats.csv.ragged import skipping, without_ragged_bytes
from streamframe.formats.csv.spelling import Spelling
from streamframe.formats.digits import LEAST_LOSSY, loses_digits, may_lose_digits
from streamframe.formats.records import Piece
from streamframe.warn import warn

# In a column that Arrow took for floats: they were whole numbers, most likely.
_BEYOND_INT64 = r"^\s*[+-]?\d{19,}\s*$"
_HEXADECIMAL = r"^\s*[+-]?0[xX]"
_SHOWN_NAMES = 10
# A sample of so many bytes has grown because of a long value: no number and no time has this many.
_LARGE_SAMPLE_BYTES = 4 << 20
_LONG_VALUE_BYTES = 64 << 10


def infer_schema(
    sample: Piece | None,
    dialect: Dialect,
    names: tuple[str, ...],
    *,
    types: Mapping[str, pa.DataType],
    spelling: Spelling,
    peeked: Sequence[bytearray] = (),
    settled: bool = True,
    lenient: bool = False,
) -> pa.Schema:
    """Return the schema of a file.

    Parameters
    ----------
    sample
        The first records; None if there are none.
    dialect
        What separates fields.
    names
        The columns as they stand in the file.
    types
        The types that are known already.
    spelling
        How values are spelled.
    peeked
        Bytes from further on, which may start and end anywhere; ignored where they do not fit.
    settled
        A column without a value is text; otherwise it is null, for other files to tell.
    lenient
        Records of too few or too many fields are passed over.

    Raises
    ------
    DecodeError
        If the sample is not CSV of these columns. What else cannot be read is told by the reader, in order.
    """
    found = [types.get(name, pa.null()) for name in names]
    large: set[str] = set()
    long: set[str] = set()
    sampled = partial(_sampled, dialect=dialect, names=names, types=types, spelling=spelling, large=large, long=long)
    if sample is not None and not sample.broken:
        try:
            found = sampled(sample, lenient=lenient)
        except DecodeError:
            # The reader knows which columns are wanted, and will tell; unless these are the columns of no record.
            if lenient or not _as_text(names[:1], sample, dialect, names, spelling).num_rows:
                raise
            found = sampled(sample, lenient=True)
    for data in peeked:
        piece = _aligned(data, dialect)
        try:
            other = sampled(piece, lenient=lenient) if piece else found
        except DecodeError:
            # It may well start inside of quotes. The reader comes by, in order, and will tell.
            continue
        found = [_unified(one, two) for one, two in zip(found, other, strict=True)]
    # One sample holds whole numbers, and another one fractions.
    rounded = {name for name, kind in zip(names, found, strict=True) if name in long and pa.types.is_float64(kind)}
    found = [pa.string() if name in rounded else kind for name, kind in zip(names, found, strict=True)]
    large |= rounded
    if large:
        _tell(sorted(large, key=names.index))
    return pa.schema(
        [
            (name, pa.string() if settled and pa.types.is_null(kind) and name not in types else kind)
            for name, kind in zip(names, found, strict=True)
        ]
    )


def _sampled(
    sample: Piece,
    *,
    dialect: Dialect,
    names: tuple[str, ...],
    types: Mapping[str, pa.DataType],
    spelling: Spelling,
    large: set[str],
    long: set[str],
    lenient: bool,
) -> list[pa.DataType]:
    data = arrow_buffer(sample, dialect)
    if not data.size:
        return [types.get(name, pa.null()) for name in names]
    parse_options = dialect.arrow
    if lenient:
        data, _ = without_ragged_bytes(data, dialect, names)
        parse_options = skipping(parse_options, {})
    column_types = dict.fromkeys(types, pa.binary())
    try:
        if data.size > _LARGE_SAMPLE_BYTES:
            texts = _long_texts(data, dialect, names, spelling)
            column_types |= dict.fromkeys(texts - types.keys(), pa.binary() if lenient else pa.string())
        table = pacsv.read_csv(
            pa.BufferReader(data),
            read_options=read_options(data, names),
            parse_options=parse_options,
            convert_options=spelling.options(column_types),
        )
    except pa.ArrowInvalid as error:
        known = pa.schema([(name, types.get(name, pa.string())) for name in names])
        raise Decoding(dialect, names, known, spelling).refused(error, sample) from error
    kinds = {field.name: types.get(field.name, field.type) for field in table.schema}
    for name, kind in kinds.items():
        if pa.types.is_binary(kind) and name not in types:
            # Arrow takes what is not UTF-8 for bytes, silently. Read as text, it tells the row.
            kinds[name] = pa.string()
    beyond = _not_kept(table.drop_columns(list(types)), sample, dialect, names, spelling)
    for name in kinds:
        if name not in types and (grouped := spelling.grouped_type(table.column(name))) is not None:
            kinds[name] = grouped
            if pa.types.is_float64(grouped) and _has_long_numbers(table.column(name), spelling):
                beyond.add(name)
    large |= beyond
    integers = [name for name, kind in kinds.items() if name not in types and pa.types.is_int64(kind)]
    long.update(name for name in integers if _is_long(table.column(name), spelling))
    off = {name: spelling.may_be_off(table.column(name)) for name in kinds if name not in types}
    times = [name for name, rows in off.items() if rows is not None]
    as_text = (
        beyond
        | _no_days(times, sample, dialect, names, spelling)
        | _hexadecimal(integers, sample, dialect, names, spelling)
    )
    return [pa.string() if name in as_text else kind for name, kind in kinds.items()]


def _long_texts(data: pa.Buffer, dialect: Dialect, names: tuple[str, ...], spelling: Spelling) -> set[str]:
    """Return the columns with a value that is too long for anything but text.

    Arrow tries all types in turn, and quotes the value in each of its errors: 24 s for 100 MB.
    """
    data, _ = without_ragged_bytes(data, dialect, names)
    table = pacsv.read_csv(
        pa.BufferReader(data),
        read_options=read_options(data, names),
        parse_options=skipping(dialect.arrow, {}),
        convert_options=spelling.options(dict.fromkeys(names, pa.binary())),
    )
    longest = (pc.max(pc.binary_length(column)).as_py() or 0 for column in table.itercolumns())
    return {name for name, nbytes in zip(table.column_names, longest, strict=True) if nbytes > _LONG_VALUE_BYTES}


def _hexadecimal(
    integers: Sequence[str], sample: Piece, dialect: Dialect, names: tuple[str, ...], spelling: Spelling
) -> set[str]:
    """Return the columns in which Arrow took ``0x10`` for 16: an address or a hash, which nobody else reads as that."""
    if not integers or not any(sample.data.find(mark, sample.start, sample.stop) >= 0 for mark in (b"0x", b"0X")):
        return set()
    text = _as_text(integers, sample, dialect, names, spelling)
    return {name for name in integers if pc.any(pc.match_substring_regex(text[name], _HEXADECIMAL)).as_py()}


def _no_days(
    times: Sequence[str], sample: Piece, dialect: Dialect, names: tuple[str, ...], spelling: Spelling
) -> set[str]:
    """Return the columns of times with a day that is in no calendar."""
    text = _as_text(times, sample, dialect, names, spelling) if times else None
    return {name for name in times if text is not None and spelling.has_no_such_day(text[name])}


def _as_text(
    columns: Sequence[str], sample: Piece, dialect: Dialect, names: tuple[str, ...], spelling: Spelling
) -> pa.RecordBatch:
    schema = pa.schema([(name, pa.string()) for name in columns])
    # Records of another number of fields have been passed over, or there is none.
    return Decoding(dialect, names, schema, spelling, "skip").salvaged(sample).data


def _not_kept(table: pa.Table, sample: Piece, dialect: Dialect, names: tuple[str, ...], spelling: Spelling) -> set[str]:
    """Return the columns with whole numbers that Arrow took for floats: beyond 64 bits, or without all their digits."""
    suspects = [
        field.name
        for field, column in zip(table.schema, table.itercolumns(), strict=True)
        if pa.types.is_float64(field.type) and may_lose_digits(column)
    ]
    if not suspects:
        return set()
    text = _as_text(suspects, sample, dialect, names, spelling)
    return {name for name in suspects if _has_long_numbers(text[name], spelling)}


def _has_long_numbers(text: pa.Array | pa.ChunkedArray, spelling: Spelling) -> bool:
    text = spelling.without_groups(text)
    return pc.any(pc.match_substring_regex(text, _BEYOND_INT64)).as_py() or has_rounded(text, spelling)


def _is_long(column: pa.ChunkedArray, spelling: Spelling) -> bool:
    """Tell whether there is a whole number of which a float does not keep all digits."""
    if pa.types.is_integer(column.type):
        # To look at each would take longer than all of the sample, and nearly always two tell.
        ends = pc.min_max(column).as_py().values()
        large = any(end is not None and abs(end) >= LEAST_LOSSY for end in ends)
        return large and any(map(loses_digits, map(str, column.drop_null().unique().to_pylist())))
    return has_rounded(column, spelling)


def _tell(large: Sequence[str]) -> None:
    shown = ", ".join(map(repr, large[:_SHOWN_NAMES])) + (", …" if len(large) > _SHOWN_NAMES else "")
    warn(
        f"whole numbers that no number of 64 bits keeps are read as text, which keeps all digits: {shown}; "
        'pass dtype= to choose: "string", "uint64", "decimal128(38, 0)", or "float64", which rounds'
    )


def _aligned(data: bytearray, dialect: Dialect) -> Piece | None:
    """Return the complete records of bytes that start anywhere; None if it cannot be told where they are."""
    if dialect.escapechar or dialect.comment:
        return None
    start = data.find(b"\n") + 1 or data.find(b"\r") + 1
    if not start or inside_quotes(dialect, data, start, len(data)) is None:
        return None
    stop = end_of_records(dialect, data, start, len(data))
    return Piece(data, start, stop, 0) if stop > start else None


def _unified(one: pa.DataType, two: pa.DataType) -> pa.DataType:
    """Return the narrowest type that holds the values of both."""
    if one == two or pa.types.is_null(two):
        return one
    if pa.types.is_null(one):
        return two
    for wide, narrow in ((one, two), (two, one)):
        if pa.types.is_float64(wide) and pa.types.is_int64(narrow):
            return wide
        if pa.types.is_timestamp(wide) and wide.tz is None and pa.types.is_date32(narrow):
            return wide
        if pa.types.is_timestamp(wide) and pa.types.is_timestamp(narrow) and wide.tz == narrow.tz and wide.unit == "ns":
            return wide
    return pa.string()

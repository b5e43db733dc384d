"""Types by the names that people use, and checks of columns.

Rule: a type may be named in Arrow's, pandas', numpy's or Python's words; what is printed can be
pasted back.
"""

from __future__ import annotations

import datetime
import decimal
import json
import re
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from streamframe.errors import ColumnNotFoundError, SchemaError, did_you_mean

_NAMED: dict[str, pa.DataType] = {
    "null": pa.null(),
    "bool": pa.bool_(), "boolean": pa.bool_(), "bool_": pa.bool_(),
    "int8": pa.int8(), "int16": pa.int16(), "int32": pa.int32(), "int64": pa.int64(), "int": pa.int64(),
    "uint8": pa.uint8(), "uint16": pa.uint16(), "uint32": pa.uint32(), "uint64": pa.uint64(),
    "float16": pa.float16(), "halffloat": pa.float16(), "float32": pa.float32(), "float64": pa.float64(),
    # To Arrow "float" has 32 bits; pandas, numpy and Python mean 64, which lose nothing.
    "float": pa.float64(), "double": pa.float64(),
    "string": pa.string(), "utf8": pa.string(), "str": pa.string(), "object": pa.string(),
    "str_": pa.string(), "object_": pa.string(), "bytes_": pa.binary(),
    "large_string": pa.large_string(), "large_utf8": pa.large_string(), "string_view": pa.string_view(),
    "binary": pa.binary(), "bytes": pa.binary(), "large_binary": pa.large_binary(),
    "date": pa.date32(), "date32": pa.date32(), "date32[day]": pa.date32(),
    "date64": pa.date64(), "date64[ms]": pa.date64(),
    "time": pa.time64("us"), "time32[s]": pa.time32("s"), "time32[ms]": pa.time32("ms"),
    "time64[us]": pa.time64("us"), "time64[ns]": pa.time64("ns"),
    "datetime": pa.timestamp("us"), "datetime64": pa.timestamp("us"), "timestamp": pa.timestamp("us"),
    "timedelta": pa.duration("us"), "timedelta64": pa.duration("us"), "duration": pa.duration("us"),
    "category": pa.dictionary(pa.int32(), pa.string()),
    # numpy's names of C's types, as they are where a long has 64 bits.
    "byte": pa.int8(), "short": pa.int16(), "intc": pa.int32(), "intp": pa.int64(), "long": pa.int64(),
    "longlong": pa.int64(), "ubyte": pa.uint8(), "ushort": pa.uint16(), "uintc": pa.uint32(), "uint": pa.uint64(),
    "uintp": pa.uint64(), "ulong": pa.uint64(), "ulonglong": pa.uint64(), "half": pa.float16(), "single": pa.float32(),
}  # fmt: skip
_PYTHON: dict[object, pa.DataType] = {
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    bool: pa.bool_(),
    bytes: pa.binary(),
    object: pa.string(),
    datetime.datetime: pa.timestamp("us"),
    datetime.date: pa.date32(),
    datetime.time: pa.time64("us"),
    datetime.timedelta: pa.duration("us"),
    decimal.Decimal: pa.decimal128(38, 9),
}
# numpy's letters; a byte order may stand before them, since values are written in ours anyway.
_NUMPY = re.compile(r"[<>=|]?(?:([iuf])([1248])|(b1|\?)|(U[0-9]*|O)|(S[0-9]*)|([mM])8(\[\w+\])?)")
_LETTERS = {"i": "int", "u": "uint", "f": "float", "m": "timedelta64", "M": "datetime64"}
# A time zone that is no name.
_OFFSET = re.compile(r"[+-](?:[01]\d|2[0-3]):?[0-5]\d")
_VIEWED = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
# Arrow's own names for types that we call by a clearer one.
_SPELLED = {"float": "float32", "double": "float64", "halffloat": "float16"}


def parse_dtype(value: Any) -> pa.DataType:
    """Return the Arrow type that a person means.

    Parameters
    ----------
    value
        A `pyarrow.DataType`; a name of Arrow's (``"timestamp[us, UTC]"``, ``"decimal128(10, 2)"``),
        pandas' (``"Int64"``, ``"datetime64[ns]"``, ``"string[pyarrow]"``) or numpy's (``"float32"``,
        ``"f4"``, ``"<M8[us]"``); a dtype object of theirs; or a Python type. ``"float"`` has 64 bits,
        as everywhere but in Arrow.

    Raises
    ------
    SchemaError
        If no such type is known.

    Examples
    --------
    >>> from streamframe.schema import parse_dtype
    >>> parse_dtype("datetime64[ns, UTC]")
    TimestampType(timestamp[ns, tz=UTC])
    """
    if isinstance(value, pa.DataType):
        return value
    if isinstance(value, type):
        # numpy's scalar types are named like their dtypes.
        return _PYTHON[value] if value in _PYTHON else _named(value.__name__)
    if isinstance(value, str):
        return _named(value)
    pyarrow_dtype = getattr(value, "pyarrow_dtype", None)
    if isinstance(pyarrow_dtype, pa.DataType):
        return pyarrow_dtype
    # Dtype objects of numpy and pandas print as the name that makes them; numpy's texts as "<U5".
    return pa.string() if getattr(value, "kind", None) == "U" else _named(str(value))


def dtype_name(dtype: pa.DataType) -> str:
    """Return a name that can be pasted, as in ``dtype={"zip": "string"}``; `parse_dtype` reads it back.

    Types that have no short name are printed as Arrow does; a dictionary is a ``"category"``, whatever
    its indices are. A field of a struct whose name is no word stands in double quotes.
    """
    if pa.types.is_dictionary(dtype):
        return "category"
    if pa.types.is_list(dtype):
        return f"list<{dtype_name(dtype.value_type)}>"
    if pa.types.is_large_list(dtype):
        return f"large_list<{dtype_name(dtype.value_type)}>"
    if pa.types.is_struct(dtype):
        return f"struct<{', '.join(f'{_field_name(field.name)}: {dtype_name(field.type)}' for field in dtype)}>"
    if pa.types.is_map(dtype):
        return f"map<{dtype_name(dtype.key_type)}, {dtype_name(dtype.item_type)}>"
    return _SPELLED.get(str(dtype), str(dtype))


def check_columns(names: Iterable[str], schema: pa.Schema) -> None:
    """Raise `ColumnNotFoundError` for the first name that is no column."""
    existing = frozenset(schema.names)
    for name in names:
        if name not in existing:
            raise ColumnNotFoundError.among(name, schema.names)


def is_text(dtype: pa.DataType) -> bool:
    """Tell whether values of a type are text."""
    return bool(pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype))


def without_views(schema: pa.Schema) -> pa.Schema:
    """Return a schema in which text is text: polars has it as views, which half of Arrow's functions do not take."""
    return pa.schema([field.with_type(_without_views(field.type)) for field in schema], metadata=schema.metadata)


def _without_views(dtype: pa.DataType) -> pa.DataType:
    if dtype in _VIEWED:
        return _VIEWED[dtype]
    if pa.types.is_list(dtype) or pa.types.is_large_list(dtype):
        make = pa.list_ if pa.types.is_list(dtype) else pa.large_list
        return make(_field_without_views(dtype.value_field))
    if pa.types.is_fixed_size_list(dtype):
        return pa.list_(_field_without_views(dtype.value_field), dtype.list_size)
    if pa.types.is_struct(dtype):
        return pa.struct([_field_without_views(field) for field in dtype])
    if pa.types.is_map(dtype):
        key, item = _field_without_views(dtype.key_field), _field_without_views(dtype.item_field)
        return pa.map_(key, item, keys_sorted=dtype.keys_sorted)
    if pa.types.is_dictionary(dtype) and dtype.value_type in _VIEWED:
        return pa.dictionary(dtype.index_type, _VIEWED[dtype.value_type], ordered=dtype.ordered)
    return dtype


def _field_without_views(field: pa.Field) -> pa.Field:
    return field.with_type(_without_views(field.type))


def describe_schema(schema: pa.Schema) -> str:
    """Return one line for each column: its name and its type, aligned."""
    width = max((len(name) for name in schema.names), default=0)
    return "\n".join(f"{field.name:<{width}}  {dtype_name(field.type)}" for field in schema)


def require_same(expected: pa.Schema, found: pa.Schema) -> None:
    """Raise `SchemaError` at the first column in which two schemas differ; metadata may differ."""
    existing = frozenset(found.names)
    for field in expected:
        if field.name not in existing:
            raise SchemaError(
                f"column {field.name!r} is missing in one of the frames; that one has: {', '.join(found.names)}",
                column=field.name,
                hint=did_you_mean(field.name, found.names) or "select the same columns of each frame.",
            )
    known = frozenset(expected.names)
    for name in found.names:
        if name not in known:
            raise SchemaError(
                f"column {name!r} is in one of the frames only",
                column=name,
                hint="select the same columns of each frame.",
            )
    for index, field in enumerate(expected):
        other = found.field(index)
        if other.name != field.name:
            raise SchemaError(
                f"the columns stand in another order: {other.name!r} is where {field.name!r} should be",
                column=field.name,
                hint="select the columns of each frame in the same order.",
            )
        if other.type != field.type:
            wanted = dtype_name(field.type)
            raise SchemaError(
                f"column {field.name!r} is {wanted} in one frame and {dtype_name(other.type)} in another",
                column=field.name,
                hint=f"cast it: .cast({{{field.name!r}: {wanted!r}}}).",
            )


def _named(name: str) -> pa.DataType:
    text = name.strip()
    if text.endswith("[pyarrow]"):
        # pandas' names of Arrow's types are Arrow's: there "float" does have 32 bits.
        text = text.removesuffix("[pyarrow]")
        text = _SPELLED.get(text, text)
    known = _NAMED.get(text.removesuffix("[python]").lower()) or _numpy_code(text)
    if known is None:
        known = _with_parameters(text)
    if known is None:
        raise SchemaError(f"the type {name!r} is not known", hint=_dtype_hint(text))
    return known


def _with_parameters(text: str) -> pa.DataType | None:
    found = re.fullmatch(r"(?:timestamp|datetime64)\[(s|ms|us|ns)(?:,\s*(?:tz=)?([^\s\]]+))?\]", text)
    if found:
        return pa.timestamp(found[1], found[2] and _known_zone(found[2]))
    found = re.fullmatch(r"(?:duration|timedelta64)\[(s|ms|us|ns)\]", text)
    if found:
        return pa.duration(found[1])
    found = re.fullmatch(r"decimal(128|256)?\((\d+)(?:,\s*(-?\d+))?\)", text)
    if found:
        precision, scale = int(found[2]), int(found[3] or 0)
        make, most = (pa.decimal256, 76) if found[1] == "256" else (pa.decimal128, 38)
        return make(precision, scale) if 1 <= precision <= most else None
    found = re.fullmatch(r"(large_)?list<(?:(?:item|element): )?(.+)>", text)
    if found:
        return (pa.large_list if found[1] else pa.list_)(_named(found[2]))
    found = re.fullmatch(r"fixed_size_binary\[(\d+)\]", text)
    if found:
        return pa.binary(int(found[1]))
    found = re.fullmatch(r"(struct|map)<(.*)>", text, re.DOTALL)
    return _nested(found[1], _pieces(found[2])) if found else None


def _known_zone(name: str) -> str:
    """Return the name of a time zone; raise `SchemaError` if there is none: Arrow only looks when it computes."""
    # Late: nearly nobody names one.
    import zoneinfo

    if _OFFSET.fullmatch(name):
        return name
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        known = zoneinfo.available_timezones()
        # Where no zones are installed, nobody can tell.
        if known:
            near = did_you_mean(name, sorted(known))
            raise SchemaError(
                f"the time zone {name!r} is not known", hint=near or 'such as "UTC", "Europe/Paris" or "+01:00".'
            ) from error
    return name


def _numpy_code(text: str) -> pa.DataType | None:
    found = _NUMPY.fullmatch(text)
    if found is None:
        return None
    number, nbytes, truth, string, _, moment, unit = found.groups()
    if number:
        return _NAMED.get(f"{_LETTERS[number]}{8 * int(nbytes)}")  # there is no f1
    if moment:
        return _named(_LETTERS[moment] + (unit or ""))
    return pa.bool_() if truth else pa.string() if string else pa.binary()


def _nested(kind: str, pieces: list[str]) -> pa.DataType | None:
    if kind == "map":
        return pa.map_(*map(_named, pieces)) if len(pieces) == 2 else None
    fields = [re.fullmatch(r'("(?:[^"\\]|\\.)*"|[^":]*): (.+)', piece, re.DOTALL) for piece in pieces]
    if not all(fields):
        return None
    named = [(json.loads(field[1]) if field[1][:1] == '"' else field[1], _named(field[2])) for field in fields if field]
    return pa.struct(named)


def _pieces(text: str) -> list[str]:
    """Return what the commas separate that stand in no brackets and no quotes."""
    pieces, depth = [""], 0
    for token in re.findall(r'"(?:[^"\\]|\\.)*"|.', text, re.DOTALL):
        depth += (token in "<([") - (token in ">)]")
        if token == "," and not depth:
            pieces.append("")
        else:
            pieces[-1] += token
    return [piece.strip() for piece in pieces if piece.strip()]


def _field_name(name: str) -> str:
    return name if re.fullmatch(r"\w+", name) else json.dumps(name, ensure_ascii=False)


def _dtype_hint(text: str) -> str:
    if text.startswith("decimal"):
        return 'a decimal needs its digits, at most 38, and those behind the point: "decimal128(10, 2)".'
    return did_you_mean(text, _NAMED) or 'use a name such as "int64", "float64", "string" or "timestamp[us]".'

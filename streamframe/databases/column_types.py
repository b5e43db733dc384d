"""The types of a result's columns, frozen with its first rows.

Rules: a type comes from `dtype=`, else from the driver, else from the first rows. A later value
that does not fit is an error with its row; nothing is rounded, and nothing becomes text by itself.
"""

from __future__ import annotations

import decimal
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from streamframe.databases.base import Column, Values
from streamframe.errors import DecodeError, SchemaError
from streamframe.schema import check_columns, dtype_name

# All that Arrow raises about Python's values; ValueError and TypeError are bases of its own errors.
_REFUSED = (pa.ArrowException, ValueError, TypeError, OverflowError)

# The most digits a decimal of 128 bits has.
_MOST_DIGITS = 38
_SHOWN_CHARACTERS = 40


def frozen_schema(
    columns: Sequence[Column], sample: Sequence[Sequence[Any]], dtype: Mapping[str, pa.DataType]
) -> pa.Schema:
    """Return the schema of a result, as its driver and its first rows have it."""
    names = [column.name for column in columns]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise SchemaError(
                f"the query has more than one column named {name!r}",
                column=name,
                hint="name them with AS in the query: columns are found by name.",
            )
    fields = []
    for column, values in zip(columns, sample, strict=True):
        kind = dtype.get(column.name) or column.type
        if kind is None:
            kind = _decimal_of(values) if column.decimal_text else _inferred(column.name, values)
        fields.append(pa.field(column.name, kind))
    schema = pa.schema(fields)
    check_columns(dtype, schema)
    return schema


def known(values: Sequence[Any]) -> bool:
    """Tell whether a value is there by which a column's type can be found."""
    return any(value is not None for value in values)


def column_of(values: Values, field: pa.Field) -> pa.Array:
    """Return values as an array of the type that was frozen.

    Raises
    ------
    DecodeError
        At the first value that does not fit, with its row, counted from 1.
    """
    try:
        return _converted(values, field.type)
    except _REFUSED as error:
        raise _misfit(values, field, error) from error


def _converted(values: Values, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.Array):
        return values if values.type == kind else _cast(values, kind)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        try:
            return pa.array(values, kind)
        except _REFUSED:  # not all of them are text
            return pa.array([_text(value) for value in values], kind)
    # Not `pa.array(values, kind)`, which cuts 2.5 to an integer. Text of a number or a moment, as SQLite
    # keeps them, is read as well.
    found = pa.array(values)
    return found if found.type == kind else found.cast(kind)


def _cast(values: pa.Array, kind: pa.DataType) -> pa.Array:
    if isinstance(values.type, pa.UuidType) and pa.types.is_string(kind):
        return pa.array([_text(value) for value in values.to_pylist()], kind)
    if isinstance(values.type, pa.BaseExtensionType):
        values = values.storage
    return values.cast(kind)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode()
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _inferred(name: str, values: Sequence[Any]) -> pa.DataType:
    kinds = {type(value) for value in values} - {type(None)}
    if kinds and kinds <= {uuid.UUID, dict, str}:
        return pa.string()
    try:
        found = pa.array(values).type
    except _REFUSED as error:
        kinds_shown = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise DecodeError(
            f"column {name!r} holds values that make no type together: {kinds_shown}",
            column=name,
            hint=f'pass dtype={{{name!r}: "string"}}, or cast it in the query.',
        ) from error
    # By the first rows alone a decimal would be as narrow as they are.
    return pa.decimal128(_MOST_DIGITS, max(found.scale, 0)) if pa.types.is_decimal128(found) else found


def _decimal_of(values: Sequence[str | None]) -> pa.DataType:
    texts = (value for value in values if value)
    scales = [-int(number.as_tuple().exponent) for number in map(decimal.Decimal, texts) if number.is_finite()]
    return pa.decimal128(_MOST_DIGITS, min(_MOST_DIGITS, max([0, *scales])))


def _misfit(values: Values, field: pa.Field, error: Exception) -> DecodeError:
    for row, value in enumerate(values, start=1):
        alone = pa.array([value.as_py()], values.type) if isinstance(values, pa.Array) else [value]
        try:
            _converted(alone, field.type)
        except _REFUSED:
            plain = value.as_py() if isinstance(value, pa.Scalar) else value
            return DecodeError(
                f"column {field.name!r}: cannot read {_shown(plain)} as {dtype_name(field.type)}",
                row=row,
                column=field.name,
                hint=f'pass dtype={{{field.name!r}: "{_remedy(plain, field.type)}"}}, or cast it in the query.',
            )
    return DecodeError(f"column {field.name!r} cannot be read as {dtype_name(field.type)}: {error}", column=field.name)


def _remedy(value: Any, kind: pa.DataType) -> str:
    if pa.types.is_null(kind):
        return dtype_name(_inferred("", [value]))
    if isinstance(value, float) and pa.types.is_integer(kind):
        return "float64"
    return "string"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"

"""The narrowest type that holds the values of two.

Rule: nothing is lost. Where that depends on the values (a 64-bit integer as a float, a far date in
nanoseconds), the cast that reads them is checked, so that a value which does not fit is an error.
"""

from __future__ import annotations

import pyarrow as pa
from pyarrow import types as t

_SIGNED = (pa.int8(), pa.int16(), pa.int32(), pa.int64())
_UNITS = ("s", "ms", "us", "ns")
# The narrower of two comes first. Text and bytes do not mix.
_FAMILIES = (
    (pa.float16(), pa.float32(), pa.float64()),
    _SIGNED,
    (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    (pa.string_view(), pa.string(), pa.large_string()),
    (pa.binary_view(), pa.binary(), pa.large_binary()),
    (pa.date32(), pa.date64()),
    (pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")),
    tuple(pa.duration(unit) for unit in _UNITS),
)


def widened(one: pa.DataType, two: pa.DataType) -> pa.DataType | None:
    """Return the type that holds the values of both; None if there is none."""
    if one == two or t.is_null(two):
        return one
    if t.is_null(one):
        return two
    for family in _FAMILIES:
        if one in family and two in family:
            return max(one, two, key=family.index)
    return _mixed(one, two) or _mixed(two, one)


def told(schema: pa.Schema) -> pa.Schema:
    """Return a schema in which what no value has told the type of is text."""
    return pa.schema([field.with_type(_told(field.type)) for field in schema])


def _mixed(one: pa.DataType, two: pa.DataType) -> pa.DataType | None:
    if t.is_dictionary(one):
        return _decoded(one, two)
    if t.is_integer(one) and t.is_integer(two):
        return _signed(one, two) if t.is_unsigned_integer(one) else None
    if t.is_floating(one) and t.is_integer(two):
        # So many bits a float counts with exactly; the widest takes every integer that the cast lets pass.
        exact = {16: 11, 32: 24}.get(one.bit_width, 64)
        return one if two.bit_width <= exact else pa.float32() if two.bit_width < 24 else pa.float64()
    if t.is_timestamp(one) and t.is_date(two) and one.tz is None:
        return one
    if t.is_timestamp(one) and t.is_timestamp(two) and one.tz == two.tz:
        return max(one, two, key=lambda kind: _UNITS.index(kind.unit))
    if t.is_decimal(one) and t.is_decimal(two):
        return _decimal(one, two)
    if t.is_struct(one) and t.is_struct(two):
        return _struct(one, two)
    if (t.is_list(one) or t.is_large_list(one)) and t.is_list(two):
        value = widened(one.value_type, two.value_type)
        return None if value is None else (pa.list_ if t.is_list(one) else pa.large_list)(value)
    return None


def _decoded(one: pa.DataType, two: pa.DataType) -> pa.DataType | None:
    if not t.is_dictionary(two):
        return widened(one.value_type, two)
    value, index = widened(one.value_type, two.value_type), widened(one.index_type, two.index_type)
    return None if value is None or index is None else pa.dictionary(index, value, one.ordered and two.ordered)


def _signed(unsigned: pa.DataType, signed: pa.DataType) -> pa.DataType | None:
    if t.is_unsigned_integer(signed):
        return None
    return next(
        (kind for kind in _SIGNED if kind.bit_width > unsigned.bit_width and kind.bit_width >= signed.bit_width), None
    )


def _decimal(one: pa.DataType, two: pa.DataType) -> pa.DataType | None:
    scale = max(one.scale, two.scale)
    digits = max(one.precision - one.scale, two.precision - two.scale) + scale
    return pa.decimal128(digits, scale) if digits <= 38 else pa.decimal256(digits, scale) if digits <= 76 else None


def _struct(one: pa.DataType, two: pa.DataType) -> pa.DataType | None:
    fields = {field.name: field.type for field in one}
    for field in two:
        kind = widened(fields.get(field.name, pa.null()), field.type)
        if kind is None:
            return None
        fields[field.name] = kind
    return pa.struct(list(fields.items()))


def _told(kind: pa.DataType) -> pa.DataType:
    if t.is_null(kind):
        return pa.string()
    if t.is_struct(kind):
        return pa.struct([(field.name, _told(field.type)) for field in kind])
    return pa.list_(_told(kind.value_type)) if t.is_list(kind) else kind

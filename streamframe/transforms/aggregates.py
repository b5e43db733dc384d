"""What `agg` computes of each group: `("fare", "sum")`, `count()`, and the types that take part.

Rule: every function here decomposes. It is reduced to partials batch by batch, and partials are
reduced the same way again, so that no function ever needs to see a whole group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from streamframe.errors import PlanError, SchemaError, did_you_mean
from streamframe.expr import Expr, as_column
from streamframe.schema import dtype_name
from streamframe.transforms.select import shown

FUNCTIONS = ("count", "sum", "min", "max", "mean")
# A decimal128 sum of so few digits cannot overflow, whatever the number of rows.
_SAFE_DIGITS = 19
# The same for decimal256, of which no wider kind exists.
_SAFE_WIDE_DIGITS = 57
_FORM = 'write agg(total=("fare", "sum"), n=sf.count()).'


@dataclass(frozen=True, eq=False)
class Aggregate:
    """A function of all values of a group, or of its rows if there is no operand."""

    function: str
    operand: Expr | None = None

    def __repr__(self) -> str:
        if self.operand is None:
            return "sf.count()"
        return f"({shown(self.operand)}, {self.function!r})"


def count(column: str | Expr | None = None) -> Aggregate:
    """Return the aggregate that counts the rows of each group, or the values of a column that are not null.

    Parameters
    ----------
    column
        Whose values to count. Default: all rows.

    Examples
    --------
    >>> import streamframe as sf
    >>> flights = sf.from_arrow({"dest": ["ATL", "BOS", "ATL"], "delay": [12, None, None]})
    >>> flights.group_by("dest").agg(n=sf.count(), known=sf.count("delay")).to_pandas()
      dest  n  known
    0  ATL  2      1
    1  BOS  1      0
    """
    return Aggregate("count", None if column is None else as_column(column))


def as_aggregate(name: str, value: Any) -> Aggregate:
    """Return what `agg(name=value)` asks for; raise `PlanError` on anything else."""
    if isinstance(value, Aggregate):
        return value
    if not isinstance(value, tuple) or len(value) != 2 or not isinstance(value[1], str):
        raise PlanError(f"agg cannot read {name}={_shortened(value)}", hint=_FORM)
    operand, function = value
    if function not in FUNCTIONS:
        near = did_you_mean(function, FUNCTIONS)
        raise PlanError(
            f"agg has no function {function!r}", hint=f"{near or ''} There are {', '.join(FUNCTIONS)}.".strip()
        )
    return Aggregate(function, as_column(operand))


def refuse_positional(given: tuple[Any, ...]) -> None:
    """Tell those who come from pandas or polars how results are named here."""
    if not given:
        return
    hint = _FORM
    if isinstance(given[0], Mapping) and all(isinstance(each, str) for each in given[0].values()):
        named = [f"{column}=({column!r}, {function!r})" for column, function in given[0].items()]
        hint = f"write agg({', '.join(named)})."
    raise PlanError("agg needs a name for each result", hint=hint)


def carrier(function: str, dtype: pa.DataType) -> pa.DataType:
    """Return the type in which values are reduced: one that Arrow can, and that does not overflow unseen."""
    if function == "count":
        return dtype
    if pa.types.is_dictionary(dtype):
        return carrier(function, dtype.value_type)
    if pa.types.is_duration(dtype):
        return pa.int64()
    if pa.types.is_float16(dtype):
        return pa.float32()
    if pa.types.is_decimal32(dtype) or pa.types.is_decimal64(dtype):
        return pa.decimal128(dtype.precision, dtype.scale)
    if function in ("min", "max"):
        views = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}
        return views.get(dtype, dtype)
    if pa.types.is_boolean(dtype) or pa.types.is_null(dtype):
        return pa.int64()
    if pa.types.is_decimal128(dtype) and dtype.precision > _SAFE_DIGITS:
        return pa.decimal256(76, dtype.scale)
    return dtype


def result_field(name: str, function: str, operand: pa.Field | None) -> pa.Field:
    """Return the field that an aggregate makes of its operand's field.

    Raises
    ------
    SchemaError
        If the function cannot be computed for this type.
    """
    if operand is None or function == "count":
        return pa.field(name, pa.int64())
    dtype = operand.type.value_type if pa.types.is_dictionary(operand.type) else operand.type
    result = _result_type(function, dtype)
    if result is None:
        raise SchemaError(
            f"{function} of column {operand.name!r} cannot be computed: it is {dtype_name(operand.type)}",
            column=operand.name,
            hint="cast it first, or count it: every type can be counted.",
        )
    return pa.field(name, result)


def _result_type(function: str, dtype: pa.DataType) -> pa.DataType | None:
    kinds = pa.types
    if function in ("min", "max"):
        return None if kinds.is_nested(dtype) or isinstance(dtype, pa.BaseExtensionType) else dtype
    if kinds.is_decimal256(dtype) and dtype.precision > _SAFE_WIDE_DIGITS:
        return None
    if function == "mean":
        summed = kinds.is_integer(dtype) or kinds.is_floating(dtype) or kinds.is_decimal(dtype)
        return pa.float64() if summed or kinds.is_boolean(dtype) or kinds.is_null(dtype) else None
    if kinds.is_duration(dtype):
        return dtype
    if kinds.is_unsigned_integer(dtype):
        return pa.uint64()
    if kinds.is_integer(dtype) or kinds.is_boolean(dtype) or kinds.is_null(dtype):
        return pa.int64()
    if kinds.is_floating(dtype):
        return pa.float64()
    if kinds.is_decimal256(dtype):
        return pa.decimal256(76, dtype.scale)
    return pa.decimal128(38, dtype.scale) if kinds.is_decimal(dtype) else None


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"

"""Literals that take their meaning from the column they stand beside.

Rule: a text beside a time is that time, and nothing is cut off it to fit. A time with a zone never
meets one without: nobody can tell which moment the latter is.
"""

from __future__ import annotations

import datetime
import re

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.errors import SchemaError
from streamframe.expr.expression import Expr, as_expr


def adapted(literal: Expr, target: pa.DataType, whole: Expr) -> Expr:
    """Return a literal as it is meant beside a value of type `target`, within the expression `whole`.

    Raises
    ------
    SchemaError
        If it cannot be meant so.
    """
    scalar = literal.literal
    assert scalar is not None
    if literal.is_text and pa.types.is_temporal(target):
        return as_expr(_as_time(scalar, target, whole))
    if literal.is_text and pa.types.is_large_string(target):
        return as_expr(scalar.cast(target))
    if not literal.is_text and pa.types.is_timestamp(target):
        if target.tz is None:
            # Arrow would take the column's times as UTC.
            raise SchemaError(
                f"cannot use {literal.text}, which has a zone, with {target}, which has none, in {whole.text}",
                hint="leave out the literal's tzinfo, or say which zone the column is in: .dt.tz_localize('UTC').",
            )
        return as_expr(scalar.cast(pa.timestamp(scalar.type.unit, target.tz)))
    return literal


def _as_time(text: pa.Scalar, target: pa.DataType, whole: Expr) -> pa.Scalar:
    zone = getattr(target, "tz", None)
    # A text that is finer than the column is not cut: the column takes the finer type.
    for wanted in (target, pa.timestamp("ns", zone), pa.timestamp("us", zone)):
        try:
            return _time_of_day(text.as_py()) if pa.types.is_time(target) else _read_time(text, wanted)
        except (pa.ArrowException, ValueError):
            continue
    raise SchemaError(
        f"cannot read {text.as_py()!r} as {target} in {whole.text}",
        hint="write it as in '2024-01-31', '2024-01-31 12:00:00' or, for a time of day, '12:00:00'.",
    )


def _time_of_day(text: str) -> pa.Scalar:
    # Arrow has no cast from text to a time of day.
    time = datetime.time.fromisoformat(text)
    if time.tzinfo is not None:
        raise ValueError("a time of day has no zone")
    return pa.scalar(time)


def _read_time(text: pa.Scalar, target: pa.DataType) -> pa.Scalar:
    zone = getattr(target, "tz", None)
    if zone is None or re.search(r"(Z|[+-]\d\d(:?\d\d)?)$", text.as_py()[len("2024-01-31") :]):
        return text.cast(target)
    # Without an offset it is the local time of the column's zone, as in pandas.
    return pc.assume_timezone(text.cast(pa.timestamp(target.unit)), zone)

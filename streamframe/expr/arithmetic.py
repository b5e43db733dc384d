"""Operators that are more than one Arrow function.

Rule: an expression is built before its columns' types are known, so each of these is made of
functions that do the right thing for integers and for floats alike.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.expr.text import ADD, MULTIPLY, UNARY, infix_text, prefix_text

if TYPE_CHECKING:
    from streamframe.expr.expression import Expr


def infix(function: str, left: Expr, sign: str, right: Expr, level: int) -> Expr:
    """Return ``left sign right``, computed by one Arrow function."""
    return left.call(function, right, text=_text(left, sign, right, level), level=level)


def prefix(function: str, sign: str, operand: Expr) -> Expr:
    """Return ``-operand`` or ``~operand``."""
    return operand.call(function, text=prefix_text(sign, operand.text, operand.level), level=UNARY)


def add(left: Expr, right: Expr) -> Expr:
    """Return ``left + right``; beside a literal text that is one text behind the other."""
    if left.is_text or right.is_text:
        joined = left.call("binary_join_element_wise", right, "")
        return joined.reading(_text(left, "+", right, ADD), ADD)
    return infix("add_checked", left, "+", right, ADD)


def true_divide(left: Expr, right: Expr) -> Expr:
    """Return ``left / right`` as float64: Arrow's own division of integers would round."""
    quotient = _as_float(left).call("divide", _as_float(right))
    return quotient.reading(_text(left, "/", right, MULTIPLY), MULTIPLY)


def floor_divide(left: Expr, right: Expr) -> Expr:
    """Return ``left // right``, rounded down."""
    quotient, _, lower = _divided(left, right)
    # Unchecked, since every branch is computed for every row: where this one is chosen nothing overflows.
    return lower.call("if_else", quotient.call("subtract", 1), quotient).reading(
        _text(left, "//", right, MULTIPLY), MULTIPLY
    )


def modulo(left: Expr, right: Expr) -> Expr:
    """Return ``left % right``, with the sign of `right`."""
    _, rest, lower = _divided(left, right)
    # Unchecked for the same reason.
    return lower.call("if_else", rest.call("add", right), rest).reading(_text(left, "%", right, MULTIPLY), MULTIPLY)


def _divided(left: Expr, right: Expr) -> tuple[Expr, Expr, Expr]:
    """Return quotient, rest, and whether the quotient was rounded up, so that both are off by one.

    Arrow has no floored division, and `modulo` only in recent versions. Its `divide` cuts integers
    towards zero; rounding down leaves integers alone and does for floats what is meant.
    """
    quotient = left.call("divide_checked", right).call("round", options=pc.RoundOptions(0, "down"))
    rest = left - quotient * right
    lower = (rest != 0) & ((rest < 0) ^ (right < 0))
    return quotient, rest, lower


def _as_float(operand: Expr) -> Expr:
    """Return a number as float64; what is no number stays an error."""
    if operand.literal is not None and isinstance(operand.literal.as_py(), int):
        return operand._operand(float(operand.literal.as_py()))
    if operand.literal is not None:
        return operand
    # A cast would read "12" as a number, and subtracting has no kernel for text. Minus 0 keeps -0.0.
    zero = dataclasses.replace(operand._operand(0), arrow=pc.scalar(0).cast(pa.int64()))
    # Integers above 2**53 are rounded to the nearest float, as in Python.
    nearest = pc.CastOptions(target_type=pa.float64(), allow_float_truncate=True)
    return operand.call("subtract_checked", zero).call("cast", options=nearest)


def _text(left: Expr, sign: str, right: Expr, level: int) -> str:
    return infix_text(left.text, left.level, sign, right.text, right.level, level)

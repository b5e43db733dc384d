"""What `+`, `>`, `&` and the other operators mean.

Rules: null in, null out; `&` and `|` follow Kleene (``null | True`` is True). Integers never wrap
around: an overflow is an error. `/` is true division and gives a float, inf or nan for a zero
divisor; `//` and `%` round down as Python's do, and a zero divisor is an error, as in Python.
Comparing with NaN is false, but for `!=`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamframe.expr.arithmetic import add, floor_divide, infix, modulo, prefix, true_divide
from streamframe.expr.text import ADD, AND, COMPARE, MULTIPLY, OR, POWER, XOR

if TYPE_CHECKING:
    from streamframe.expr.expression import Expr


class Operators:
    """The operators of `Expr`."""

    def _operand(self, value: object) -> Expr:
        """Return an operand, such as a literal, as an expression."""
        raise NotImplementedError

    def __add__(self, other: object) -> Expr:
        return add(self._operand(self), self._operand(other))

    def __radd__(self, other: object) -> Expr:
        return add(self._operand(other), self._operand(self))

    def __sub__(self, other: object) -> Expr:
        return infix("subtract_checked", self._operand(self), "-", self._operand(other), ADD)

    def __rsub__(self, other: object) -> Expr:
        return infix("subtract_checked", self._operand(other), "-", self._operand(self), ADD)

    def __mul__(self, other: object) -> Expr:
        return infix("multiply_checked", self._operand(self), "*", self._operand(other), MULTIPLY)

    def __rmul__(self, other: object) -> Expr:
        return infix("multiply_checked", self._operand(other), "*", self._operand(self), MULTIPLY)

    def __truediv__(self, other: object) -> Expr:
        return true_divide(self._operand(self), self._operand(other))

    def __rtruediv__(self, other: object) -> Expr:
        return true_divide(self._operand(other), self._operand(self))

    def __floordiv__(self, other: object) -> Expr:
        return floor_divide(self._operand(self), self._operand(other))

    def __rfloordiv__(self, other: object) -> Expr:
        return floor_divide(self._operand(other), self._operand(self))

    def __mod__(self, other: object) -> Expr:
        return modulo(self._operand(self), self._operand(other))

    def __rmod__(self, other: object) -> Expr:
        return modulo(self._operand(other), self._operand(self))

    def __pow__(self, other: object) -> Expr:
        return infix("power_checked", self._operand(self), "**", self._operand(other), POWER)

    def __rpow__(self, other: object) -> Expr:
        return infix("power_checked", self._operand(other), "**", self._operand(self), POWER)

    def __neg__(self) -> Expr:
        return prefix("negate_checked", "-", self._operand(self))

    def __invert__(self) -> Expr:
        return prefix("invert", "~", self._operand(self))

    def __eq__(self, other: object) -> Expr:  # type: ignore[override]
        return infix("equal", self._operand(self), "==", self._operand(other), COMPARE)

    def __ne__(self, other: object) -> Expr:  # type: ignore[override]
        return infix("not_equal", self._operand(self), "!=", self._operand(other), COMPARE)

    def __lt__(self, other: object) -> Expr:
        return infix("less", self._operand(self), "<", self._operand(other), COMPARE)

    def __le__(self, other: object) -> Expr:
        return infix("less_equal", self._operand(self), "<=", self._operand(other), COMPARE)

    def __gt__(self, other: object) -> Expr:
        return infix("greater", self._operand(self), ">", self._operand(other), COMPARE)

    def __ge__(self, other: object) -> Expr:
        return infix("greater_equal", self._operand(self), ">=", self._operand(other), COMPARE)

    def __and__(self, other: object) -> Expr:
        return infix("and_kleene", self._operand(self), "&", self._operand(other), AND)

    def __rand__(self, other: object) -> Expr:
        return infix("and_kleene", self._operand(other), "&", self._operand(self), AND)

    def __or__(self, other: object) -> Expr:
        return infix("or_kleene", self._operand(self), "|", self._operand(other), OR)

    def __ror__(self, other: object) -> Expr:
        return infix("or_kleene", self._operand(other), "|", self._operand(self), OR)

    def __xor__(self, other: object) -> Expr:
        return infix("xor", self._operand(self), "^", self._operand(other), XOR)

    def __rxor__(self, other: object) -> Expr:
        return infix("xor", self._operand(other), "^", self._operand(self), XOR)

    # `==` builds an expression, so only identity is left to hash by.
    __hash__ = object.__hash__

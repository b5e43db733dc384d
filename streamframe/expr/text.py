"""How an expression reads: as a person would type it, with the parentheses Python needs.

The levels are those of Python's grammar: a comparison binds looser than `|`, which is why
``(a > 1) & (b > 2)`` needs its parentheses.
"""

from __future__ import annotations

COMPARE, OR, XOR, AND, ADD, MULTIPLY, UNARY, POWER, ATOM = range(9)


def infix_text(left: str, left_level: int, sign: str, right: str, right_level: int, level: int) -> str:
    """Return ``left sign right``; an operand that binds looser is set in parentheses."""
    # `a - b - c` is `(a - b) - c`, `a ** b ** c` is `a ** (b ** c)`, `a < b < c` is neither.
    left_binds = left_level > level or (left_level == level and level not in (COMPARE, POWER))
    right_binds = right_level > level or (right_level == level == POWER)
    return f"{_grouped(left, left_binds)} {sign} {_grouped(right, right_binds)}"


def prefix_text(sign: str, operand: str, level: int) -> str:
    """Return ``-operand`` or ``~operand``."""
    return f"{sign}{_grouped(operand, level > UNARY)}"


def _grouped(text: str, binds: bool) -> str:
    return text if binds else f"({text})"

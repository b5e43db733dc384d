"""Expressions: what to compute for each row, of which columns, and how a person would type it."""

from streamframe.expr.conditions import coalesce, function, when
from streamframe.expr.evaluate import bound, evaluate, evaluate_all, evaluate_mask, result_type
from streamframe.expr.expression import Comparison, Expr, as_column, as_expr, col, lit

__all__ = [
    "Comparison",
    "Expr",
    "as_column",
    "as_expr",
    "bound",
    "coalesce",
    "col",
    "evaluate",
    "evaluate_all",
    "evaluate_mask",
    "function",
    "lit",
    "result_type",
    "when",
]

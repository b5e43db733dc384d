"""Conditions that need no engine: columns beside values of their own kind, joined by `&`.

Rule: what is answered here is what Arrow's engine makes of the same, which takes 0.1 ms a batch, and 0.02 s to import.
Whole numbers meet whole numbers and floats meet floats, so that nothing is cast which might not fit.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.expr.expression import Comparison, Expr


def compares_directly(expr: Expr, schema: pa.Schema) -> bool:
    """Tell whether `compared` can compute a condition over these columns."""
    if expr.both:
        return all(compares_directly(each, schema) for each in expr.both)
    return expr.comparison is not None and _fits(expr.comparison, schema)


def compared(expr: Expr, batch: pa.RecordBatch) -> pa.BooleanArray:
    """Return a condition for each row of a batch; null where it is not known."""
    if expr.both:
        first, second = (compared(each, batch) for each in expr.both)
        return pc.and_kleene(first, second)
    assert expr.comparison
    function, column, value = expr.comparison
    return pc.call_function(function, [batch.column(column), value])


def _fits(comparison: Comparison, schema: pa.Schema) -> bool:
    if not comparison.value.is_valid or schema.get_field_index(comparison.column) < 0:
        return False
    kind, beside = schema.field(comparison.column).type, comparison.value.type
    if pa.types.is_float64(kind):
        return bool(pa.types.is_float64(beside))
    return bool(pa.types.is_signed_integer(kind) and pa.types.is_int64(beside))

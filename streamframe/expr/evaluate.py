"""Compute expressions on one batch, and tell their types without data.

Rules: Arrow computes, on the calling thread, many threads at once. Arrow has no public way to
evaluate an expression, so a projection of its Acero engine over a table of one batch does it
(60 us for 40,000 rows); a plain column takes no part in that. Arrow's errors become ours here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.errors import SchemaError
from streamframe.expr.adapting import adapted
from streamframe.expr.comparing import compared, compares_directly
from streamframe.expr.expression import Expr, as_expr
from streamframe.expr.failures import as_column_error, as_decode_error, as_schema_error, require_column


def evaluate(expr: Expr, batch: pa.RecordBatch) -> pa.Array:
    """Return the values of an expression for each row of a batch.

    Raises
    ------
    ColumnNotFoundError, SchemaError
        If the expression does not fit the columns.
    DecodeError
        If a value cannot be computed: an overflow, a cast that would lose something.
    """
    return evaluate_all((expr,), batch)[0]


def evaluate_mask(expr: Expr, batch: pa.RecordBatch) -> pa.BooleanArray:
    """Return a condition for each row of a batch; what is not known is null.

    Raises
    ------
    ColumnNotFoundError, SchemaError, DecodeError
        As `evaluate`; and `SchemaError` if the expression is not true or false.
    """
    if compares_directly(expr, batch.schema):
        return compared(expr, batch)
    mask = evaluate(expr, batch)
    if pa.types.is_null(mask.type):
        return mask.cast(pa.bool_())
    if not pa.types.is_boolean(mask.type):
        raise SchemaError(
            f"a condition is true or false, but {expr.text} is {mask.type}",
            hint="compare it with something, such as col('x') > 0.",
        )
    return mask


def evaluate_all(exprs: Sequence[Expr], batch: pa.RecordBatch) -> list[pa.Array]:
    """Return the values of several expressions, computed in one go; raises as `evaluate` does."""
    computed = [expr for expr in exprs if not _is_plain(expr)]
    arrays = iter(_computed(computed, batch) if computed else ())
    return [_plain(expr, batch) if _is_plain(expr) else next(arrays) for expr in exprs]


def result_type(expr: Expr, schema: pa.Schema) -> pa.DataType:
    """Return the type that an expression has over these columns; computes nothing.

    Raises
    ------
    ColumnNotFoundError
        If a column does not exist.
    SchemaError
        If the types do not go together.
    """
    for name in sorted(expr.columns or ()):
        require_column(name, schema)
    if expr.column is not None:
        return schema.field(expr.column).type
    if compares_directly(expr, schema):
        return pa.bool_()
    # The cache tells schemas apart by their columns; metadata is no part of that.
    return _type_over(expr, schema.remove_metadata())


def bound(expr: Expr, schema: pa.Schema) -> pc.Expression:
    """Return what Arrow computes over columns of these types.

    That is `expr.arrow`, but for literals that take their meaning from what they stand beside: a
    text beside a time is a time.

    Raises
    ------
    SchemaError
        If such a literal does not fit.
    """
    return expr.arrow if expr.recipe is None else _bound(expr, schema.remove_metadata())


def _is_plain(expr: Expr) -> bool:
    return expr.column is not None or expr.literal is not None


def _plain(expr: Expr, batch: pa.RecordBatch) -> pa.Array:
    if expr.column is None:
        return pa.repeat(expr.literal, batch.num_rows)
    require_column(expr.column, batch.schema)
    return batch.column(expr.column)


def _computed(exprs: Sequence[Expr], batch: pa.RecordBatch) -> list[pa.Array]:
    try:
        return _projected([bound(expr, batch.schema) for expr in exprs], _narrowed(batch, exprs))
    except pa.ArrowMemoryError:
        raise
    except pa.ArrowException as error:
        # One by one, so that the error names the expression it belongs to. Slow, but the run ends here.
        for expr in exprs:
            _raise_ours(expr, batch)
        raise as_decode_error(error, exprs[0], batch.schema) from error


def _raise_ours(expr: Expr, batch: pa.RecordBatch) -> None:
    """Compute one expression, for the error that it raises."""
    result_type(expr, batch.schema)
    try:
        _projected([bound(expr, batch.schema)], _narrowed(batch, (expr,)))
    except pa.ArrowException as error:
        raise as_decode_error(error, expr, batch.schema) from error


def _projected(arrows: Sequence[pc.Expression], batch: pa.RecordBatch) -> list[pa.Array]:
    # Late, since importing it takes longer than all of streamframe.
    from pyarrow.acero import Declaration, ProjectNodeOptions, TableSourceNodeOptions

    names = [str(number) for number in range(len(arrows))]
    source = Declaration("table_source", TableSourceNodeOptions(pa.Table.from_batches([batch])))
    plan = Declaration("project", ProjectNodeOptions(list(arrows), names), inputs=[source])
    return [_single(column) for column in plan.to_table(use_threads=False).columns]


def _single(column: pa.ChunkedArray) -> pa.Array:
    # Acero cuts its input at 32,768 rows.
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _narrowed(batch: pa.RecordBatch, exprs: Sequence[Expr]) -> pa.RecordBatch:
    """Return the columns that are read, since each one that Acero is shown costs a microsecond or more."""
    used: set[str] = set()
    for expr in exprs:
        if expr.columns is None:
            return batch
        used |= expr.columns
    for name in sorted(used):
        require_column(name, batch.schema)
    return batch.select(sorted(used))


def _as_decimal(whole: Expr) -> Expr:
    assert whole.literal is not None
    return as_expr(Decimal(whole.literal.as_py()))


@lru_cache(maxsize=512)
def _type_over(expr: Expr, schema: pa.Schema) -> pa.DataType:
    empty = pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)
    try:
        return _projected([bound(expr, schema)], empty)[0].type
    except pa.ArrowMemoryError:
        raise
    except pa.ArrowException as error:
        # Without a row nothing can overflow: what fails here fails for any data.
        raise as_column_error(error, schema) or as_schema_error(error, expr, schema) from error


@lru_cache(maxsize=512)
def _bound(expr: Expr, schema: pa.Schema) -> pc.Expression:
    recipe = expr.recipe
    if recipe is None:
        return expr.arrow
    peer = next((arg for arg in recipe.args if not arg.is_adaptable), None) if recipe.adapts_literals else None
    target = None if peer is None else result_type(peer, schema)
    first, *rest = (
        adapted(arg, target, expr)
        if arg.is_adaptable and target is not None
        else dataclasses.replace(arg, arrow=bound(arg, schema), recipe=None)
        for arg in recipe.args
    )
    if recipe.may_meet_decimals:
        kinds = [result_type(arg, schema) for arg in recipe.args if not arg.is_whole]
        if any(pa.types.is_decimal(kind) for kind in kinds):
            first, *rest = (_as_decimal(arg) if arg.is_whole else arg for arg in (first, *rest))
    if recipe.merges_zeros and pa.types.is_floating(result_type(recipe.args[0], schema)):
        first = first.call("add", 0)
    return first.call(recipe.function, *rest, options=recipe.options).arrow

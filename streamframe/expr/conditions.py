"""Choosing between values: `when(...).then(...).otherwise(...)` and `coalesce`.

Rule: a condition that is null counts as false, as in a filter. Every branch is computed for every
row, so a branch must not fail where it is not chosen.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from streamframe.errors import PlanError
from streamframe.expr.expression import Expr, as_expr

Branches = tuple[tuple[Expr, Expr], ...]


def when(condition: object) -> When:
    """Start a choice; finish it with `then`, more `when`, and `otherwise`.

    Examples
    --------
    >>> from streamframe.expr import col, lit, when
    >>> when(col("delay") > 60).then(lit("late")).otherwise(lit("fine"))
    when(col('delay') > 60).then(lit('late')).otherwise(lit('fine'))
    """
    return When((), as_expr(condition))


def coalesce(*values: object) -> Expr:
    """Return the first of these that is not null, row by row."""
    if not values:
        raise PlanError("coalesce needs at least one value")
    exprs = [as_expr(value) for value in values]
    text = f"coalesce({', '.join(expr.text for expr in exprs)})"
    # A literal null is never the answer, and has no type by which Arrow could choose a function.
    first, *rest = [expr for expr in exprs if expr.literal is None or expr.literal.is_valid] or exprs[:1]
    return first.call("coalesce", *rest, text=text)


def function(name: str, *args: object, options: object = None) -> Expr:
    """Apply any function of `pyarrow.compute` that works row by row; see `Expr.call`."""
    if not args:
        raise PlanError(f"function({name!r}) needs at least one argument")
    first, *rest = (as_expr(arg) for arg in args)
    shown = ", ".join([repr(name), *(arg.text for arg in (first, *rest))])
    return first.call(name, *rest, options=options, text=f"function({shown})")


@dataclass(frozen=True, eq=False)
class When:
    """A condition that waits for its `then`."""

    branches: Branches
    condition: Expr

    def then(self, value: object) -> Then:
        """Return what the result is where the condition holds."""
        branches = (*self.branches, (self.condition, as_expr(value)))
        chosen = _chosen(branches, as_expr(None))
        return Then(**{field.name: getattr(chosen, field.name) for field in fields(Expr)}, branches=branches)


@dataclass(frozen=True, eq=False, repr=False)
class Then(Expr):
    """A choice that can go on; null where no condition holds."""

    branches: Branches = ()

    def when(self, condition: object) -> When:
        """Add a condition, for the rows where none so far holds."""
        return When(self.branches, as_expr(condition))

    def otherwise(self, value: object) -> Expr:
        """Return what the result is where no condition holds."""
        rest = as_expr(value)
        chosen = _chosen(self.branches, rest)
        return chosen.reading(f"{chosen.text}.otherwise({rest.text})")


def _chosen(branches: Branches, rest: Expr) -> Expr:
    chosen = rest
    for condition, value in reversed(branches):
        chosen = condition.call("coalesce", False).call("if_else", value, chosen)
    named = (expr.name for expr in (*(value for _, value in branches), rest) if expr.name is not None)
    text = ".".join(f"when({condition.text}).then({value.text})" for condition, value in branches)
    return Expr(chosen.arrow, chosen.columns, text, name=next(named, None), recipe=chosen.recipe)

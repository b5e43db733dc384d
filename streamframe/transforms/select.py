"""Choose columns: keep some (and compute), leave some out, rename.

Rule: one batch in, one batch of as many rows out, so the mark passes through untouched.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Self

import pyarrow as pa

from streamframe.errors import PlanError
from streamframe.expr import Expr, col, evaluate_all, result_type
from streamframe.plan.node import Columns, Rows, Transform
from streamframe.schema import check_columns


@dataclass(frozen=True, eq=False)
class Select(Transform):
    """Keep these columns and computed expressions, in this order."""

    exprs: tuple[Expr, ...]
    rowwise: ClassVar[bool] = True
    rows: ClassVar[Rows] = "same"

    @property
    def grows(self) -> bool:
        return any(expr.column is None for expr in self.exprs)

    def produces(self, *schemas: pa.Schema) -> pa.Schema:
        (schema,) = schemas
        fields = [computed_field(output_name(expr), expr, schema) for expr in self.exprs]
        require_unique([field.name for field in fields], "select")
        return pa.schema(fields)

    def needs(self, columns: Columns, schema: pa.Schema | None) -> Columns:
        return used_columns(self.narrowed(columns).exprs, schema)

    def narrowed(self, columns: Columns) -> Self:
        if columns is None:
            return self
        kept = tuple(expr for expr in self.exprs if output_name(expr) in columns)
        return dataclasses.replace(self, exprs=kept)

    def carrying(self, column: str) -> Self:
        return self if self.passes(column) else dataclasses.replace(self, exprs=(*self.exprs, col(column)))

    def passes(self, column: str) -> bool:
        return any(expr.column == column and output_name(expr) == column for expr in self.exprs)

    def apply(self, data: pa.RecordBatch) -> pa.RecordBatch:
        if not self.exprs:
            return data.select([])
        names = [output_name(expr) for expr in self.exprs]
        return pa.RecordBatch.from_arrays(evaluate_all(self.exprs, data), names=names)

    def describe(self) -> str:
        return f"select({', '.join(shown(expr) for expr in self.exprs)})"


@dataclass(frozen=True, eq=False)
class Drop(Transform):
    """Leave these columns out."""

    names: tuple[str, ...]
    rowwise: ClassVar[bool] = True
    rows: ClassVar[Rows] = "same"

    @property
    def grows(self) -> bool:
        return False

    def produces(self, *schemas: pa.Schema) -> pa.Schema:
        (schema,) = schemas
        check_columns(self.names, schema)
        return self.tried(schema)

    def tried(self, *schemas: pa.Schema) -> pa.Schema:
        (schema,) = schemas  # in which the optimizer may have left out what is dropped
        return pa.schema([field for field in schema if field.name not in self.names], metadata=schema.metadata)

    def needs(self, columns: Columns, schema: pa.Schema | None) -> Columns:
        if columns is None and schema is not None:
            return frozenset(schema.names) - set(self.names)
        return columns

    def passes(self, column: str) -> bool:
        return column not in self.names

    def apply(self, data: pa.RecordBatch) -> pa.RecordBatch:
        # By what is there: the optimizer may have left a dropped column out of the scan already.
        return data.select([name for name in data.schema.names if name not in self.names])

    def describe(self) -> str:
        return f"drop({', '.join(map(repr, self.names))})"


@dataclass(frozen=True, eq=False)
class Rename(Transform):
    """Give columns new names: pairs of (old, new)."""

    pairs: tuple[tuple[str, str], ...]
    rowwise: ClassVar[bool] = True
    rows: ClassVar[Rows] = "same"

    @property
    def grows(self) -> bool:
        return False

    def produces(self, *schemas: pa.Schema) -> pa.Schema:
        (schema,) = schemas
        check_columns([old for old, _ in self.pairs], schema)
        return self.tried(schema)

    def tried(self, *schemas: pa.Schema) -> pa.Schema:
        (schema,) = schemas  # in which the optimizer may have left out what nobody needs
        names = self._renamed(schema.names)
        require_unique(names, "rename")
        return pa.schema(
            [field.with_name(name) for field, name in zip(schema, names, strict=True)], metadata=schema.metadata
        )

    def needs(self, columns: Columns, schema: pa.Schema | None) -> Columns:
        if columns is None:
            return None
        old_names = {new: old for old, new in self.pairs}
        return frozenset(old_names.get(name, name) for name in columns)

    def passes(self, column: str) -> bool:
        return all(column not in pair for pair in self.pairs)

    def apply(self, data: pa.RecordBatch) -> pa.RecordBatch:
        return data.rename_columns(self._renamed(data.schema.names))

    def describe(self) -> str:
        return f"rename({{{', '.join(f'{old!r}: {new!r}' for old, new in self.pairs)}}})"

    def _renamed(self, names: list[str]) -> list[str]:
        # All pairs, also of columns that nobody needs: one that is there all the same must not
        # keep a name that another one gets.
        new_names = dict(self.pairs)
        return [new_names.get(name, name) for name in names]


def output_name(expr: Expr) -> str:
    """Return the column name that an expression produces; it must have one."""
    if expr.name is None:
        raise PlanError(
            f"the expression {expr.text} has no name", hint='name it: .alias("…"), or with_columns(name=…).'
        )
    return expr.name


def computed_field(name: str, expr: Expr, schema: pa.Schema) -> pa.Field:
    """Return the field that an expression makes over this schema; raise if it cannot work."""
    if expr.column is not None:
        check_columns([expr.column], schema)
        return schema.field(expr.column).with_name(name)
    return pa.field(name, result_type(expr, schema))


def used_columns(exprs: tuple[Expr, ...], schema: pa.Schema | None) -> Columns:
    """Return the input columns that these expressions read; None if that cannot be told."""
    used: set[str] = set()
    for expr in exprs:
        if expr.columns is None and schema is None:
            return None
        used |= expr.columns_in(schema.names if schema is not None else ())
    return frozenset(used)


def require_unique(names: list[str], verb: str) -> None:
    """Raise `PlanError` if two output columns would have one name."""
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise PlanError(f"{verb} would make two columns named {twice[0]!r}", hint="give one of them another name.")


def shown(expr: Expr) -> str:
    """Return an expression as it is typed in a select: a plain column as its quoted name."""
    if expr.column is not None and expr.column == expr.name:
        return repr(expr.column)
    return expr.text

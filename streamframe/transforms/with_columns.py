"""Add computed columns, or replace some.

Rule: one batch in, one batch of as many rows out, so the mark passes through untouched.
All expressions see the input's columns, not each other's.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Self

import pyarrow as pa

from streamframe.expr import Expr, evaluate_all
from streamframe.plan.node import Columns, Rows, Transform
from streamframe.transforms.select import computed_field, require_unique, used_columns


@dataclass(frozen=True, eq=False)
class WithColumns(Transform):
    """Add or replace columns: pairs of (name, expression)."""

    pairs: tuple[tuple[str, Expr], ...]
    rowwise: ClassVar[bool] = True
    rows: ClassVar[Rows] = "same"

    def produces(self, *schemas: pa.Schema) -> pa.Schema:
        (schema,) = schemas
        require_unique([name for name, _ in self.pairs], "with_columns")
        fields = {field.name: field for field in schema}
        fields |= {name: computed_field(name, expr, schema) for name, expr in self.pairs}
        return pa.schema(list(fields.values()), metadata=schema.metadata)

    def needs(self, columns: Columns, schema: pa.Schema | None) -> Columns:
        # A column that is replaced is asked for all the same: it holds the place of the new one.
        used = used_columns(tuple(expr for _, expr in self.narrowed(columns).pairs), schema)
        return None if columns is None or used is None else columns | used

    def narrowed(self, columns: Columns) -> Self:
        if columns is None:
            return self
        return dataclasses.replace(self, pairs=tuple(pair for pair in self.pairs if pair[0] in columns))

    def passes(self, column: str) -> bool:
        return all(column != name for name, _ in self.pairs)

    def apply(self, data: pa.RecordBatch) -> pa.RecordBatch:
        if not self.pairs:
            return data
        columns = dict(zip(data.schema.names, data.columns, strict=True))
        arrays = evaluate_all([expr for _, expr in self.pairs], data)
        columns |= dict(zip((name for name, _ in self.pairs), arrays, strict=True))
        return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))

    def describe(self) -> str:
        return f"with_columns({', '.join(f'{name}={expr.text}' for name, expr in self.pairs)})"

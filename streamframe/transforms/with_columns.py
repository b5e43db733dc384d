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
    """Add or replace columns: pairs of (name, expression); columns that are `spent` end here."""

    pairs: tuple[tuple[str, Expr], ...]
    spent: tuple[str, ...] = ()
    rowwise: ClassVar[bool] = True
    rows: ClassVar[Rows] = "same"

    def produces(self, *schemas: pa.Schema) -> pa.Schema:
        (schema,) = schemas
        require_unique([name for name, _ in self.pairs], "with_columns")
        fields = {field.name: field for field in schema}
        fields |= {name: computed_field(name, expr, schema) for name, expr in self.pairs}
        left = [field for name, field in fields.items() if name not in self.spent]
        return pa.schema(left, metadata=schema.metadata)

    def needs(self, columns: Columns, schema: pa.Schema | None) -> Columns:
        # A column that is replaced is asked for all the same: it holds the place of the new one.
        used = used_columns(tuple(expr for _, expr in self.narrowed(columns).pairs), schema)
        return None if columns is None or used is None else columns | used

    def narrowed(self, columns: Columns) -> Self:
        if columns is None:
            return self
        return dataclasses.replace(self, pairs=tuple(pair for pair in self.pairs if pair[0] in columns))

    def passes(self, column: str) -> bool:
        return column not in self.spent and all(column != name for name, _ in self.pairs)

    def carrying(self, column: str) -> Self | None:
        kept = dataclasses.replace(self, spent=tuple(name for name in self.spent if name != column))
        return kept if kept.passes(column) else None

    def apply(self, data: pa.RecordBatch) -> pa.RecordBatch:
        if not self.pairs:
            return data.select([name for name in data.schema.names if name not in self.spent])
        columns = dict(zip(data.schema.names, data.columns, strict=True))
        arrays = evaluate_all([expr for _, expr in self.pairs], data)
        columns |= dict(zip((name for name, _ in self.pairs), arrays, strict=True))
        columns = {name: column for name, column in columns.items() if name not in self.spent}
        return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))

    def describe(self) -> str:
        return f"with_columns({', '.join(f'{name}={expr.text}' for name, expr in self.pairs)})"

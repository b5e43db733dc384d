"""Keep matching rows.

Rule: one batch in, at most one batch out, so the mark passes through untouched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from streamframe.batch import compacted
from streamframe.errors import SchemaError
from streamframe.expr import Expr, evaluate_mask, result_type
from streamframe.native.filtering import filtered
from streamframe.plan.node import Columns, Rows, Transform
from streamframe.transforms.select import used_columns


@dataclass(frozen=True, eq=False)
class Filter(Transform):
    """Keep the rows where `condition` is true; null counts as false."""

    condition: Expr
    rowwise: ClassVar[bool] = True
    rows: ClassVar[Rows] = "subset"

    @property
    def grows(self) -> bool:
        return False

    @property
    def predicate(self) -> Expr:
        return self.condition

    def produces(self, *schemas: pa.Schema) -> pa.Schema:
        (schema,) = schemas
        found = result_type(self.condition, schema)
        if not (pa.types.is_boolean(found) or pa.types.is_null(found)):
            raise SchemaError(
                f"filter needs a condition that is true or false, but {self.condition.text} is {found}",
                hint="compare it with something, such as col('x') > 0.",
            )
        return schema

    def needs(self, columns: Columns, schema: pa.Schema | None) -> Columns:
        used = used_columns((self.condition,), schema)
        return None if columns is None or used is None else columns | used

    def passes(self, column: str) -> bool:
        return True

    def apply(self, data: pa.RecordBatch) -> pa.RecordBatch:
        return compacted(filtered(data, self.kept(data)))

    def kept(self, data: pa.RecordBatch) -> pa.BooleanArray:
        return evaluate_mask(self.condition, data)

    def describe(self) -> str:
        return f"filter({self.condition.text})"

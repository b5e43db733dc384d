"""What steps share that go by the places of rows in the stream, whatever is in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import pyarrow as pa

from streamframe.plan.node import Columns, Transform


@dataclass(frozen=True, eq=False)
class Ordered(Transform):
    """A step that takes rows away or moves them, by their numbers.

    It needs no column, and hands on each as it is. How many rows went before it notes in its marks.
    """

    @property
    def resumable(self) -> bool:
        return True

    def produces(self, *schemas: pa.Schema) -> pa.Schema:
        return schemas[0]

    def needs(self, columns: Columns, schema: pa.Schema | None) -> Columns:
        return columns

    def carrying(self, column: str) -> Self:
        return self

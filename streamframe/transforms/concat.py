"""One stream behind another.

Rule: inputs run one at a time, in order, so that memory and connections are those of one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import pyarrow as pa

from streamframe.batch import Marked
from streamframe.plan.context import RunContext
from streamframe.plan.node import Columns, Node, Rows
from streamframe.schema import require_same


@dataclass(frozen=True, eq=False)
class Concat(Node):
    """All rows of the first input, then all of the second, and so on."""

    frames: tuple[Node, ...]
    keep: Columns = None
    rowwise: ClassVar[bool] = True
    rows: ClassVar[Rows] = "same"

    @property
    def inputs(self) -> tuple[Node, ...]:
        return self.frames

    def with_inputs(self, *inputs: Node) -> Self:
        return dataclasses.replace(self, frames=inputs)

    @property
    def resumable(self) -> bool:
        return True

    def produces(self, *schemas: pa.Schema) -> pa.Schema:
        for schema in schemas[1:]:
            require_same(schemas[0], schema)
        return schemas[0]

    def tried(self, *schemas: pa.Schema) -> pa.Schema:
        keep = self.keep  # as `apply` does: each may have columns that it alone needs
        if keep is None:
            return self.produces(*schemas)
        return self.produces(*(pa.schema([field for field in schema if field.name in keep]) for schema in schemas))

    def needs(self, columns: Columns, schema: pa.Schema | None) -> Columns:
        return columns

    def narrowed(self, columns: Columns) -> Self:
        return dataclasses.replace(self, keep=columns)

    def passes(self, column: str) -> bool:
        return True

    def apply(self, data: pa.RecordBatch) -> pa.RecordBatch:
        """Leave out what only one input needed (to filter by, say), so that all batches are alike."""
        if self.keep is None:
            return data
        return data.select([name for name in data.schema.names if name in self.keep])

    def run(self, streams: Sequence[Iterator[Marked]], context: RunContext) -> Iterator[Marked]:
        for stream in streams:
            for batch in stream:
                yield Marked(self.apply(batch.data), batch.mark)

    def describe(self) -> str:
        return f"concat({len(self.frames)} frames)"

"""One row for each group of rows.

Rules: each batch is reduced in the decode pool, right after decoding; only partials travel, and
they are merged in input order on the consumer's thread. So the result is the same for any number
of workers, sums of floats included. Groups come in the order of their first rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import ClassVar, Self

import pyarrow as pa

from streamframe.batch import Mark, Marked
from streamframe.errors import PlanError
from streamframe.expr import Expr
from streamframe.plan.context import RunContext
from streamframe.plan.node import Columns, Transform
from streamframe.transforms.aggregates import Aggregate
from streamframe.transforms.merging import Merging, room_bytes
from streamframe.transforms.partials import Layout
from streamframe.transforms.select import output_name, require_unique, shown, used_columns

# Partials say in the metadata of their schema what they were made of: after a user's function
# nobody knows it ahead of the first batch.
_MADE_OF = b"streamframe.input"


@dataclass(frozen=True, eq=False)
class GroupBy(Transform):
    """Aggregate the rows that share their keys; without keys, all rows. Pairs of (name, aggregate)."""

    keys: tuple[Expr, ...]
    aggregates: tuple[tuple[str, Aggregate], ...]
    # These columns may come as dictionaries, though they are none.
    dictionaries: frozenset[str] = frozenset()
    reads: pa.Schema | None = None
    blocking: ClassVar[bool] = True
    prepares: ClassVar[bool] = True

    def produces(self, *schemas: pa.Schema) -> pa.Schema:
        (schema,) = schemas
        require_unique([*map(output_name, self.keys), *(name for name, _ in self.aggregates)], "group_by")
        return self._layout(schema).schema

    def needs(self, columns: Columns, schema: pa.Schema | None) -> Columns:
        operands = (each.operand for _, each in self.narrowed(columns).aggregates)
        return used_columns((*self.keys, *(each for each in operands if each is not None)), schema)

    def narrowed(self, columns: Columns) -> Self:
        if columns is None:
            return self
        kept = tuple(pair for pair in self.aggregates if pair[0] in columns)
        # A row without any column would be no row.
        return dataclasses.replace(self, aggregates=kept if kept or self.keys else self.aggregates[:1])

    @property
    def traceable(self) -> bool:
        return True

    def takes_dictionaries(self, schema: pa.Schema) -> frozenset[str]:
        plain = {key.column for key in self.keys if key.column is not None}
        computed = [key for key in self.keys if key.column is None]
        operands = [each.operand for _, each in self.aggregates if each.operand is not None]
        used = used_columns((*computed, *operands), schema)
        if used is None:
            return frozenset()
        return frozenset(name for name in plain - used if schema.field(name).type == pa.string())

    def knowing(self, schema: pa.Schema) -> Self:
        return dataclasses.replace(self, reads=schema)

    def with_dictionaries(self, columns: frozenset[str]) -> Self:
        return dataclasses.replace(self, dictionaries=columns)

    def prepare(self, data: pa.RecordBatch, kept: pa.BooleanArray | None = None) -> pa.RecordBatch:
        schema = data.schema
        if self.dictionaries:
            schema = pa.schema([one.with_type(pa.string()) if one.name in self.dictionaries else one for one in schema])
        made = self._layout(schema).reduce(data, kept)
        return made.replace_schema_metadata({_MADE_OF: _serialized(schema)})

    def run(self, streams: Sequence[Iterator[Marked]], context: RunContext) -> Iterator[Marked]:
        (stream,) = streams
        # Before the reader starts: what it has filled it gives back late.
        room = context.hold()
        room.resize(room_bytes(context))
        try:
            first = next(stream, None)
        finally:
            room.resize(0)
        if first is None:
            yield from self._of_no_rows(context)
            return
        schema = pa.ipc.read_schema(pa.py_buffer(first.data.schema.metadata[_MADE_OF]))
        layout = self._layout(schema)
        with Merging(layout, context) as merging:
            for partial in chain([first], stream):
                merging.add(partial.data.replace_schema_metadata())
                mark = partial.mark
            for merged in merging.merged():
                yield Marked(layout.finish(merged), mark)

    def describe(self) -> str:
        keys = ", ".join(shown(key) for key in self.keys)
        return f"group_by({keys}).agg({', '.join(f'{name}={each!r}' for name, each in self.aggregates)})"

    def _layout(self, schema: pa.Schema) -> Layout:
        return _layout_of(self.keys, self.aggregates, schema)

    def _of_no_rows(self, context: RunContext) -> Iterator[Marked]:
        """Yield the one row that there is without keys, even of nothing."""
        if self.keys:
            return
        schema = self.reads or context.schema_of_no_rows(self.input)
        if schema is None:
            raise PlanError(
                "no row came in, so the columns that a function makes are unknown",
                hint="pass schema= to map_batches or map_pandas.",
            )
        layout = self._layout(schema)
        nothing = pa.RecordBatch.from_pylist([], schema=schema)
        yield Marked(layout.finish(layout.reduce(nothing)), Mark())


# Each batch asks for the same one.
@lru_cache(maxsize=64)
def _layout_of(keys: tuple[Expr, ...], aggregates: tuple[tuple[str, Aggregate], ...], schema: pa.Schema) -> Layout:
    return Layout(keys, aggregates, schema)


@lru_cache(maxsize=64)
def _serialized(schema: pa.Schema) -> bytes:
    return bytes(schema.serialize().to_pybytes())

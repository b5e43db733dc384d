"""Change the types of columns.

Rule: one batch in, one batch of as many rows out. A value that does not fit the new type is
an error, never a null and never another number.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Self

import pyarrow as pa

from streamframe.errors import DecodeError, SchemaError
from streamframe.plan.node import Columns, Rows, Transform
from streamframe.schema import check_columns, dtype_name


@dataclass(frozen=True, eq=False)
class Cast(Transform):
    """Give columns new types: pairs of (name, type)."""

    pairs: tuple[tuple[str, pa.DataType], ...]
    rowwise: ClassVar[bool] = True
    rows: ClassVar[Rows] = "same"

    def produces(self, *schemas: pa.Schema) -> pa.Schema:
        (schema,) = schemas
        check_columns([name for name, _ in self.pairs], schema)
        types = dict(self.pairs)
        for name, target in self.pairs:
            _require_castable(name, schema.field(name).type, target)
        fields = [field.with_type(types.get(field.name, field.type)) for field in schema]
        return pa.schema(fields, metadata=schema.metadata)

    def needs(self, columns: Columns, schema: pa.Schema | None) -> Columns:
        return columns

    def narrowed(self, columns: Columns) -> Self:
        if columns is None:
            return self
        return dataclasses.replace(self, pairs=tuple(pair for pair in self.pairs if pair[0] in columns))

    def passes(self, column: str) -> bool:
        return all(column != name for name, _ in self.pairs)

    def apply(self, data: pa.RecordBatch) -> pa.RecordBatch:
        if not self.pairs:
            return data  # also without any columns, where a new batch would have forgotten its rows
        types = dict(self.pairs)
        arrays = [
            _cast(name, array, types[name]) if name in types else array
            for name, array in zip(data.schema.names, data.columns, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, names=data.schema.names)

    def describe(self) -> str:
        return f"cast({{{', '.join(f'{name!r}: {dtype_name(kind)!r}' for name, kind in self.pairs)}}})"


def _cast(name: str, array: pa.Array, target: pa.DataType) -> pa.Array:
    try:
        return array.cast(target)
    except pa.ArrowInvalid as error:
        raise DecodeError(
            f"column {name!r}: cannot cast from {array.type} to {target}: {str(error).splitlines()[0]}",
            column=name,
            hint="filter or clean such values first, or cast to a wider type.",
        ) from error


def _require_castable(name: str, found: pa.DataType, target: pa.DataType) -> None:
    try:
        pa.nulls(0, found).cast(target)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise SchemaError(f"column {name!r}: there is no cast from {found} to {target}", column=name) from error

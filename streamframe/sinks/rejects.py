"""Rejected records into CSV, which holds no bytes."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.plan.context import RunContext
from streamframe.plan.sink import OpenSink, Sink, Written


@dataclass(frozen=True)
class RejectsAsText(Sink):
    """Write columns of bytes as text; what is no UTF-8 is escaped as Python does."""

    sink: Sink

    def start(self, schema: pa.Schema, context: RunContext) -> OpenSink:
        text = [field.with_type(pa.string()) if pa.types.is_binary(field.type) else field for field in schema]
        return _OpenAsText(self.sink.start(pa.schema(text), context), pa.schema(text))

    def describe(self) -> str:
        return self.sink.describe()


class _OpenAsText(OpenSink):
    def __init__(self, inner: OpenSink, schema: pa.Schema) -> None:
        self._inner = inner
        self._schema = schema

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [_text(column) if pa.types.is_binary(column.type) else column for column in batch.columns]
        self._inner.write(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def commit(self) -> Written:
        return self._inner.commit()

    def abort(self) -> None:
        self._inner.abort()


def _text(column: pa.BinaryArray) -> pa.StringArray:
    try:
        return pc.cast(column, pa.string())
    except pa.ArrowInvalid:
        values = column.to_pylist()
        return pa.array([each and each.decode(errors="backslashreplace") for each in values], pa.string())

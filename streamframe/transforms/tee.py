"""Write the rows that pass, and hand them on.

Rules: the sink is committed when its input has come to its end, and aborted however else the run ends. A step above
that needs no more rows, such as a limit, is such an end: what was seen until then is not all. No step is moved across,
for what is written is what was asked for at this place.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from streamframe.batch import Marked
from streamframe.errors import PlanError
from streamframe.plan.context import RunContext
from streamframe.plan.node import Node, Rows, Transform
from streamframe.plan.sink import OpenSink, Sink, started


@dataclass(frozen=True, eq=False)
class Tee(Transform):
    """Hand each batch to a sink, and onwards."""

    sink: Sink
    rows: ClassVar[Rows] = "same"

    @property
    def traceable(self) -> bool:
        return True

    @property
    def sinks(self) -> tuple[Sink, ...]:
        return (self.sink,)

    def produces(self, *schemas: pa.Schema) -> pa.Schema:
        return schemas[0]

    def run(self, streams: Sequence[Iterator[Marked]], context: RunContext) -> Iterator[Marked]:
        (stream,) = streams
        # Beside the `finally`: an error in a step above holds on to this generator, and would delay it.
        branch = _Branch(self.sink, self.input, context)
        context.at_end(branch.abort)
        try:
            if (schema := context.schema_of(self.input)) is not None:
                branch.start(schema)
            for batch in stream:
                branch.write(batch.data)
                yield batch
            branch.commit()
        finally:
            branch.abort()

    def describe(self) -> str:
        return f"tee({self.sink.describe()})"


class _Branch:
    """A sink that ends once, whichever thread ends it."""

    def __init__(self, sink: Sink, passing: Node, context: RunContext) -> None:
        self._sink = sink
        self._passing = passing
        self._context = context
        self._open: OpenSink | None = None
        self._ended = False
        # A run may be closed by another thread than the one that writes.
        self._turn = threading.RLock()

    def start(self, schema: pa.Schema) -> None:
        with self._turn:
            if not self._ended:
                self._open = started(self._sink, schema, self._context)

    def write(self, batch: pa.RecordBatch) -> None:
        with self._turn:
            if self._open is None:
                self.start(batch.schema)
            if self._open is not None:
                self._open.write(batch)

    def commit(self) -> None:
        with self._turn:
            if self._ended:
                return
            if self._open is None and (schema := self._context.schema_of_no_rows(self._passing)) is not None:
                self.start(schema)
            if self._open is None:
                raise PlanError(
                    "no row came out, so the columns that a function makes are unknown to tee",
                    hint="pass schema= to map_batches or map_pandas.",
                )
            self._open.commit()
            self._ended, self._open = True, None

    def abort(self) -> None:
        with self._turn:
            opened, self._open, self._ended = self._open, None, True
            if opened is not None:
                opened.abort()

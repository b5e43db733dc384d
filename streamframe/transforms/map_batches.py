"""Call the user's function on every batch.

Rules: nothing crosses a function, since nobody can look inside it. It runs on the consumer's
thread unless it says `parallel=True`. The first output freezes the schema; a later one that
does not fit is an error that names the column. Where no row comes at all, the function is tried on none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from streamframe.batch import Marked
from streamframe.errors import SchemaError
from streamframe.pandas_frame import to_chunk
from streamframe.plan.context import RunContext
from streamframe.plan.node import Transform

if TYPE_CHECKING:
    import pandas as pd

# All that pyarrow raises about values, and ValueError about names.
_REFUSED = (pa.ArrowException, ValueError, TypeError)


@dataclass(frozen=True, eq=False)
class MapBatches(Transform):
    """Replace each batch by what `function` makes of it."""

    function: Callable[[pa.RecordBatch], Any] = field(repr=False)
    schema: pa.Schema | None
    parallel: bool
    name: str | None = None

    @property
    def resumable(self) -> bool:
        # Nobody can tell whether it is the same function, but by its name.
        return self.name is not None

    @property
    def in_pool(self) -> bool:
        # Without a declared schema the first output has to be seen before the second is made.
        return self.parallel and self.schema is not None

    def produces(self, *schemas: pa.Schema) -> pa.Schema | None:
        return self.schema

    def tried(self, *schemas: pa.Schema) -> pa.Schema | None:
        if self.schema is not None:
            return self.schema
        try:
            schema = self._call(pa.RecordBatch.from_pylist([], schema=schemas[0]), None).schema
        except Exception:  # A function may fail as it likes, and was not written for this.
            return None
        # Of a column without a value and without a type, rows might tell more.
        return None if any(pa.types.is_null(kind) for kind in schema.types) else schema

    def run(self, streams: Sequence[Iterator[Marked]], context: RunContext) -> Iterator[Marked]:
        (stream,) = streams
        frozen = self.schema
        for batch in stream:
            data = self._call(batch.data, frozen)
            frozen = data.schema
            yield Marked(data, batch.mark)

    def apply(self, data: pa.RecordBatch) -> pa.RecordBatch:
        return self._call(data, self.schema)

    def describe(self) -> str:
        return f"map_batches({self.name or _name(self.function)})"

    def _call(self, data: pa.RecordBatch, frozen: pa.Schema | None) -> pa.RecordBatch:
        made = _one_batch(self.function(data), self.describe())
        return made if frozen is None or made.schema.equals(frozen) else _fitted(made, frozen, self.describe())


@dataclass(frozen=True, eq=False)
class MapPandas(MapBatches):
    """Replace each batch by what `function` makes of it as a pandas DataFrame."""

    function: Callable[[pd.DataFrame], Any] = field(repr=False)

    def describe(self) -> str:
        return f"map_pandas({self.name or _name(self.function)})"

    def _call(self, data: pa.RecordBatch, frozen: pa.Schema | None) -> pa.RecordBatch:
        import pandas as pd

        made = self.function(to_chunk(data))
        if not isinstance(made, pd.DataFrame):
            raise SchemaError(
                f"{self.describe()} returned {_kind(made)}, not a DataFrame", hint="return the frame from the function."
            )
        try:
            # Not RecordBatch.from_pandas, which refuses a text column of several pieces, as pd.concat makes them.
            table = pa.Table.from_pandas(made, preserve_index=False).replace_schema_metadata()
        except _REFUSED as error:
            raise _not_arrow(self.describe(), error) from error
        batch = _one_batch(table, self.describe())
        return batch if frozen is None or batch.schema.equals(frozen) else _fitted(batch, frozen, self.describe())


def _one_batch(made: Any, step: str) -> pa.RecordBatch:
    if isinstance(made, pa.Table):
        batches = made.combine_chunks().to_batches()
        if len(batches) > 1:
            # Text whose offsets have 32 bits stays in pieces then.
            raise SchemaError(
                f"{step} returned {made.nbytes:,} bytes, of which one column is more than a batch can hold",
                hint="return less at a time: the batches that go in are smaller behind rebatch(rows=...).",
            )
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=made.schema)
    if isinstance(made, pa.RecordBatch):
        return made
    if isinstance(made, dict):
        try:
            return pa.RecordBatch.from_pydict(made)
        except _REFUSED as error:
            raise _not_arrow(step, error) from error
    raise SchemaError(
        f"{step} returned {_kind(made)}", hint="return a pyarrow.RecordBatch, a pyarrow.Table or a dict of columns."
    )


def _not_arrow(step: str, error: Exception) -> SchemaError:
    return SchemaError(
        f"{step} returned columns that make no batch: {'; '.join(map(str, error.args))}",
        hint="give each column one type, a name of its own, and as many values as the others.",
    )


def _fitted(made: pa.RecordBatch, frozen: pa.Schema, step: str) -> pa.RecordBatch:
    """Return the batch in the frozen schema if that loses nothing."""
    if made.schema.names != frozen.names:
        raise SchemaError(
            f"{step} returned the columns {made.schema.names}, but {frozen.names} before",
            hint="return the same columns, in the same order, for every batch.",
        )
    arrays = []
    for array, target in zip(made.columns, frozen, strict=True):
        try:
            arrays.append(array.cast(target.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise SchemaError(
                f"{step} returned column {target.name!r} as {array.type}, but as {target.type} before",
                column=target.name,
                hint=f"convert it in the function, or pass schema= with a type for {target.name!r} that fits all.",
            ) from error
    return pa.RecordBatch.from_arrays(arrays, schema=frozen)


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")

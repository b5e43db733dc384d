"""Where frames begin that are here already: pandas, Arrow, and batches that the user makes.

Rule: as for readers, a plan of one node is made and no data is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from streamframe.errors import PlanError
from streamframe.plan.arguments import checked_schema
from streamframe.plan.node import Scan
from streamframe.plan.source import Source
from streamframe.sources.converting import arrow_batches, frame_batches, is_frame, stream_batches, table_of
from streamframe.sources.memory import Batches, Once
from streamframe.stream import StreamFrame

if TYPE_CHECKING:
    import pandas as pd


def from_pandas(frames: pd.DataFrame | Iterable[pd.DataFrame] | Callable[[], Iterable[pd.DataFrame]]) -> StreamFrame:
    """Stream a DataFrame, or many of the same columns.

    Named index levels become columns; an unnamed index is dropped.

    Parameters
    ----------
    frames
        A DataFrame; an iterable of them (an iterator can be read once); or a function that makes one.
    """
    if is_frame(frames):
        call = f"from_pandas({len(frames):,} rows)"  # type: ignore[arg-type]
        return _frame(Batches(lambda: frame_batches(frames, "from_pandas"), call, held=True))
    return _frame(_from_iterable(frames, "from_pandas", frame_batches, None))


def from_arrow(data: Any) -> StreamFrame:
    """Stream a pyarrow Table or batch, or anything with ``__arrow_c_stream__`` (polars, DuckDB...).

    A dict of columns is made into a table. A `pyarrow.RecordBatchReader` can be read once.
    """
    if isinstance(data, Mapping):
        data = table_of(data, "from_arrow")
    if isinstance(data, pa.RecordBatch):
        return _frame(Batches(lambda: iter((data,)), f"from_arrow({data.num_rows:,} rows)", data.schema, held=True))
    if isinstance(data, pa.Table):
        call = f"from_arrow({data.num_rows:,} rows)"
        return _frame(Batches(lambda: iter(data.to_batches()), call, data.schema, held=True))
    if isinstance(data, pa.RecordBatchReader):
        call = "from_arrow(a reader)"
        return _frame(Batches(Once(iter(data), call), call, data.schema))
    if not hasattr(data, "__arrow_c_stream__"):
        raise PlanError(
            f"from_arrow needs Arrow data or something with __arrow_c_stream__, got {type(data).__name__}",
            hint="from_pandas takes DataFrames, from_batches an iterable of batches.",
        )
    call = f"from_arrow({type(data).__module__.partition('.')[0]}.{type(data).__name__})"
    known = pa.schema(data) if hasattr(data, "__arrow_c_schema__") else None
    return _frame(Batches(lambda: stream_batches(data, call), call, known, held=True))


def from_batches(
    batches: Iterable[pa.RecordBatch] | Callable[[], Iterable[pa.RecordBatch]], *, schema: pa.Schema | None = None
) -> StreamFrame:
    """Stream record batches that the caller's code makes, on the thread that iterates.

    Parameters
    ----------
    batches
        An iterable of batches or tables of one schema (an iterator can be read once), or a function
        that makes one, which every run calls anew.
    schema
        Default: the first batch's.
    """
    return _frame(_from_iterable(batches, "from_batches", arrow_batches, checked_schema(schema, "from_batches")))


def _from_iterable(
    given: Any, verb: str, convert: Callable[[Any, str], Iterator[pa.RecordBatch]], schema: pa.Schema | None
) -> Source:
    if callable(given):
        call = f"{verb}({getattr(given, '__name__', type(given).__name__)})"
        return Batches(lambda: (batch for item in given() for batch in convert(item, call)), call, schema)
    if not isinstance(given, Iterable) or isinstance(given, (str, bytes)):
        raise PlanError(f"{verb} needs an iterable or a function that makes one, got {type(given).__name__}")
    call = f"{verb}({type(given).__name__})"
    if isinstance(given, Iterator):
        return Batches(Once((batch for item in given for batch in convert(item, call)), call), call, schema)
    held = isinstance(given, (list, tuple))
    return Batches(lambda: (batch for item in given for batch in convert(item, call)), call, schema, held)


def _frame(source: Source) -> StreamFrame:
    return StreamFrame(Scan(source), source.known_schema)

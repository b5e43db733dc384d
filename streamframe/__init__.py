"""streamframe: data that is larger than memory, or still arriving, as if it were a small DataFrame."""

from typing import TYPE_CHECKING, NoReturn

import streamframe.allocator  # noqa: F401 - first: Arrow's allocator is chosen when it is loaded

# isort: split
from streamframe._version import __version__
from streamframe.copying import copy
from streamframe.engines.encoding import Encoded
from streamframe.engines.iteration import Iteration
from streamframe.errors import (
    BudgetError,
    ColumnNotFoundError,
    DecodeError,
    MissingDependencyError,
    PlanError,
    ResumeError,
    SchemaError,
    SinkError,
    SourceChangedError,
    SourceError,
    StreamError,
    TransportError,
    TruncatedError,
)
from streamframe.expr import Expr, coalesce, col, function, lit, patterns, when
from streamframe.foreign import other_name
from streamframe.grouped import GroupedFrame
from streamframe.in_memory import from_arrow, from_batches, from_pandas
from streamframe.options import options, set_options
from streamframe.plan.checkpoint import Checkpoint
from streamframe.plan.report import CopyReport, RunReport, Stats
from streamframe.plan.sink import OpenSink, Sink, Written
from streamframe.plan.telling import source
from streamframe.queries import read_sql
from streamframe.readers import infer_schema, read, read_csv, read_ipc, read_lines, read_ndjson, read_orc, read_parquet
from streamframe.stream import StreamFrame, concat
from streamframe.transforms.aggregates import Aggregate, count

__all__ = [
    "Aggregate",
    "BudgetError",
    "Checkpoint",
    "ColumnNotFoundError",
    "CopyReport",
    "DecodeError",
    "Encoded",
    "Expr",
    "GroupedFrame",
    "Iteration",
    "MissingDependencyError",
    "OpenSink",
    "PlanError",
    "ResumeError",
    "RunReport",
    "SchemaError",
    "Sink",
    "SinkError",
    "SourceChangedError",
    "SourceError",
    "Stats",
    "StreamError",
    "StreamFrame",
    "TransportError",
    "TruncatedError",
    "Written",
    "__version__",
    "coalesce",
    "col",
    "concat",
    "copy",
    "count",
    "from_arrow",
    "from_batches",
    "from_pandas",
    "function",
    "infer_schema",
    "lit",
    "options",
    "patterns",
    "read",
    "read_csv",
    "read_ipc",
    "read_lines",
    "read_ndjson",
    "read_orc",
    "read_parquet",
    "read_sql",
    "set_options",
    "source",
    "when",
]


if not TYPE_CHECKING:  # a checker would take every misspelled name for a known one

    def __getattr__(name: str) -> NoReturn:
        from streamframe.errors import did_you_mean

        hint = other_name(name) or (None if name.startswith("_") else did_you_mean(name, __all__))
        raise AttributeError(f"module 'streamframe' has no {name!r}" + (f"; {hint}" if hint else ""))

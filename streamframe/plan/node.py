"""The nodes of a plan, and the facts that whoever reads a plan may ask for.

Rules: a node is a frozen dataclass that points only at its inputs and never does I/O. Readers
of a plan (optimizer, display, engines, resume) ask for the facts below, never for a class.
Every default is the safest answer, so that a new node is right before it is fast. Nodes are equal
only if they are the same: `==` on the expressions they hold makes a new expression.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import pyarrow as pa

from streamframe.batch import Mark, Marked
from streamframe.expr import Expr

if TYPE_CHECKING:
    from streamframe.plan.context import RunContext
    from streamframe.plan.sink import Sink
    from streamframe.plan.source import Source

Rows = Literal["any", "subset", "same"]
# None stands for "all of them".
Columns = frozenset[str] | None


@dataclass(frozen=True, eq=False)
class Node(ABC):
    """One step of a plan."""

    # An output row depends on its own input row only.
    rowwise: ClassVar[bool] = False
    # The rows that come out: anything, some of those that went in, or exactly those; in order.
    rows: ClassVar[Rows] = "any"
    # All input is needed before the first row comes out.
    blocking: ClassVar[bool] = False
    # `run` takes what `prepare` makes of the input batches, not the batches themselves.
    prepares: ClassVar[bool] = False
    # What comes out is what cannot be read in the scans below, and nothing else of them.
    only_rejects: ClassVar[bool] = False

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The nodes this one reads from, in order."""
        return ()

    def with_inputs(self, *inputs: Node) -> Self:
        """Return this node over other inputs."""
        if inputs:
            raise TypeError(f"{type(self).__name__} has no inputs")
        return self

    @property
    def scan(self) -> Scan | None:
        """The node itself, where rows enter the plan; None for a step over inputs."""
        return None

    @property
    def resumable(self) -> bool:
        """A run can be continued in the middle of this step."""
        return False

    @property
    def traceable(self) -> bool:
        """What `describe` returns says all that this step does; of a scan, the fingerprint of its source."""
        return self.resumable

    @property
    def grows(self) -> bool:
        """An output row may weigh more than its input row."""
        return True

    @property
    def sinks(self) -> tuple[Sink, ...]:
        """Where the rows are written that pass here."""
        return ()

    @property
    def predicate(self) -> Expr | None:
        """What a row must satisfy to pass, where that is all this node does."""
        return None

    @abstractmethod
    def produces(self, *schemas: pa.Schema) -> pa.Schema | None:
        """Return the output schema for these input schemas; None if only a run can tell.

        Raises
        ------
        ColumnNotFoundError, SchemaError
            If this step cannot work on such input.
        """

    def tried(self, *schemas: pa.Schema) -> pa.Schema | None:
        """Return what `produces` does, or what this step makes of no rows; None if that fails.

        For a run in which no row has come.
        """
        return self.produces(*schemas)

    def needs(self, columns: Columns, schema: pa.Schema | None) -> Columns:
        """Return the input columns that are needed to produce these output columns.

        `schema` is that of the input, where it is known.
        """
        return None

    def narrowed(self, columns: Columns) -> Self:
        """Return a node that works where the input has what `needs(columns)` asks for, or more.

        The names that come out must be among those that came out before: then no step above can
        meet two columns of one name.
        """
        return self

    def passes(self, column: str) -> bool:
        """Tell whether the output column of this name is the input's, untouched."""
        return False

    def takes_dictionaries(self, schema: pa.Schema) -> frozenset[str]:
        """Return the columns of the input that may come as dictionaries of their values; all of them are text.

        Batch by batch, they may come as they are all the same.
        """
        return frozenset()

    def knowing(self, schema: pa.Schema) -> Self:
        """Return the same node, told what comes in as the plan is written: once narrowed, steps below cannot tell."""
        return self

    def with_dictionaries(self, columns: frozenset[str]) -> Self:
        """Return a node that makes the same rows, where these columns of the input come so."""
        return self

    def carrying(self, column: str) -> Self | None:
        """Return a step that hands on one more column of its input as it is; None if there is none."""
        return self if self.passes(column) else None

    def rows_wanted(self, limit: int | None) -> int | None:
        """Return how many input rows suffice for the first `limit` output rows; None is all."""
        return limit if self.rowwise and self.rows == "same" else None

    @property
    def in_pool(self) -> bool:
        """`apply` may run in the decode pool, on many batches at once."""
        return False

    def apply(self, data: pa.RecordBatch) -> pa.RecordBatch:
        """Return the output rows of one batch; there may be none."""
        raise TypeError(f"{type(self).__name__} does not work on one batch alone")

    def kept(self, data: pa.RecordBatch) -> pa.BooleanArray:
        """Return which rows of a batch satisfy the `predicate`, where there is one; null is no."""
        raise TypeError(f"{type(self).__name__} has no predicate")

    def prepare(self, data: pa.RecordBatch, kept: pa.BooleanArray | None = None) -> pa.RecordBatch:
        """Return what `run` needs of one input batch, of the rows that are `kept`: by default of all.

        Runs in the decode pool where that can be.
        """
        raise TypeError(f"{type(self).__name__} needs its input as it is")

    def run(self, streams: Sequence[Iterator[Marked]], context: RunContext) -> Iterator[Marked]:
        """Turn the input streams into the output stream, on the consumer's thread."""
        raise TypeError(f"{type(self).__name__} is run by the engine")

    @abstractmethod
    def describe(self) -> str:
        """Return this step as a person would type it, in one line, without secrets."""


@dataclass(frozen=True, eq=False)
class Scan(Node):
    """Where rows enter the plan: a source, and what the optimizer moved into it.

    `columns` and `limit` are exact or better left alone; `predicate` is a hint only, by which
    a source may leave out rows that cannot match. The filter stays above. `start` is exact: rows
    before it do not come out. The columns in `dictionaries` may come as such, and need not.
    """

    source: Source
    columns: tuple[str, ...] | None = None
    hint: Expr | None = None
    limit: int | None = None
    start: Mark | None = None
    dictionaries: frozenset[str] = frozenset()

    @property
    def scan(self) -> Scan:
        return self

    @property
    def resumable(self) -> bool:
        return self.source.resumable

    @property
    def traceable(self) -> bool:
        return self.source.traceable

    def produces(self, *schemas: pa.Schema) -> pa.Schema | None:
        (schema,) = schemas
        if self.columns is None:
            return schema
        return pa.schema([schema.field(name) for name in self.columns], metadata=schema.metadata)

    def describe(self) -> str:
        return self.source.describe()

    def pushed(self) -> str:
        """Return what was moved into the scan, in one line; empty if nothing was."""
        facts = []
        if self.columns is not None:
            facts.append(f"columns={len(self.columns)}: {', '.join(self.columns) or '(only rows are counted)'}")
        if self.hint is not None:
            facts.append(f"where {self.hint.text}")
            if spared := self.source.spared(self.hint):
                facts.append(spared)
        if self.limit is not None:
            facts.append(f"stops after {self.limit:,} rows")
        return "; ".join(facts)


@dataclass(frozen=True, eq=False)
class Transform(Node):
    """A step from batches to batches over one input.

    A rowwise transform implements `apply`; any other implements `run`.
    """

    input: Node

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.input,)

    def with_inputs(self, *inputs: Node) -> Self:
        (only,) = inputs
        return dataclasses.replace(self, input=only)

    @property
    def resumable(self) -> bool:
        return self.rowwise

    @property
    def in_pool(self) -> bool:
        return self.rowwise

    def run(self, streams: Sequence[Iterator[Marked]], context: RunContext) -> Iterator[Marked]:
        (stream,) = streams
        for batch in stream:
            yield Marked(self.apply(batch.data), batch.mark)

"""What a run hands to the sources, transforms and sinks that take part in it.

Rule: they reach the budget and the disk through this and import nothing of the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, TypeVar

import pyarrow as pa

from streamframe.batch import Mark
from streamframe.options import Options
from streamframe.plan.checkpoint import Checkpoint, Origin

if TYPE_CHECKING:
    from streamframe.plan.node import Node


T = TypeVar("T")
Gives = TypeVar("Gives", contravariant=True)


class Hold(Protocol):
    """Bytes that a step keeps between batches, counted against the budget."""

    def resize(self, nbytes: int) -> None:
        """Say how many bytes are kept now. Never waits: the reader is who slows down."""
        ...


class Spill(AbstractContextManager["Spill"], Protocol):
    """Batches that a step keeps on disk; closing it gives the disk back."""

    def write(self, batch: pa.RecordBatch) -> int:
        """Write a batch; return the number by which it is read."""
        ...

    def read(self, number: int) -> pa.RecordBatch:
        """Return a batch that was written."""
        ...


class InOrder(Protocol[Gives]):
    """Work done beside the consumer, whose results are taken in order; bounded by the budget."""

    def add(self, work: Callable[[], Gives], nbytes: int) -> None:
        """Give work on so many bytes; may wait for earlier work, and raises what that has raised."""
        ...

    def put_done(self) -> None:
        """Put the results of what is done, without waiting."""
        ...

    def finish(self) -> None:
        """Wait for all work, and raise what it has raised."""
        ...

    def abort(self) -> None:
        """Drop what has not begun, and wait for what has."""
        ...


class RunContext(Protocol):
    """The run that a source, transform or sink takes part in."""

    @property
    def options(self) -> Options:
        """The options that the run started with."""
        ...

    @property
    def block_bytes(self) -> int:
        """How many raw bytes a block should have, so that enough of them fit the budget."""
        ...

    @property
    def step(self) -> int:
        """The number of the step that is run."""
        ...

    @property
    def start(self) -> Mark:
        """Where the run begins: what lies before has been handed on by another."""
        ...

    def position(self, rows: int | None = None) -> Checkpoint | None:
        """Return where the run is, in terms that another process can go on from; None if none can.

        It lies behind so many rows of the latest batch that was handed over; by default, behind all of it.
        """
        ...

    def origin(self) -> Origin | None:
        """Return where the rows come from that were handed over so far, without I/O; None inside of a step."""
        ...

    def hold(self) -> Hold:
        """Return an account for bytes kept between batches."""
        ...

    def in_order(self, put: Callable[[T], object], *, one_at_a_time: bool = False) -> InOrder[T]:
        """Return who does work beside this thread, on which `put` then takes the results, in order.

        `one_at_a_time` is for work that depends on the work before it.
        """
        ...

    def spill(self) -> Spill:
        """Return a new place on disk; whoever asks for it closes it."""
        ...

    def at_end(self, end: Callable[[], None]) -> None:
        """Call `end` when the run ends, however it does, and before its sources are stopped; from any thread."""
        ...

    def schema_of(self, node: Node) -> pa.Schema | None:
        """Return what comes out of a step of the plan; None if only its batches can tell."""
        ...

    def schema_of_no_rows(self, node: Node) -> pa.Schema | None:
        """Return the same where no row has come: functions of the user are tried on none; None if they fail."""
        ...

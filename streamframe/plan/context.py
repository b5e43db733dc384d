"""What a run hands to the sources, transforms and sinks that take part in it.

Rule: they reach the budget and the disk through this and import nothing of the engine.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from streamframe.options import Options

if TYPE_CHECKING:
    from streamframe.plan.node import Node


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

    def hold(self) -> Hold:
        """Return an account for bytes kept between batches."""
        ...

    def spill(self) -> Spill:
        """Return a new place on disk; whoever asks for it closes it."""
        ...

    def schema_of(self, node: Node) -> pa.Schema | None:
        """Return what comes out of a step of the plan; None if only its batches can tell."""
        ...

"""What a run hands to the sources, transforms and sinks that take part in it.

Rule: they reach the budget through this and import nothing of the engine.
"""

from __future__ import annotations

from typing import Protocol

from streamframe.options import Options


class Hold(Protocol):
    """Bytes that a step keeps between batches, counted against the budget."""

    def resize(self, nbytes: int) -> None:
        """Say how many bytes are kept now. Never waits: the reader is who slows down."""
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

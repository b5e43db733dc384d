"""What a sink promises to an engine.

Rule: until `commit` returns, the target is what it was before; after `abort` nothing is left
behind. Exactly one of the two is called, once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from streamframe.plan.context import RunContext


class Written(NamedTuple):
    """What a sink has made."""

    files: tuple[str, ...]
    bytes_written: int


@dataclass(frozen=True)
class Sink(ABC):
    """Where batches end."""

    @abstractmethod
    def start(self, schema: pa.Schema, context: RunContext) -> OpenSink:
        """Open the target for rows of this schema."""

    @abstractmethod
    def describe(self) -> str:
        """Return the verb as a person would type it, without secrets."""


class OpenSink(ABC):
    """A sink under way."""

    @abstractmethod
    def write(self, batch: pa.RecordBatch) -> None:
        """Take one batch. It may be kept; then its bytes are held against the budget."""

    @abstractmethod
    def commit(self) -> Written:
        """Finish: from now on the target is new, whole."""

    @abstractmethod
    def abort(self) -> None:
        """Give up: the target is what it was, and nothing is left behind."""

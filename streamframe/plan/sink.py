"""What a sink promises to an engine: ours, and those of a user's own.

Rule: until `commit` returns, the target is what it was before; after `abort` nothing is left
behind. Exactly one of the two ends a sink that was started; where `commit` raises, `abort` follows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from streamframe.errors import PlanError
from streamframe.plan.checkpoint import Checkpoint
from streamframe.plan.context import RunContext


class Written(NamedTuple):
    """What a sink has made.

    Attributes
    ----------
    files : tuple of str
        What was written, as labels without secrets.
    bytes_written : int
        Bytes of all of it together.
    """

    files: tuple[str, ...] = ()
    bytes_written: int = 0


class Found(ABC):
    """A target that was opened together with what an earlier run has left there.

    Attributes
    ----------
    checkpoint : Checkpoint or None
        Behind the rows that are there; None if there are none.
    """

    checkpoint: Checkpoint | None = None

    @property
    def kept(self) -> str:
        """What a run that ends now leaves for another, in a few words; empty for nothing."""
        return ""

    @property
    def instead(self) -> str:
        """What to do where a run cannot go on: as a hint."""
        return "start from the beginning."

    @abstractmethod
    def start(self, schema: pa.Schema, context: RunContext) -> OpenSink:
        """Go on behind the checkpoint."""

    @abstractmethod
    def rejects(self) -> Iterator[pa.RecordBatch]:
        """Yield what could not be read before the checkpoint, after `start`."""

    @abstractmethod
    def reject(self, batch: pa.RecordBatch, records: int) -> None:
        """Keep what cannot be read together with the rows around it; so many records are left out with these."""

    @abstractmethod
    def abort(self) -> None:
        """Let go of it as it is, before `start`."""


@dataclass(frozen=True)
class Sink(ABC):
    """Where batches end: says how to open the target, and may be used for many runs.

    Derive from it for a target of your own, and pass it to `StreamFrame.write` or `StreamFrame.tee`. All calls of a run
    come one after another. What it raises reaches the caller as it is.

    Examples
    --------
    >>> import pyarrow as pa
    >>> import streamframe as sf
    >>> class Queue(sf.Sink):
    ...     def __init__(self, messages):
    ...         self.messages = messages
    ...
    ...     def start(self, schema, context):
    ...         return OpenQueue(self.messages)
    >>> class OpenQueue(sf.OpenSink):
    ...     def __init__(self, messages):
    ...         self.messages, self.waiting = messages, []
    ...
    ...     def write(self, batch):
    ...         self.waiting.append(batch.num_rows)
    ...
    ...     def commit(self):
    ...         self.messages.extend(self.waiting)
    ...         return sf.Written()
    ...
    ...     def abort(self):
    ...         self.waiting.clear()
    >>> messages = []
    >>> sf.from_batches([pa.record_batch({"a": [1, 2, 3]})]).write(Queue(messages)).rows
    3
    >>> messages
    [3]
    """

    @abstractmethod
    def start(self, schema: pa.Schema, context: RunContext) -> OpenSink:
        """Open the target for rows of this schema.

        `context.options` are those of the run, and `context.hold()` accounts for bytes that are kept.
        """

    def takes_dictionaries(self, schema: pa.Schema) -> frozenset[str]:
        """Return the columns that batches may bring as dictionaries of their values; all of them are text."""
        return frozenset()

    def find(self, plan: Sequence[str]) -> Found | None:
        """Open the target to go on with what an earlier run of this plan has left; None for a sink that starts anew.

        Raises
        ------
        ResumeError
            If what is there comes from another plan.
        """
        return None

    def describe(self) -> str:
        """Return the sink as a person would type it, without secrets; it names the run in the progress line."""
        return type(self).__name__


class OpenSink(ABC):
    """A sink under way: what `Sink.start` returns."""

    @abstractmethod
    def write(self, batch: pa.RecordBatch) -> None:
        """Take one batch, which may have no rows. It may be kept; then its bytes are held against the budget."""

    @abstractmethod
    def commit(self) -> Written:
        """Finish: from now on the target is new, whole."""

    @abstractmethod
    def abort(self) -> None:
        """Give up: the target is what it was, and nothing is left behind."""


def started(sink: Sink | Found, schema: pa.Schema, context: RunContext) -> OpenSink:
    """Open a target, and make sure that a sink of the user's own has returned one."""
    opened = sink.start(schema, context)
    if not all(hasattr(opened, verb) for verb in ("write", "commit", "abort")):
        raise PlanError(
            f"start of {type(sink).__name__} returned {type(opened).__name__}, which is no sf.OpenSink",
            hint="return an object that derives from sf.OpenSink: with write, commit and abort.",
        )
    return opened

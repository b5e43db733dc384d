"""The names of a plan's steps, put on whatever goes wrong in them.

Rule: a step is known by what the user typed, so that it keeps its number where the optimizer
has moved it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa

from streamframe.batch import Marked
from streamframe.errors import StreamError
from streamframe.plan.node import Node, Scan


@dataclass(frozen=True)
class Step:
    """A rowwise step as the decode pool calls it."""

    name: str
    apply: Callable[[pa.RecordBatch], pa.RecordBatch]
    grows: bool

    def __call__(self, data: pa.RecordBatch) -> pa.RecordBatch:
        with _noted(self.name):
            return self.apply(data)


@dataclass(frozen=True)
class FilteredStep:
    """A step, and the filter right below it, which copies no rows but tells which there are."""

    filter_name: str
    kept: Callable[[pa.RecordBatch], pa.BooleanArray]
    name: str
    prepare: Callable[[pa.RecordBatch, pa.BooleanArray], pa.RecordBatch]
    grows: bool

    def __call__(self, data: pa.RecordBatch) -> pa.RecordBatch:
        with _noted(self.filter_name):
            kept = self.kept(data)
        with _noted(self.name):
            return self.prepare(data, kept)


AnyStep = Step | FilteredStep


class StepNames:
    """What each step of a plan is called in an error, such as ``step 2 of 3: filter``."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def of(self, node: Node) -> str:
        """Return the name of a step of this plan, or of its optimized form."""
        text = node.describe()
        return self._names.get(text, f"step {_verb(text)}")

    @contextmanager
    def located(self, node: Node) -> Iterator[None]:
        """Name the step on any error raised inside."""
        with _noted(self.of(node)):
            yield

    def marked(self, node: Node, stream: Iterator[Marked]) -> Iterator[Marked]:
        """Name the step on any error that its stream raises and that no step below has named."""
        with _noted(self.of(node)):
            yield from stream


def step_names(plan: Node) -> StepNames:
    """Number the steps of a plan in reading order, the source first."""
    steps = in_reading_order(plan)
    names: dict[str, str] = {}
    for number, node in enumerate(steps, start=1):
        text = node.describe()
        names.setdefault(text, f"step {number} of {len(steps)}: {_verb(text)}")
    return StepNames(names)


@contextmanager
def _noted(name: str) -> Iterator[None]:
    try:
        yield
    except StreamError as error:
        error.locate(step=name)
        raise
    except Exception as error:
        # A user's own error keeps its type; the note says which step it came from.
        note = f"streamframe: raised in {name}"
        if not any(known.startswith("streamframe: raised in ") for known in getattr(error, "__notes__", ())):
            error.add_note(note)
        raise


def in_reading_order(plan: Node) -> list[Node]:
    """Return the steps of a plan, inputs before what reads them; a shared input once.

    With a stack of its own: a plan made in a loop may be deeper than Python's recursion.
    """
    ordered: dict[int, Node] = {}
    stack = [(plan, False)]
    while stack:
        node, inputs_done = stack.pop()
        if inputs_done:
            ordered.setdefault(id(node), node)
        elif id(node) not in ordered:
            stack.append((node, True))
            stack.extend((child, False) for child in reversed(node.inputs))
    return list(ordered.values())


def scans_of(plan: Node) -> list[Scan]:
    """Return where rows enter a plan, in reading order."""
    return [node.scan for node in in_reading_order(plan) if node.scan is not None]


def _verb(text: str) -> str:
    return text.partition("(")[0]

"""From the steps of a plan to one stream of batches.

Rule: what may run in the decode pool is handed down to the scan. Everything else runs on the consumer's thread and
pulls: a slow consumer slows the reader down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streamframe.batch import Mark, Marked
from streamframe.engines.reading import Reading
from streamframe.engines.steps import AnyStep, FilteredStep, Step, StepNames, scans_of
from streamframe.plan.context import RunContext
from streamframe.plan.node import Node


class Streams:
    """The streams of one run: numbers its scans and its steps, from the top down, as checkpoints know them.

    Parameters
    ----------
    run : RunContext
        The run.
    names : StepNames
        What the plan's steps are called in errors.
    reading : Reading
        What the run reads.
    """

    def __init__(self, run: RunContext, names: StepNames, reading: Reading) -> None:
        self._run = run
        self._names = names
        self._reading = reading
        self._scans_numbered = 0
        self._steps_numbered = 0

    def of(self, node: Node, above: Sequence[AnyStep] = ()) -> Iterator[Marked]:
        """Return the stream of a step, with the steps `above` done to each batch."""
        steps: list[AnyStep] = list(above)
        bottom = node
        while bottom.in_pool and len(bottom.inputs) == 1:
            steps.insert(0, Step(self._names.of(bottom), bottom.apply, bottom.grows))
            (bottom,) = bottom.inputs
        if bottom.scan is not None:
            self._scans_numbered += 1
            return self._reading.batches(bottom.scan, self._scans_numbered - 1, steps, self._run)
        if bottom.only_rejects:
            scans = list(scans_of(bottom))
            first = self._scans_numbered
            # At once, not when the rows are asked for: a step above looks whether its input lies behind the start.
            self._scans_numbered += len(scans)
            return _with_steps(self._reading.rejects(scans, first, self._run), steps)
        self._steps_numbered += 1
        context = _StepContext(self._run, self._steps_numbered)
        first, start = self._scans_numbered, self._run.start
        streams = []
        for child in node.inputs:
            stream = self.of(*self._prepared(node, child)) if node.prepares else self.of(child)
            # Inputs run one behind another: those before the start have been read to their ends.
            streams.append(stream if self._scans_numbered > start.scan else iter(()))
        if not first <= start.scan < self._scans_numbered:
            context.start = Mark(scan=first)
        made = self._names.marked(node, node.run(streams, context))
        return _with_steps(made, above) if above else made

    def _prepared(self, node: Node, child: Node) -> tuple[Node, Sequence[AnyStep]]:
        """Return what is below a step that prepares its input, and how that is done to each batch."""
        name = self._names.of(node)
        if child.predicate is None or not child.in_pool:
            return child, [Step(name, node.prepare, node.grows)]
        return child.inputs[0], [FilteredStep(self._names.of(child), child.kept, name, node.prepare, node.grows)]


class _StepContext:
    """A run, as one of its steps sees it."""

    def __init__(self, run: RunContext, step: int) -> None:
        self.step = step
        self.start = run.start.within(step)
        self.options = run.options
        self.block_bytes = run.block_bytes
        self.hold = run.hold
        self.in_order = run.in_order
        self.spill = run.spill
        self.schema_of = run.schema_of
        self.schema_of_no_rows = run.schema_of_no_rows
        self.at_end = run.at_end

    def position(self, rows: int | None = None) -> None:
        """Nowhere: what a step hands on is not yet what the run hands over."""

    def origin(self) -> None:
        """Nowhere, as above."""


def _with_steps(stream: Iterator[Marked], steps: Sequence[AnyStep]) -> Iterator[Marked]:
    for data, mark in stream:
        for step in steps:
            data = step(data)
        yield Marked(data, mark)

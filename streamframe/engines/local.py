"""Run a plan on this machine: open, stop and close things in order.

Rules:
* A run reads the options once, when it starts. It opens the first source and keeps it open, so
  that looking at its schema costs no second connection.
* Everything above the scans runs on the consumer's thread and pulls: a slow consumer slows the
  reader down.
* `close` is the end of every run, however it ends; after it no thread and no file is left.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Literal, TypeVar

import pyarrow as pa

from streamframe.batch import Mark, Marked
from streamframe.engines.positions import (
    BEFORE_IT,
    OF_A_COPY,
    Identities,
    is_resumable,
    is_traceable,
    plan_lines,
    require_resumable,
)
from streamframe.engines.steps import FilteredStep, Step, in_reading_order, scans_of, step_names
from streamframe.errors import PlanError
from streamframe.io.spill import SpillFile
from streamframe.optimize.pushdown import Schemas, optimized
from streamframe.options import Options, current_options
from streamframe.plan.checkpoint import Checkpoint, Origin, require_same_lines
from streamframe.plan.node import Node, Scan
from streamframe.plan.report import Stats, worst
from streamframe.plan.source import BlockReader, OpenSource
from streamframe.runtime.budget import Budget, Kept
from streamframe.runtime.decoding import Apply, Rejected, RowCounts
from streamframe.runtime.in_order import InOrder
from streamframe.runtime.prefetch import Prefetch
from streamframe.runtime.pull import pulled

# A block, its decoded batch and their neighbours have to fit many times over, or the pool idles.
_BLOCKS_PER_BUDGET = 48
_MIN_BLOCK_BYTES = 64 << 10
_MAX_BLOCK_BYTES = 4 << 20

# What is being written may take such a part of the budget: beside it, batches are on their way here.
_WRITING_PER_BUDGET = 4

# So few rows are in the first block or two: reading ahead would only read what nobody wants.
_PULLED_ROWS = 10_000

# A thread that was started begins at once.
_STARTING_S = 1.0

T = TypeVar("T")


class LocalRun:
    """One run of a plan: an iterator of marked batches that has to be closed.

    Parameters
    ----------
    plan : Node
        What to run.
    options : Options, optional
        Default: those in force here.
    optimizer : callable
        Turns the plan into a cheaper one with the same result. Tests run plans without it.
    start : Checkpoint, optional
        Where the run begins: what lies before has been handed over by another.
    dictionaries : callable, optional
        Tells of a schema which columns may come as dictionaries of their values.
    takes_rejects : bool
        What cannot be read will be handed over, see `Rejected`.

    Raises
    ------
    ResumeError
        If the plan is not that of the checkpoint; at the first batch, if the source is not.
    """

    def __init__(
        self,
        plan: Node,
        options: Options | None = None,
        optimizer: Callable[[Node, Schemas, frozenset[str]], Node] = optimized,
        start: Checkpoint | None = None,
        dictionaries: Callable[[pa.Schema], frozenset[str]] | None = None,
        takes_rejects: bool = False,
    ) -> None:
        self._plan = plan
        if start is not None:
            require_resumable(plan, BEFORE_IT, OF_A_COPY)
            require_same_lines("step", start.plan, plan_lines(plan))
        self.options = options or current_options()
        self._started = time.perf_counter()
        self._budget = Budget(self.options.memory_bytes)
        self._names = step_names(plan)
        self._opened: dict[int, OpenSource] = {}
        self._scans: list[Prefetch] = []
        self._readers: list[BlockReader] = []
        # Those that no thread of ours reads.
        self._pulled: list[BlockReader] = []
        self._endings = ExitStack()
        self._beside: ThreadPoolExecutor | None = None
        self._beside_name = f"streamframe-encode-{id(self):x}"
        self._resumes = start is not None
        self.start = Mark() if start is None else start.mark
        self.rejected = Rejected(self.start, wanted=takes_rejects)
        self._identities = Identities(
            *((0, (), ()) if start is None else (start.mark.scan, start.source, start.before))
        )
        # Around the last batch that was handed over; at its start lie rows that were handed over by another run.
        self._before = self._mark = self.start
        self._skip = 0 if start is None else start.skip
        self._skipped = self._latest_rows = 0
        self._rows_by_others = 0 if start is None else start.rows
        self._scans_numbered = 0
        self._steps_numbered = 0
        self._rows = 0
        self._batches = 0
        self._first_batch_s: float | None = None
        self._closed = False
        self._stream: Iterator[Marked] = iter(())
        try:
            self._schemas = Schemas(self._open_sources(plan))
            self._identities.require_same_before(plan, self)
            schema = self._checked_schema(plan, self._schemas)
            taken = frozenset() if schema is None or dictionaries is None else dictionaries(schema)
            self._stream = self._build(optimizer(plan, self._schemas, taken))
            if schema is None:
                schema, self._stream = self._peeked(plan, self._stream)
        except BaseException:
            self.close()
            raise
        self.schema: pa.Schema = schema

    @property
    def step(self) -> int:
        """No step: a sink or a source asks."""
        return -1

    def position(self, rows: int | None = None) -> Checkpoint | None:
        """Return where the run is, in terms that another process can go on from; None if none can.

        It lies behind so many rows of the latest batch; by default, behind all of it.
        """
        if not is_resumable(self._plan):
            return None
        left = 0 if rows is None else self._latest_rows - rows
        mark, skip = (self._before, self._skipped + self._latest_rows - left) if left else (self._mark, self._skip)
        before = self._rows_by_others + self._rows - left
        lines, others = self._identities.at(mark), self._identities.before(mark)
        return Checkpoint(plan_lines(self._plan), lines, mark, skip, before, others)

    def origin(self) -> Origin:
        """Return where the rows come from that were handed over so far, without I/O."""
        return Origin(
            plan_lines(self._plan) if is_traceable(self._plan) else None,
            self._identities.known(),
            self._mark if is_resumable(self._plan) else None,
            self._rows_by_others + self._rows,
        )

    @property
    def block_bytes(self) -> int:
        """How many raw bytes a block should have, so that enough of them fit the budget."""
        return min(_MAX_BLOCK_BYTES, max(_MIN_BLOCK_BYTES, self.options.memory_bytes // _BLOCKS_PER_BUDGET))

    def hold(self) -> Kept:
        """Return an account for bytes that a step keeps between batches."""
        return self._budget.hold()

    def in_order(self, put: Callable[[T], object], *, one_at_a_time: bool = False) -> InOrder[T]:
        """Return who does work beside this thread, on which `put` then takes the results, in order."""
        if self._beside is None:
            self._beside = ThreadPoolExecutor(self.options.worker_count, thread_name_prefix=self._beside_name)
        room_bytes = self.options.memory_bytes // _WRITING_PER_BUDGET
        return InOrder(self._beside, self.hold(), room_bytes, put, one_at_a_time=one_at_a_time)

    def spill(self) -> SpillFile:
        """Return a new place on disk; whoever asks for it closes it."""
        return SpillFile()

    def at_end(self, end: Callable[[], None]) -> None:
        """Call `end` when the run ends, however it does, and before its sources are stopped."""
        self._endings.callback(end)

    def schema_of(self, node: Node) -> pa.Schema | None:
        """Return what comes out of a step of the plan; None if only its batches can tell."""
        return self._schemas.of(node)

    def schema_of_no_rows(self, node: Node) -> pa.Schema | None:
        """Return the same where no row has come: functions of the user are tried on none; None if they fail."""
        schemas = self._schemas.trying()
        for each in in_reading_order(node):  # from the bottom up, so that a deep plan needs no deep recursion
            schema = schemas.of(each)
        return schema

    def __iter__(self) -> Iterator[Marked]:
        return self

    def __next__(self) -> Marked:
        try:
            data, mark = next(self._stream)
            while 0 < data.num_rows <= self._skip:
                self._skip -= data.num_rows
                self._mark = mark
                data, mark = next(self._stream)
        except BaseException:
            # The end, an error or Ctrl-C: nothing more will come, so nothing may be left of the reading.
            self._close_sources()
            raise
        if self._closed:
            # By another thread: a step that needs all rows has made this of a part of them.
            raise StopIteration
        if self._first_batch_s is None:
            self._first_batch_s = time.perf_counter() - self._started
        self._before, self._mark = self._mark, mark
        self._skipped = min(self._skip, data.num_rows)
        self._skip -= self._skipped
        if self._skipped:
            data = data.slice(self._skipped)
        self._latest_rows = data.num_rows
        self._rows += data.num_rows
        self._batches += 1
        return Marked(data, mark)

    def stats(self) -> Stats:
        """Return what the run has done so far: a snapshot."""
        totals = [reader.bytes_total for reader in self._readers]
        return Stats(
            rows=self._rows,
            batches=self._batches,
            bytes_read=sum(reader.bytes_read for reader in self._readers),
            bytes_total=totals[0] if len(totals) == 1 else None,
            bytes_buffered=self._budget.held_bytes,
            peak_bytes=self._budget.peak_bytes,
            limit_bytes=self._budget.limit_bytes,
            retries=sum(reader.retries for reader in self._readers),
            bytes_again=sum(reader.bytes_again for reader in self._readers),
            waiting_on=self._waiting_on(),
            seconds=time.perf_counter() - self._started,
            first_batch_s=self._first_batch_s,
            completeness=worst([reader.completeness for reader in self._readers]),
            rejected=self.rejected.records,
            nulled=self.rejected.nulled,
        )

    def stop(self) -> None:
        """Tell all threads that read to stop and free stalled reads; does not wait."""
        self._closed = True
        for scan in self._scans:
            scan.stop()
        for reader in self._pulled:
            reader.close()

    def abandon(self) -> None:
        """Tell all threads to stop, those that encode as well; does not wait, so a finalizer may call it."""
        self.stop()
        if self._beside is not None:
            self._beside.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Stop, and wait until every thread is gone and every source is closed. Safe to call twice."""
        try:
            self._close_sources()
        finally:
            # A sink has work under way when the last batch has come.
            if self._beside is not None:
                self._beside.shutdown(cancel_futures=True)
                # Ctrl-C while the pool was starting a thread: it does not know that one.
                for thread in threading.enumerate():
                    if thread.name.startswith(self._beside_name):
                        _joined(thread)

    def _close_sources(self) -> None:
        try:
            # First: a stream that is stopped ends as if all rows had come, and a step would take them for all.
            self._endings.close()
        finally:
            self._let_go_of_sources()

    def _let_go_of_sources(self) -> None:
        self.stop()
        for scan in self._scans:
            scan.close()
        for reader in self._readers:
            reader.close()
        for opened in self._opened.values():
            opened.close()
        self._opened.clear()
        # The generators refer to this run: let go of them now, not when the cycle is collected.
        self._stream = iter(())

    def _waiting_on(self) -> Literal["source", "decode", "consumer"] | None:
        return self._scans[-1].waiting_on if self._scans else None

    def _open_sources(self, plan: Node) -> dict[int, pa.Schema]:
        """Return the schema of every source; the first one stays open for the run."""
        schemas: dict[int, pa.Schema] = {}
        for scan in scans_of(plan):
            source = scan.source
            if id(source) in schemas:
                continue
            known = source.known_schema
            if self._opened and known is not None:
                schemas[id(source)] = known
                continue
            with self._names.located(scan):
                opened = source.open(self)
            schemas[id(source)] = opened.schema
            if self._opened:
                opened.close()
            else:
                self._opened[id(source)] = opened
        return schemas

    def _checked_schema(self, plan: Node, schemas: Schemas) -> pa.Schema | None:
        """Return the output schema, checking every step; the error names the step that cannot work."""
        schema = None
        for node in in_reading_order(plan):
            with self._names.located(node):
                schema = schemas.of(node)
        return schema

    def _build(self, node: Node, above: Sequence[Apply] = ()) -> Iterator[Marked]:
        """Return the stream of a step, with the steps `above` done to each batch."""
        steps: list[Apply] = list(above)
        bottom = node
        while bottom.in_pool and len(bottom.inputs) == 1:
            steps.insert(0, Step(self._names.of(bottom), bottom.apply))
            (bottom,) = bottom.inputs
        if bottom.scan is not None:
            self._scans_numbered += 1
            return self._scan(bottom.scan, steps, self._scans_numbered - 1)
        if bottom.only_rejects:
            scans = list(scans_of(bottom))
            first = self._scans_numbered
            # At once, not when the rows are asked for: a step above looks whether its input lies behind the start.
            self._scans_numbered += len(scans)
            return _with_steps(self._rejects(scans, first), steps)
        self._steps_numbered += 1
        context = _StepContext(self, self._steps_numbered)
        first = self._scans_numbered
        streams = []
        for child in node.inputs:
            stream = self._build(*self._prepared(node, child)) if node.prepares else self._build(child)
            # Inputs run one behind another: those before the start have been read to their ends.
            streams.append(stream if self._scans_numbered > self.start.scan else iter(()))
        if not first <= self.start.scan < self._scans_numbered:
            context.start = Mark(scan=first)
        made = self._names.marked(node, node.run(streams, context))
        return _with_steps(made, above) if above else made

    def _prepared(self, node: Node, child: Node) -> tuple[Node, Sequence[Apply]]:
        """Return what is below a step that prepares its input, and how that is done to each batch."""
        name = self._names.of(node)
        if child.predicate is None or not child.in_pool:
            return child, [Step(name, node.prepare)]
        return child.inputs[0], [FilteredStep(self._names.of(child), child.kept, name, node.prepare)]

    def _scan(self, scan: Scan, steps: list[Apply], number: int) -> Iterator[Marked]:
        start = self.start if self._resumes and number == self.start.scan and self.start.inside else None
        with self._names.located(scan):
            opened = self._opened.pop(id(scan.source), None) or scan.source.open(self)
            try:
                self._identities.opened(number, opened)
            except BaseException:
                opened.close()
                raise
            reader = opened.read(replace(scan, start=start))
        self._readers.append(reader)
        counts = RowCounts(self.rejected, start)
        if not scan.source.threaded or (scan.limit is not None and scan.limit <= _PULLED_ROWS):
            self._pulled.append(reader)
            batches = pulled(reader, steps, counts)
        else:
            prefetch = Prefetch(reader, steps, self._budget, self.options.worker_count, counts)
            self._scans.append(prefetch)
            batches = prefetch.batches()
        for data, mark in self._names.marked(scan, batches):
            yield Marked(data, replace(mark, scan=number) if number else mark)

    def _rejects(self, scans: Sequence[Scan], first: int) -> Iterator[Marked]:
        """Yield what cannot be read in these scans, in reading order."""
        found: list[pa.RecordBatch] = []
        self.rejected.hand_to(lambda batch, _: found.append(batch))
        for number, scan in enumerate(scans, first):
            for _, mark in self._scan(scan, [], number):
                yield from (Marked(each, mark) for each in found)
                found.clear()
            yield from (Marked(each, Mark()) for each in found)
            found.clear()

    def _peeked(self, plan: Node, stream: Iterator[Marked]) -> tuple[pa.Schema, Iterator[Marked]]:
        """Learn the schema of a plan with user functions from the first batch that comes out."""
        first = next(stream, None)
        if first is None and self._resumes:
            # All rows were handed over before, with their columns.
            return pa.schema([]), iter(())
        if first is None and (schema := self.schema_of_no_rows(plan)) is not None:
            return schema, iter(())
        if first is None:
            raise PlanError(
                "no row came out, so the columns that a function makes are unknown",
                hint="pass schema= to map_batches or map_pandas.",
            )
        return first.data.schema, _chained(first, stream)


class _StepContext:
    """A run, as one of its steps sees it."""

    def __init__(self, run: LocalRun, step: int) -> None:
        self._run = run
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


def peek_schema(plan: Node) -> pa.Schema:
    """Return the output schema, reading no more than it takes."""
    run = LocalRun(plan)
    try:
        return run.schema
    finally:
        run.close()


def optimized_plan(plan: Node) -> Node:
    """Return the plan as it would run, without I/O: schemas count where they are known already."""
    known = {id(scan.source): scan.source.known_schema for scan in scans_of(plan)}
    schemas = Schemas({key: schema for key, schema in known.items() if schema is not None})
    for node in in_reading_order(plan):
        schemas.of(node)  # from the bottom up, so that a deep plan needs no deep recursion
    return optimized(plan, schemas)


def _with_steps(stream: Iterator[Marked], steps: Sequence[Apply]) -> Iterator[Marked]:
    for data, mark in stream:
        for step in steps:
            data = step(data)
        yield Marked(data, mark)


def _joined(thread: threading.Thread) -> None:
    """Wait for the end of a thread that may not have begun; not for ever, as Ctrl-C may have come before it could."""
    until_s = time.monotonic() + _STARTING_S
    while time.monotonic() < until_s:
        with suppress(RuntimeError):
            return thread.join()
        time.sleep(0.001)
    return None


def _chained(first: Marked, rest: Iterator[Marked]) -> Iterator[Marked]:
    yield first
    yield from rest

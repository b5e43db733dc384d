"""Run a plan on this machine: open, stop and close things in order.

Rules:
* A run reads the options once, when it starts.
* It is pulled: a slow consumer slows the reader down.
* `close` is the end of every run, however it ends; after it no thread and no file is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TypeVar

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
from streamframe.engines.reading import Reading
from streamframe.engines.steps import in_reading_order, scans_of, step_names
from streamframe.engines.streams import Streams
from streamframe.errors import PlanError
from streamframe.io.spill import SpillFile
from streamframe.optimize.pushdown import Schemas, optimized
from streamframe.options import Options, current_options
from streamframe.plan.checkpoint import Checkpoint, Origin, require_same_lines
from streamframe.plan.node import Node
from streamframe.plan.report import Stats
from streamframe.runtime.beside import Beside
from streamframe.runtime.budget import Budget, Kept
from streamframe.runtime.decoding import Rejected
from streamframe.runtime.in_order import InOrder

# A block, its decoded batch and their neighbours have to fit many times over, or the pool idles.
_BLOCKS_PER_BUDGET = 48
_MIN_BLOCK_BYTES = 64 << 10
_MAX_BLOCK_BYTES = 4 << 20

# What is being written may take such a part of the budget: beside it, batches are on their way here.
_WRITING_PER_BUDGET = 4

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
        self._endings = ExitStack()
        self._beside = Beside(self.options.worker_count)
        self._resumes = start is not None
        self.start = Mark() if start is None else start.mark
        self.rejected = Rejected(self.start, wanted=takes_rejects)
        self._identities = Identities(
            *((0, (), ()) if start is None else (start.mark.scan, start.source, start.before))
        )
        self._reading = Reading(
            self._names, self._budget, self._identities, self.rejected, self.start if self._resumes else None
        )
        # Around the last batch that was handed over; at its start lie rows that were handed over by another run.
        self._before = self._mark = self.start
        self._skip = 0 if start is None else start.skip
        self._skipped = self._latest_rows = 0
        self._rows_by_others = 0 if start is None else start.rows
        self._rows = 0
        self._batches = 0
        self._first_batch_s: float | None = None
        self._closed = False
        self._stream: Iterator[Marked] = iter(())
        try:
            self._schemas = Schemas(self._reading.open(plan, self))
            self._identities.require_same_before(plan, self)
            schema = self._checked_schema(plan, self._schemas)
            taken = frozenset() if schema is None or dictionaries is None else dictionaries(schema)
            streams = Streams(self, self._names, self._reading)
            self._stream = streams.of(optimizer(plan, self._schemas, taken))
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
        room_bytes = self.options.memory_bytes // _WRITING_PER_BUDGET
        return InOrder(self._beside.pool, self.hold(), room_bytes, put, one_at_a_time=one_at_a_time)

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
        reading = self._reading
        return Stats(
            rows=self._rows,
            batches=self._batches,
            bytes_read=reading.bytes_read,
            bytes_total=reading.bytes_total,
            bytes_buffered=self._budget.held_bytes,
            peak_bytes=self._budget.peak_bytes,
            limit_bytes=self._budget.limit_bytes,
            retries=reading.retries,
            bytes_again=reading.bytes_again,
            waiting_on=reading.waiting_on,
            seconds=time.perf_counter() - self._started,
            first_batch_s=self._first_batch_s,
            completeness=reading.completeness,
            rejected=self.rejected.records,
            nulled=self.rejected.nulled,
        )

    def stop(self) -> None:
        """Tell all threads that read to stop and free stalled reads; does not wait."""
        self._closed = True
        self._reading.stop()

    def abandon(self) -> None:
        """Tell all threads to stop, those that encode as well; does not wait, so a finalizer may call it."""
        self.stop()
        self._beside.abandon()

    def close(self) -> None:
        """Stop, and wait until every thread is gone and every source is closed. Safe to call twice."""
        try:
            self._close_sources()
        finally:
            # A sink has work under way when the last batch has come.
            self._beside.close()

    def _close_sources(self) -> None:
        try:
            # First: a stream that is stopped ends as if all rows had come, and a step would take them for all.
            self._endings.close()
        finally:
            self._closed = True
            self._reading.close()
            # The generators refer to this run: let go of them now, not when the cycle is collected.
            self._stream = iter(())

    def _checked_schema(self, plan: Node, schemas: Schemas) -> pa.Schema | None:
        """Return the output schema, checking every step; the error names the step that cannot work."""
        schema = None
        for node in in_reading_order(plan):
            with self._names.located(node):
                schema = schemas.of(node)
        return schema

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


def _chained(first: Marked, rest: Iterator[Marked]) -> Iterator[Marked]:
    yield first
    yield from rest

"""What a user iterates over: batches, DataFrames or rows, with a clean end.

Rules: the options are those in force where the iteration was made; nothing is read before the
first item is asked for. Threads may share an iteration: each item goes to one of them, and an error
to all, so that nobody takes a run that failed for one that ended. `close` joins the threads.
Dropping an iteration (`break`, an exception) stops them as well, but waits for nobody, since a
finalizer may run anywhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

import pyarrow as pa

from streamframe.engines.local import LocalRun
from streamframe.engines.positions import BEFORE_IT, OF_A_COPY, require_resumable
from streamframe.errors import PlanError, StreamError
from streamframe.io.stopping import stopping_when
from streamframe.options import current_options
from streamframe.plan.checkpoint import Checkpoint
from streamframe.plan.node import Node
from streamframe.plan.report import Stats

T = TypeVar("T")
# For another thread that opens a source and does not look up: one that waits inside the user's own file, for one.
_OPENING_S = 1.0


class Iteration(Generic[T]):
    """One run of a frame, item by item; an iterator and a context manager.

    Examples
    --------
    >>> import streamframe as sf
    >>> with sf.from_arrow({"n": [1, 2, 3]}).iter_rows() as rows:
    ...     next(rows)
    {'n': 1}
    """

    def __init__(
        self,
        plan: Node,
        unfold: Callable[[pa.RecordBatch], Iterable[T]],
        *,
        by_row: bool = False,
        resume: Checkpoint | None = None,
    ) -> None:
        self._plan = plan
        self._unfold = unfold
        self._by_row = by_row
        self._resume = resume
        # Of the batch under way: how many of its rows were handed over, where they go one by one.
        self._given = 0
        self._options = current_options()
        self._run: LocalRun | None = None
        self._items: Iterator[T] = iter(())
        self._closed = False
        self._error: Exception | None = None
        # Not taken by `close`, which has to free a `next` that waits. Reentrant, for a user's
        # function that asks its own iteration.
        self._turn = threading.RLock()

    @property
    def schema(self) -> pa.Schema:
        """The schema of the batches; starts the run."""
        return self._started().schema

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        with self._turn:
            try:
                while True:
                    for item in self._items:
                        self._given += 1
                        return item
                    if self._error is not None:
                        raise self._error
                    if self._closed:
                        raise StopIteration
                    self._items = iter(self._unfold(self._next_batch()))
            except BaseException as error:
                # Wherever it comes from: what follows a batch that was not handed over would pass for all that is left.
                if isinstance(error, Exception) and not isinstance(error, StopIteration):
                    self._error = error
                self.close()
                raise

    def checkpoint(self) -> Checkpoint:
        """Return how far this iteration has come: behind the last item that it handed over.

        Whatever was read ahead does not count. Ask between two items; also after an error, after `close` or at
        the end. ``iter_batches(resume=...)`` of the same frame goes on from there, in another process too.

        Raises
        ------
        PlanError
            If a step cannot go on in the middle: one that needs all rows, a function without `name`, or a
            source that can be read only once.
        """
        with self._turn:
            run = self._started()
            require_resumable(self._plan, BEFORE_IT, OF_A_COPY)
            # Of a batch that could not be unfolded, nothing was handed over.
            position = run.position(self._given if self._by_row or not self._given else None)
            assert position is not None
            return position

    def stats(self) -> Stats:
        """Return what the run has done so far: a snapshot, cheap enough for a loop."""
        return self._started().stats()

    def close(self) -> None:
        """Stop the run; when this returns, its threads, files and connections are gone."""
        self._closed = True
        self._items = iter(())
        if self._run is None and self._turn.acquire(timeout=_OPENING_S):
            # Another thread was opening the sources, and has looked up.
            self._turn.release()
        if self._run is not None:
            self._run.close()

    def _next_batch(self) -> pa.RecordBatch:
        try:
            run = self._started()
        except StreamError:
            if self._closed:
                raise StopIteration from None  # by another thread, as for a `next` that waits for rows
            raise
        data = next(run).data
        self._given = 0
        return data

    def _started(self) -> LocalRun:
        if self._run is None:
            with stopping_when(lambda: self._closed):
                run = None if self._closed else LocalRun(self._plan, self._options, start=self._resume)
            self._run = run
            if run is not None and self._closed:
                run.close()
            if run is None or self._closed:
                raise PlanError("this iteration was closed before it began", hint="iterate over the frame again.")
            return run
        return self._run

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        run = getattr(self, "_run", None)
        if run is not None:
            run.abandon()

    def __repr__(self) -> str:
        if self._run is None:
            return "<streamframe iteration: not started>"
        stats = self._run.stats()
        state = "closed" if self._closed else f"waiting on {stats.waiting_on or 'nobody'}"
        return f"<streamframe iteration: {stats.rows:,} rows, {stats.bytes_read:,} bytes read, {state}>"

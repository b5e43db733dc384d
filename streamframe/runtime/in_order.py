"""Work that a pool does beside the consumer, whose results are taken in the order in which it was given.

Rules:
* Work only computes, but for what it writes to a file that nothing else writes to meanwhile. `put` is
  called on the thread that gives the work: so what it writes to needs no lock.
* What is under way is held against the budget and has a room of its own. Whoever gives more waits for
  the oldest: a slow target slows the consumer down, and so the reader.
* What fails is raised where the next work is given, or at the end, and again from then on: everything before it has
  been put, and nothing behind it ever is.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, NamedTuple, TypeVar

from streamframe.runtime.budget import Kept

T = TypeVar("T")
Work = Callable[[], T]

# Less is not worth a hand-over; and the few rows of a slow source should not wait for the next ones.
_SMALL_BYTES = 64 << 10


class _UnderWay(NamedTuple, Generic[T]):
    result: Future[T]
    nbytes: int


class InOrder(Generic[T]):
    """Work under way.

    Parameters
    ----------
    pool
        Who does it.
    kept
        The account for what is under way.
    room_bytes : int
        How much may be under way; more than that passes alone.
    put : callable
        Takes each result.
    one_at_a_time : bool
        Work of a kind that depends on the work before it.
    """

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        kept: Kept,
        room_bytes: int,
        put: Callable[[T], object],
        *,
        one_at_a_time: bool = False,
    ) -> None:
        self._submit = _OneAtATime(pool).submit if one_at_a_time else pool.submit
        self._kept = kept
        self._room_bytes = room_bytes
        self._put = put
        self._under_way: deque[_UnderWay[T]] = deque()
        self._nbytes = 0
        self._failure: BaseException | None = None

    def add(self, work: Work[T], nbytes: int) -> None:
        """Give work on so many bytes, and put what has been done meanwhile.

        Raises
        ------
        StreamError
            What earlier work, or putting its result, has raised.
        """
        self._raise_failure()
        under_way = self._under_way
        while under_way and (under_way[0].result.done() or self._nbytes + nbytes > self._room_bytes):
            self._put_oldest()
        if not under_way and nbytes < _SMALL_BYTES:
            self._put_of(work)
            return
        self._nbytes += nbytes
        self._kept.resize(self._nbytes)
        under_way.append(_UnderWay(self._submit(work), nbytes))

    def put_done(self) -> None:
        """Put the results of what is done, without waiting."""
        self._raise_failure()
        while self._under_way and self._under_way[0].result.done():
            self._put_oldest()

    def finish(self) -> None:
        """Wait for all work, and put its results."""
        self._raise_failure()
        while self._under_way:
            self._put_oldest()

    def abort(self) -> None:
        """Drop what has not begun, and wait for what has."""
        # Nobody tells of what was cancelled if the pool has been closed meanwhile: wait for the others only.
        wait([each.result for each in self._under_way if not each.result.cancel()])
        self._under_way.clear()
        self._nbytes = 0
        self._kept.resize(0)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _put_oldest(self) -> None:
        # It stays in the line until it is done: Ctrl-C while we wait must not lose sight of it.
        self._under_way[0].result.exception()
        result, nbytes = self._under_way.popleft()
        try:
            self._put_of(result.result)
        finally:
            self._nbytes -= nbytes
            self._kept.resize(self._nbytes)

    def _put_of(self, work: Work[T]) -> None:
        try:
            self._put(work())
        except BaseException as error:
            self._failure = error
            raise


class _OneAtATime:
    """Hands work to a pool that other work shares: one piece when the one before is done."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Future[object], Work[object]]] = deque()
        self._busy = False

    def submit(self, work: Work[T]) -> Future[T]:
        result: Future[T] = Future()
        with self._lock:
            self._waiting.append((result, work))  # type: ignore[arg-type]
            if not self._busy:
                self._pool.submit(self._work_off)
                self._busy = True
        return result

    def _work_off(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._busy = False
                    return
                result, work = self._waiting.popleft()
            if not result.set_running_or_notify_cancel():
                continue
            try:
                result.set_result(work())
            except BaseException as error:
                result.set_exception(error)

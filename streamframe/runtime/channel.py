"""Batches in input order, from many decoding threads to one consumer.

Rules:
* One reader sends, one consumer receives; the order is that of sending. A ticket enters when
  its block is read and is received when it is decoded: so order needs no sorting.
* The channel has no length of its own. The budget bounds it, in bytes.
* `finish` ends it after the last ticket, or with the error that stopped the reader: whatever was
  sent before still arrives first.
* `close` may be called by any thread at any time; the consumer then gets `Closed`.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import CancelledError, Future, wait
from typing import Generic, Literal, TypeVar

from streamframe.runtime.budget import Closed

T = TypeVar("T")
# Python sees a Ctrl-C between two waits. It would end a wait as well, but not where another library
# (polars, for one) has asked the system to go on with what a signal interrupts.
_LOOK_UP_S = 0.1


class Channel(Generic[T]):
    """An ordered hand-over of results that are still being made."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._tickets: deque[Future[T]] = deque()
        self._ended = False
        self._error: BaseException | None = None
        self._closed = False
        self.waiting_on: Literal["source", "decode", "consumer"] | None = None

    def send(self, ticket: Future[T]) -> None:
        """Put a result that is still being made at the end of the queue.

        Raises
        ------
        Closed
            If the consumer has gone.
        """
        with self._changed:
            if self._closed:
                raise Closed
            self._tickets.append(ticket)
            self._changed.notify()

    def finish(self, error: BaseException | None = None) -> None:
        """Say that nothing more will be sent, and why if it is an error."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def receive(self) -> T | None:
        """Return the next result, waiting for it; None at the end.

        Raises
        ------
        Closed
            If the channel was closed, here or by another thread.
        BaseException
            What stopped the reader, or what decoding raised.
        """
        with self._changed:
            self.waiting_on = "source"
            while not (self._tickets or self._ended or self._closed):
                self._changed.wait(_LOOK_UP_S)
            self.waiting_on = None
            if self._closed:
                raise Closed
            if not self._tickets:
                if self._error is not None:
                    raise self._error
                return None
            ticket = self._tickets.popleft()
        self.waiting_on = "decode"
        try:
            return _result_of(ticket)
        except CancelledError:
            raise Closed from None
        finally:
            self.waiting_on = None

    def close(self) -> None:
        """Drop what was sent and wake everybody, for good."""
        with self._changed:
            self._closed = True
            dropped, self._tickets = self._tickets, deque()
            self._changed.notify_all()
        for ticket in dropped:
            ticket.cancel()


def _result_of(ticket: Future[T]) -> T:
    while not ticket.done():
        wait([ticket], _LOOK_UP_S)
    return ticket.result()

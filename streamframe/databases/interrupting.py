"""Ctrl-C while a library computes in C, which Python's main thread would learn of when it is done."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

T = TypeVar("T")
_AGAIN_S = 0.1
# A thread that was told to start has begun by then.
_START_S = 1.0


def interruptible(ask: Callable[[], T], cancel: Callable[[], object]) -> T:
    """Return what `ask` returns. On the main thread another one asks, and Ctrl-C calls `cancel`."""
    if threading.current_thread() is not threading.main_thread():
        return ask()
    begun, answer = threading.Event(), Future[T]()

    def work() -> None:
        begun.set()
        try:
            answer.set_result(ask())
        except BaseException as error:
            answer.set_exception(error)

    try:
        threading.Thread(target=work, name="streamframe-query").start()
        # Not one long wait: polars, which ADBC imports where it is installed, lets a signal restart it.
        while not answer.done():
            wait([answer], _AGAIN_S)
    except KeyboardInterrupt:
        # It may have come while the thread was started. Again and again: nothing is cancelled by a call that comes
        # before the work has begun.
        while begun.wait(_START_S) and not answer.done():
            cancel()
            wait([answer], _AGAIN_S)
        raise
    return answer.result()

"""Ctrl-C while a library computes in C, which Python's main thread would learn of when it is done."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
_AGAIN_S = 0.1


def interruptible(ask: Callable[[], T], cancel: Callable[[], object]) -> T:
    """Return what `ask` returns. On the main thread another one asks, and Ctrl-C calls `cancel`."""
    if threading.current_thread() is not threading.main_thread():
        return ask()
    with ThreadPoolExecutor(1, thread_name_prefix="streamframe-query") as beside:
        asked = beside.submit(ask)
        try:
            # Not one long wait: polars, which ADBC imports where it is installed, lets a signal restart it.
            while not asked.done():
                wait([asked], _AGAIN_S)
            return asked.result()
        except KeyboardInterrupt:
            # Again and again: nothing is cancelled by a call that comes before the work has begun.
            while not asked.done():
                cancel()
                wait([asked], _AGAIN_S)
            raise

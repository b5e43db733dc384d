"""A pool that works beside the consumer, started when there is work for it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

# A thread that was started begins at once.
_STARTING_S = 1.0


class Beside:
    """So many workers, once one is asked for; whoever makes it closes it."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool: ThreadPoolExecutor | None = None
        self._name = f"streamframe-encode-{id(self):x}"

    @property
    def pool(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix=self._name)
        return self._pool

    def abandon(self) -> None:
        """Drop what has not begun; does not wait."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Drop what has not begun, and wait until every thread is gone. Safe to call twice."""
        if self._pool is None:
            return
        self._pool.shutdown(cancel_futures=True)
        # Ctrl-C while the pool was starting a thread: it does not know that one.
        for thread in threading.enumerate():
            if thread.name.startswith(self._name):
                _join(thread)


def _join(thread: threading.Thread) -> None:
    """Wait for the end of a thread that may not have begun; not for ever, as Ctrl-C may have come before it could."""
    until_s = time.monotonic() + _STARTING_S
    while time.monotonic() < until_s:
        with suppress(RuntimeError):
            thread.join()
            return
        time.sleep(0.001)

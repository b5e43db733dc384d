"""Coroutines on the loop of fsspec's HTTP filesystem.

Rule: `storage_options` keep working, so the session is fsspec's, and so is its loop. One `Calls` for
each stream runs coroutines there, and cancels them when the stream is closed.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from streamframe.errors import StreamError
from streamframe.io.redact import forget_hidden
from streamframe.io.stopping import told_to_stop
from streamframe.io.stream import closed_error

T = TypeVar("T")
# Not one long wait: where another library (polars, for one) lets a signal restart it, Python sees a Ctrl-C between two.
# So does a thread that was told to stop while it opens a stream.
_LOOK_UP_S = 0.1


class Calls:
    """The coroutines that one stream has under way on fsspec's loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, label: str) -> None:
        self._loop = loop
        self._label = label
        self._lock = threading.Lock()
        self._closed = False
        self._running: set[concurrent.futures.Future[Any]] = set()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; raise the stream's closed error if `close` comes first, or a word to stop."""
        with self._lock:
            if self._closed:
                coroutine.close()
                raise closed_error(self._label)
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
            self._running.add(future)
        try:
            while not future.done():
                concurrent.futures.wait([future], _LOOK_UP_S)
                if told_to_stop():
                    future.cancel()
            return future.result()
        except concurrent.futures.CancelledError:
            raise closed_error(self._label) from None
        except KeyboardInterrupt:
            # The coroutine would go on without anyone waiting for it, and write into what the caller
            # thinks its own again: it has to be gone before this returns.
            future.cancel()
            with contextlib.suppress(concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
                asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop).result(timeout=1)
            raise
        except StreamError as error:
            forget_hidden(error)
            raise
        finally:
            with self._lock:
                self._running.discard(future)

    def close(self, last: Callable[[], None], *, wait: bool = True) -> None:
        """Cancel what is under way and then call `last` on the loop.

        With `wait` the connection is gone when this returns; a finalizer must not wait.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            running = list(self._running)
        for future in running:
            future.cancel()
        if not self._loop.is_running():
            return
        done = asyncio.run_coroutine_threadsafe(_wind_up(last), self._loop)
        if wait and not _on_loop(self._loop):
            # A loop that hangs (a user's callback, an exiting interpreter) must not hang us too.
            with contextlib.suppress(concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
                done.result(timeout=1)


async def _wind_up(last: Callable[[], None]) -> None:
    await asyncio.sleep(0)  # cancelled tasks unwind here
    last()
    for _ in range(2):
        await asyncio.sleep(0)  # a closed transport lets go of its socket one or two rounds later


def _on_loop(loop: asyncio.AbstractEventLoop) -> bool:
    with contextlib.suppress(RuntimeError):
        return asyncio.get_running_loop() is loop
    return False

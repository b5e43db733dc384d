"""Whether the thread that opens a source has been told to stop.

Why: a stream is closed by who has it, and one that is being opened nobody has yet. A server that does not answer would
hold its thread, and whoever waits for that, as long as its timeouts and retries last.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


class _Opening(threading.local):
    # Not a ContextVar: whatever a loop is asked to do later keeps the context that it was asked in, and so the run.
    told: Callable[[], bool] | None = None


_opening = _Opening()


def told_to_stop() -> bool:
    """Look whether this thread shall wait no longer."""
    return _opening.told is not None and _opening.told()


@contextlib.contextmanager
def stopping_when(told: Callable[[], bool]) -> Iterator[None]:
    """Have waits for servers inside end as if their streams were closed, once `told` says so."""
    before, _opening.told = _opening.told, told
    try:
        yield
    finally:
        _opening.told = before

"""Objects of a store, in order or by ranges, read on the loop of its fsspec filesystem.

Rules:
- Nothing is asked before the first read, so `close` can free that too.
- A stream asks for blocks ahead, one at first and then more at once, since a request to a store costs
  tens of milliseconds whatever it brings. It holds `_BLOCKS_AHEAD` blocks at most beside what was
  asked for, and between two blocks no connection: a store's pool has only ten.
- Where s3fs or the connection breaks, the rest of the block is asked for again, from the same version.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from streamframe.io.http_client import Calls
from streamframe.io.ranged import Put, RangedFile, at_once, gathered, parts
from streamframe.io.store_object import StoredObject
from streamframe.io.stream import ByteStream

T = TypeVar("T")
# Runs a call, and translates what it raises.
Guard = Callable[[Callable[[], T]], T]

_BLOCK_BYTES = 1 << 21
_BLOCKS_AHEAD = 4
_PARALLEL_RANGES = 4
_PART_BYTES = 1 << 22


class StoreStream(ByteStream):
    """An object from its first byte to its last."""

    def __init__(self, label: str, fs: Any, stored: StoredObject, guard: Guard[Any]) -> None:
        super().__init__(label)
        self._object = stored
        self._guard = guard
        self._calls = Calls(fs.loop, label)
        self._ahead: deque[asyncio.Task[bytes]] = deque()
        self._most_ahead = 1
        self._asked = 0  # where the next block begins
        self._left = memoryview(b"")  # what the last target had no room for

    @property
    def size(self) -> int | None:
        return self._object.size

    @property
    def retries(self) -> int:
        return self._object.retries

    @property
    def version(self) -> str:
        return self._object.version

    @property
    def can_skip(self) -> bool:
        return self._object.size is not None

    def _seek(self, offset: int) -> None:
        self._calls.run(self._leave_for(offset))

    async def _leave_for(self, offset: int) -> None:
        self._cancel()
        self._asked = offset

    def _fill(self, target: memoryview) -> int:
        return int(self._guard(lambda: self._calls.run(self._take(target))))

    async def _take(self, target: memoryview) -> int:
        """Copy from the block at hand, or from the next one; return 0 at the verified end."""
        if not self._left:
            self._ask_ahead(self._object.size if self._object.size is not None else await self._object.pin())
            if not self._ahead:
                await self._object.confirm()
                return 0
            self._left = memoryview(await self._ahead[0])
            self._ahead.popleft()
            self._most_ahead = min(2 * self._most_ahead, _BLOCKS_AHEAD)
            self._ask_ahead(self._object.size or 0)
        # Here and not in the reader's thread, which would fight the loop for the interpreter's lock.
        count = min(len(self._left), len(target))
        target[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def _ask_ahead(self, size: int) -> None:
        while len(self._ahead) < self._most_ahead and self._asked < size:
            nbytes = min(_BLOCK_BYTES, size - self._asked)
            task = asyncio.ensure_future(self._object.fetch(self._asked, nbytes))
            # One that fails behind another that failed is looked at by nobody else.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._ahead.append(task)
            self._asked += nbytes

    def _release(self, *, wait: bool = True) -> None:
        self._calls.close(self._cancel, wait=wait)

    def _cancel(self) -> None:
        while self._ahead:
            self._ahead.pop().cancel()
        self._left = memoryview(b"")

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # the interpreter may be half gone
            self._closed = True
            self._release(wait=False)


class StoreRangedFile(RangedFile):
    """Any range of an object, several at once."""

    def __init__(self, label: str, fs: Any, stored: StoredObject, guard: Guard[Any]) -> None:
        super().__init__(label)
        self._object = stored
        self._guard = guard
        self._calls = Calls(fs.loop, label)
        self._pinning = threading.Lock()
        self._bytes_read = 0

    @property
    def size(self) -> int:
        with self._pinning:
            known = self._object.size
            return int(known if known is not None else self._run(self._object.pin()))

    @property
    def bytes_read(self) -> int:
        return self._bytes_read

    @property
    def retries(self) -> int:
        return self._object.retries

    def _read(self, offset: int, nbytes: int) -> bytes:
        return gathered(self._read_all, offset, nbytes)

    def _read_all(self, ranges: Sequence[tuple[int, int]], put: Put) -> None:
        cut = [part for offset, nbytes in ranges for part in parts(offset, nbytes, _PART_BYTES)]
        self._run(self._fetch_all(cut, put))

    async def _fetch_all(self, ranges: Sequence[tuple[int, int]], put: Put) -> None:
        async def fetch(offset: int, nbytes: int) -> None:
            data = await self._object.fetch(offset, nbytes)
            self._bytes_read += nbytes
            put(offset, data)

        await at_once(ranges, fetch, most=_PARALLEL_RANGES)
        await self._object.confirm()

    def _run(self, coroutine: Any) -> Any:
        return self._guard(lambda: self._calls.run(coroutine))

    def _release(self) -> None:
        self._calls.close(lambda: None)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self._calls.close(lambda: None, wait=False)

"""Bytes from the middle of a file: what Parquet and its kind need.

Rules: a range is complete or there is a typed error; all ranges come from one version of the
file. `read_range` may be called by several threads at once, `close` by any of them.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from types import TracebackType
from typing import Self

from streamframe.errors import TruncatedError
from streamframe.io.stream import closed_error

_PIECE_BYTES = 8 << 20

# Takes a piece of a file and the offset where it belongs.
Put = Callable[[int, bytes], None]


class RangeIgnoredWarning(UserWarning):
    """The server does not serve ranges, so the whole file is downloaded to a temporary file."""


class RangedFile(ABC):
    """A file of known size from which any range can be read."""

    def __init__(self, label: str) -> None:
        self.label = label
        self._closed = False

    @property
    @abstractmethod
    def size(self) -> int:
        """The file's size in bytes. The first use may do I/O."""

    @property
    @abstractmethod
    def bytes_read(self) -> int:
        """Bytes taken so far."""

    @property
    def retries(self) -> int:
        """How often a connection was made again."""
        return 0

    @property
    def local_path(self) -> str | None:
        """The path, where this is a plain local file."""
        return None

    def read_range(self, offset: int, nbytes: int) -> bytes:
        """Return exactly `nbytes` bytes from `offset` on.

        Raises
        ------
        TruncatedError
            If the file ends before that.
        SourceChangedError
            If the file is no longer the one that was opened.
        SourceError
            If it cannot be read, or was closed.
        """
        self._check(offset, nbytes)
        if not nbytes:
            return b""
        data = self._read(offset, nbytes)
        if len(data) != nbytes:
            raise self._short(offset, nbytes, len(data))
        return data

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill `target` with the bytes from `offset` on; raises what `read_range` does."""
        self._check(offset, len(target))
        got = self._read_into(offset, target) if target else 0
        if got != len(target):
            raise self._short(offset, len(target), got)

    def read_ranges(self, ranges: Sequence[tuple[int, int]], put: Put) -> None:
        """Read several ranges, given as (offset, nbytes), at once where that is faster.

        Each is handed to ``put(offset, data)`` in pieces, in no order, from any thread, but never by
        two at once. Raises what `read_range` does.
        """
        for offset, nbytes in ranges:
            self._check(offset, nbytes)
        self._read_all([(offset, nbytes) for offset, nbytes in ranges if nbytes], put)

    @property
    def kept(self) -> bytes | None:
        """All bytes, where they are in memory: see `keep`."""
        return None

    def keep(self, data: bytes) -> None:  # noqa: B027 - most files are read where they are
        """Read from these bytes from now on, which are all there are; then nothing need stay open."""

    def close(self) -> None:
        """Let go of everything; safe twice and from any thread. Frees a stalled `read_range`."""
        self._closed = True
        self._release()

    @abstractmethod
    def _read(self, offset: int, nbytes: int) -> bytes:
        """Read a range that lies inside the file."""

    @abstractmethod
    def _release(self) -> None:
        """Do the work of `close`."""

    def _read_into(self, offset: int, target: memoryview) -> int:
        """Read a range that lies inside the file, and return how many bytes of it there were."""
        data = self._read(offset, len(target))
        target[: len(data)] = data
        return len(data)

    def _read_all(self, ranges: Sequence[tuple[int, int]], put: Put) -> None:
        # In pieces, so that a long range is not in memory twice.
        for offset, nbytes in ranges:
            for start in range(offset, offset + nbytes, _PIECE_BYTES):
                put(start, self.read_range(start, min(_PIECE_BYTES, offset + nbytes - start)))

    def _check(self, offset: int, nbytes: int) -> None:
        if self._closed:
            raise closed_error(self.label)
        if offset < 0 or nbytes < 0:
            raise ValueError(f"a range needs offset >= 0 and nbytes >= 0, got {offset} and {nbytes}")
        if nbytes and offset + nbytes > self.size:
            raise self._short(offset, nbytes, max(0, self.size - offset))

    def _short(self, offset: int, nbytes: int, got: int) -> TruncatedError:
        return TruncatedError(
            f"{self.label} ended early: asked for {nbytes:,} bytes at offset {offset:,}, got {got:,}",
            source=self.label,
            byte_offset=offset + got,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.label}>"


def gathered(read_all: Callable[[Sequence[tuple[int, int]], Put], None], offset: int, nbytes: int) -> bytes:
    """Return one range of those who hand theirs over in pieces."""
    pieces = bytearray(nbytes)

    def put(at: int, piece: bytes) -> None:
        pieces[at - offset : at - offset + len(piece)] = piece

    read_all([(offset, nbytes)], put)
    return bytes(pieces)


def parts(offset: int, nbytes: int, most_bytes: int) -> list[tuple[int, int]]:
    """Cut a long range into ranges of about the same length."""
    count = -(-nbytes // most_bytes)
    bounds = [offset + nbytes * index // count for index in range(count + 1)]
    return [(start, end - start) for start, end in pairwise(bounds)]


async def at_once(
    ranges: Sequence[tuple[int, int]], fetch: Callable[[int, int], Awaitable[None]], *, most: int
) -> None:
    """Fetch all ranges, `most` at a time; the first that fails ends the others, and its error is raised."""
    room = asyncio.Semaphore(most)

    async def in_turn(offset: int, nbytes: int) -> None:
        async with room:
            await fetch(offset, nbytes)

    try:
        async with asyncio.TaskGroup() as group:
            for offset, nbytes in ranges:
                group.create_task(in_turn(offset, nbytes))
    except BaseExceptionGroup as failed:
        first = failed.exceptions[0]
        raise first from first.__cause__

"""Parts of a file in memory, at their true offsets: what Arrow is given in place of a file.

Why: Arrow wants a file. A Python file object beneath it would be called from Arrow's threads and
wait for the network there, deaf to Ctrl-C. An anonymous memory map as long as the file costs only
the pages that are written, and Arrow reads it without a copy and without calling back.
"""

from __future__ import annotations

import mmap
import sys
from collections.abc import Iterable

import pyarrow as pa

# One request for two ranges that lie this near is cheaper than two requests.
_GAP_BYTES = 64 << 10
# Pages are not reserved ahead, so that a file larger than memory can have an image.
_NORESERVE = 0x4000 if sys.platform == "linux" else 0


class FileImage:
    """Some ranges of a file, at their offsets."""

    def __init__(self, size: int) -> None:
        if hasattr(mmap, "MAP_PRIVATE"):
            self._map = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE)
        else:
            self._map = mmap.mmap(-1, size)

    def put(self, offset: int, data: bytes | memoryview) -> None:
        """Write bytes at their offset."""
        self._map[offset : offset + len(data)] = data

    def view(self, offset: int, nbytes: int) -> memoryview:
        """Return a piece of the image to read into."""
        return memoryview(self._map)[offset : offset + nbytes]

    def buffer(self, offset: int, nbytes: int) -> pa.Buffer:
        """Return a piece of the image as a buffer, without a copy."""
        return pa.py_buffer(self._map).slice(offset, nbytes)

    def reader(self) -> pa.BufferReader:
        """Return the image as a file that Arrow reads without calling Python."""
        return pa.BufferReader(pa.py_buffer(self._map))


def coalesced(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join spans that touch or nearly do."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start - joined[-1][1] <= _GAP_BYTES:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined

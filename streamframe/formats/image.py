"""A remote file in memory, holding only the bytes that are needed, at their true offsets.

Why: Arrow wants a file. A Python file object beneath it would be called from Arrow's threads and
wait for the network there, deaf to Ctrl-C. An anonymous memory map as long as the file costs only
the pages that are written, and Arrow reads it without a copy and without calling back.
"""

from __future__ import annotations

import mmap
import sys

import pyarrow as pa

# Pages are not reserved ahead, so that a file larger than memory can have an image.
_NORESERVE = 0x4000 if sys.platform == "linux" else 0


class FileImage:
    """Some ranges of a file, at their offsets."""

    def __init__(self, size: int) -> None:
        if hasattr(mmap, "MAP_PRIVATE"):
            self._map = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE)
        else:
            self._map = mmap.mmap(-1, size)

    def put(self, offset: int, data: bytes) -> None:
        """Write bytes at their offset."""
        self._map[offset : offset + len(data)] = data

    def reader(self) -> pa.BufferReader:
        """Return the image as a file that Arrow reads without calling Python."""
        return pa.BufferReader(pa.py_buffer(self._map))

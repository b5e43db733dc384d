"""Sends what was written on its way to the disk while more is written, so that there is little to wait for at the end.

Rule: a request to the system, which promises nothing: `fsync` still has the last word, and tells of errors. Without it
Linux keeps gigabytes in memory until then.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

# Large enough for a disk to be at its best, small beside what an export writes.
_STEP_BYTES = 8 << 20
# linux/fs.h: start writing what is not being written yet, and do not wait.
_SYNC_FILE_RANGE_WRITE = 2


class WriteBehind:
    """How much of one file was sent on its way."""

    def __init__(self) -> None:
        self._sent = 0

    def wrote(self, fd: int, total_bytes: int) -> None:
        """Take notice that a file now has so many bytes."""
        count = total_bytes - self._sent
        if count >= _STEP_BYTES:
            function = _sync_file_range()
            if function is not None:
                # Where the file system has no such thing, the end takes longer: no reason to fail.
                function(fd, self._sent, count, _SYNC_FILE_RANGE_WRITE)
            self._sent = total_bytes


@cache
def _sync_file_range() -> Any:
    """Return the system's function; None where there is none."""
    if sys.platform != "linux":
        return None
    function = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if function is not None:
        function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return function

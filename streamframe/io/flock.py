"""Locks that end with the process that holds them, however it ends."""

from __future__ import annotations

import contextlib
import os


def try_lock(fd: int) -> bool | None:
    """Lock an open file or directory until it is closed; do not wait.

    Returns
    -------
    bool or None
        False if somebody else has it; None where the system or the file system has no such locks.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def unlock(fd: int) -> None:
    """Close what was locked; nothing was written by way of it, so an error on closing tells nothing."""
    with contextlib.suppress(OSError):
        os.close(fd)

"""Locks that end with the process that holds them, however it ends."""

from __future__ import annotations


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

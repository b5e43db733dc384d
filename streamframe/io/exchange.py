"""Let two directories change places in one step, where the system can.

Why ctypes: Linux has had ``renameat2(RENAME_EXCHANGE)`` since 3.15, and Python does not offer it. Two
renames would leave a moment, or a killed process for ever, in which the path leads nowhere.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from typing import Any

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def _found() -> Callable[..., Any] | None:
    try:
        return getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    except (OSError, TypeError):  # a system whose C library cannot be looked at
        return None


_renameat2 = _found()


def exchange(one: str, other: str) -> bool:
    """Let two paths change places; return False where system or file system cannot.

    Raises
    ------
    OSError
        If they could, but not these two.
    """
    if _renameat2 is None:
        return False
    if _renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), one)

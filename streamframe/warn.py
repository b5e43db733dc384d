"""Warnings that show the user's line, not one of ours.

Rule: the first frame above that is neither ours nor of a pool's is whose line it is. Where a thread of ours has no such
frame, the line that warns is shown.
"""

from __future__ import annotations

import sys
import threading
import warnings
from concurrent import futures
from pathlib import Path

_NOT_THE_USERS = (
    str(Path(__file__).parent),
    str(Path(futures.__file__).parent),
    threading.__file__,
)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn as `warnings.warn` does, about the line that called into the package."""
    level = 1
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_NOT_THE_USERS):
        frame = frame.f_back
        level += 1
    users = not frame.f_code.co_filename.startswith(_NOT_THE_USERS)
    warnings.warn(message, category, stacklevel=level + 1 if users else 2)

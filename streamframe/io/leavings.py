"""What killed runs left beside their targets, which the next run finishes, takes over or removes.

Rule: whoever writes holds a lock, which ends with the process; so what is not locked was left behind.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from streamframe.io.atomic_directory import MANIFEST, is_of_run
from streamframe.io.flock import try_lock, unlock

_KEPT_LETTERS = 40


def start_of(name: str) -> str:
    """Return how the siblings of a file or directory begin: short enough for any file system, in whatever script."""
    if len(name) <= _KEPT_LETTERS:
        return f".{name}."
    # Not another directory's, whose name starts alike: what is left of it would be mended into this one.
    return f".{name[:_KEPT_LETTERS]}.{sha256(os.fsencode(name)).hexdigest()[:8]}."


class Left(NamedTuple):
    """The sibling of a run that was stopped, with what it has saved; locked."""

    run: str
    manifest: bytes
    lock: int


def mend(path: str, start: str, *, take_over: bool = False) -> Left | None:
    """Finish or remove what killed runs left beside a directory.

    Parameters
    ----------
    path
        The directory.
    start
        How the names of its siblings start.
    take_over
        Return what one of them has saved, instead of removing it.
    """
    taken_over = None
    ours = re.compile(re.escape(start) + r"([0-9a-f]{16})\.(tmp|old)")
    found = [match for name in sorted(os.listdir(os.path.dirname(path))) if (match := ours.fullmatch(name))]
    # The old ones first: each tells that the new one beside it is whole.
    for match in sorted(found, key=lambda match: match[2]):
        sibling = os.path.join(os.path.dirname(path), match[0])
        lock = _lock_if_left_behind(sibling, getattr(os, "O_DIRECTORY", 0))
        if lock is None:
            continue
        if match[2] == "old" and not os.path.lexists(path):
            whole = sibling.removesuffix("old") + "tmp"
            os.rename(whole if os.path.isdir(whole) else sibling, path)
        elif take_over and taken_over is None and (manifest := _saved(sibling, match[1])) is not None:
            taken_over = Left(match[1], manifest, lock)
            continue
        shutil.rmtree(sibling, ignore_errors=True)
        unlock(lock)
    return taken_over


def _saved(sibling: str, run: str) -> bytes | None:
    try:
        manifest = Path(sibling, MANIFEST).read_bytes()
    except OSError:
        return None
    return manifest if is_of_run(manifest, run) else None


def clear_files(directory: str, start: str) -> None:
    """Remove temporary files of single targets that killed runs left; those that start so."""
    ours = re.compile(re.escape(start) + r"[0-9a-f]{16}\.tmp")
    try:
        names = os.listdir(directory)
    except PermissionError:  # one may write there all the same
        return
    for name in names:
        if not ours.fullmatch(name):
            continue
        path = os.path.join(directory, name)
        lock = _lock_if_left_behind(path)
        if lock is not None:
            if stat.S_ISREG(os.fstat(lock).st_mode):
                with contextlib.suppress(OSError):
                    os.unlink(path)
            unlock(lock)


def _lock_if_left_behind(path: str, flags: int = 0) -> int | None:
    """Return the lock of a file or directory that no living process holds."""
    try:
        fd = os.open(path, os.O_RDONLY | flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))
    except OSError:  # gone meanwhile, or of another kind: files and directories have such names
        return None
    if try_lock(fd) is True:
        return fd
    unlock(fd)
    return None

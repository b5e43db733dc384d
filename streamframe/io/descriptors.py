"""Files that are open already, by their names: ``/dev/stdout``, ``/dev/stderr``, ``/dev/fd/3``.

Rule: what is behind such a name is never replaced. The name leads to a pipe, or to a file in which the shell, or
another program, has a position of its own (``>> log.csv``): bytes go there, as they do from any program.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
from typing import IO

from streamframe.errors import SinkError
from streamframe.io.atomic_file import sink_error

_STREAMS = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_NUMBERED = re.compile(r"/(?:dev|proc/(?:self|thread-self|([0-9]+)))/fd/([0-9]{1,9})")


def descriptor_of(path: str) -> int | None:
    """Return the descriptor of this process that an absolute path names; None for any other path. No I/O."""
    if os.name != "posix":
        return None
    if path in _STREAMS:
        return _STREAMS[path]
    found = _NUMBERED.fullmatch(path)
    if found is None or (found[1] is not None and int(found[1]) != os.getpid()):
        return None
    return int(found[2])


def is_direct(path: str) -> bool:
    """Tell whether a path is written as the bytes come: a descriptor's name, a pipe or a device."""
    if descriptor_of(path) is not None:
        return True
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def open_descriptor(label: str, descriptor: int) -> IO[bytes]:
    """Return a file of its own for an open descriptor, behind what Python has not written to it yet.

    Raises
    ------
    SinkError
        If it is not open, or not for writing.
    """
    import fcntl

    for stream in (sys.stdout, sys.stderr):
        # In a notebook, and under some servers, they are no files.
        with contextlib.suppress(AttributeError, OSError, ValueError):
            if stream.fileno() == descriptor:
                stream.flush()
    try:
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise _not_open(label, "is not open for writing")
        # Opened by its name, a file would be written from its start, over what is there.
        return os.fdopen(os.dup(descriptor), "wb", buffering=0)
    except OSError as error:
        if isinstance(error, SinkError):
            raise
        raise _not_open(label, "is not open") from error


def _not_open(label: str, what: str) -> SinkError:
    return sink_error(label, errno.EBADF, what, "name a file, or redirect it: `python export.py > out.csv`.")

"""Targets that are old or new, never half.

Rules: locally that is a temporary file beside the target, synced and renamed; on a store it is an
upload that is completed at the end. A pipe, a device, a descriptor by its name (``/dev/stdout``) or an open file of the
user's cannot be taken back and is written directly.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from typing import Any

from streamframe.errors import PlanError, SinkError, SourceError
from streamframe.io.atomic_file import AtomicFile, sink_error, translating
from streamframe.io.atomic_targets import DirectFile, LocalFile, StoreFile
from streamframe.io.descriptors import descriptor_of, open_descriptor
from streamframe.io.http import HttpLocation
from streamframe.io.local import LocalLocation
from streamframe.io.locations import paths
from streamframe.io.remote import RemoteLocation, filesystem_and_path

__all__ = ["AtomicFile", "open_atomic"]


def open_atomic(target: Any, *, storage_options: Mapping[str, Any] | None = None) -> AtomicFile:
    """Open a target so that it changes at `commit` only.

    Parameters
    ----------
    target
        A str, a PathLike, a UPath, or an open binary file (written directly, never closed).
    storage_options
        What fsspec takes for the scheme.

    Raises
    ------
    PlanError
        If the target is not something that can be written to at all, such as a web page.
    SinkError
        If it cannot be opened: the directory is missing or not writable.
    """
    if hasattr(target, "write") and not isinstance(target, (str, os.PathLike)):
        return DirectFile(target, label=str(getattr(target, "name", "an open file")), owned=False)
    if isinstance(target, (list, tuple)) or hasattr(target, "read"):
        raise PlanError(f"an export needs one path, got {type(target).__name__}")
    location = paths(target, storage_options).given[0]
    label = location.label
    if isinstance(location, HttpLocation):
        raise PlanError(f"{label} cannot be written: http(s) is for reading", hint="write to a file or a store.")
    if isinstance(location, LocalLocation):
        return _open_local(label, location.path)
    assert isinstance(location, RemoteLocation)
    try:
        fs, path = filesystem_and_path(location)
    except SourceError as error:
        raise SinkError(f"{label} cannot be opened: {error.message}", source=label) from error
    return StoreFile(label, location.uri, fs, path)


def _open_local(label: str, path: str) -> AtomicFile:
    descriptor = descriptor_of(path)
    if descriptor is not None:
        return DirectFile(open_descriptor(label, descriptor), label=label, owned=True)
    try:
        path = os.path.realpath(path)  # a symlink stays, and what it points at is replaced
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return LocalFile(label, path)
    except (OSError, ValueError) as error:  # a name that is too long, or holds a NUL
        raise sink_error(label, getattr(error, "errno", None), f"cannot be created: {error}", None) from error
    if stat.S_ISDIR(mode):
        raise sink_error(label, errno.EISDIR, "is a directory", "name a file in it.")
    if not stat.S_ISREG(mode):
        with translating(label, "opened", ()):
            return DirectFile(open(path, "wb", buffering=0), label=label, owned=True)
    return LocalFile(label, path)

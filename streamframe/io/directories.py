"""Which kind of directory an export is given."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from streamframe.errors import PlanError
from streamframe.io.atomic_directory import AtomicDirectory, Continues, Mode
from streamframe.io.descriptors import is_direct
from streamframe.io.directory_local import LocalDirectory
from streamframe.io.directory_store import StoreDirectory
from streamframe.io.http import HttpLocation
from streamframe.io.local import LocalLocation
from streamframe.io.locations import paths
from streamframe.io.remote import RemoteLocation, filesystem_and_path


def open_directory(
    target: Any,
    *,
    mode: Mode,
    suffix: str,
    continues: Continues | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> AtomicDirectory:
    """Open a directory so that it changes at `commit` only.

    Parameters
    ----------
    target
        A str, a PathLike or a UPath.
    mode
        What to do with files that are there: refuse, replace all of them in one step, or keep them.
    suffix
        Of the files that will be written: what is replaced must be of their kind.
    continues
        Take over what an earlier run has saved. It tells of the manifest of a directory that holds files whether this
        run goes on behind them: then `mode="error"` allows it.
    storage_options
        What fsspec takes for the scheme.

    Raises
    ------
    PlanError
        If no directory can be there.
    SinkError
        If it cannot be made, or holds what `mode` does not allow for.
    """
    if isinstance(target, (list, tuple)) or hasattr(target, "read") or hasattr(target, "write"):
        raise PlanError(f"a directory needs one path, got {type(target).__name__}")
    location = paths(target, storage_options).given[0]
    label = location.label
    if isinstance(location, HttpLocation):
        raise PlanError(f"{label} cannot be written: http(s) is for reading", hint="write to a directory or a store.")
    if isinstance(location, LocalLocation):
        if is_direct(location.path):
            raise PlanError(
                f"{label} is written as the bytes come, so it is not appended to, continued or split into files",
                hint="leave out mode=, resume=, partition_by= and the like, or name a directory.",
            )
        return LocalDirectory(label, location.path, mode, suffix, continues)
    assert isinstance(location, RemoteLocation)
    fs, path = filesystem_and_path(location)
    if "file" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol):
        return LocalDirectory(label, path, mode, suffix, continues)
    return StoreDirectory(label, location.uri, fs, path, mode, suffix, continues)


def is_directory(target: Any, storage_options: Mapping[str, Any] | None = None) -> bool:
    """Tell whether a path means a directory: it ends in ``/``, or is one on this machine."""
    if isinstance(target, str) and target.endswith(("/", os.sep)):
        return True
    if not isinstance(target, (str, os.PathLike)):
        return False
    location = paths(target, storage_options).given[0]
    return isinstance(location, LocalLocation) and os.path.isdir(location.path)

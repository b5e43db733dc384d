"""Write a set of files so that a directory is what it was before, or completely new.

What makes it new is, on this machine, one rename of a whole directory; a store has no such step, see
`StoreDirectory` for what is weaker there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal

from streamframe.errors import SinkError
from streamframe.io.atomic_file import AtomicFile

Mode = Literal["error", "overwrite", "append"]
# Tells of the manifest of a directory whether this run goes on behind its files.
Continues = Callable[[bytes], bool]

# A leading underscore: pyarrow, DuckDB, Spark and our readers take such a file for no data.
MANIFEST = "_streamframe.json"
# What a file collects before it is written.
BUFFER_BYTES = 1 << 15


class PartFile(AtomicFile):
    """A file of a directory under way. Its `commit` completes it; nobody sees it before the directory's `commit`."""

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self._sha256 = hashlib.sha256()
        self._buffer = bytearray()

    @property
    def sha256(self) -> str:
        """The digest of what was written, in hex."""
        return self._sha256.hexdigest()

    def write(self, data: Any) -> int:
        # A Parquet file of Arrow's comes in pieces of a few bytes, which take longer to write than to make.
        with memoryview(data).cast("B") as view:
            if len(view) < BUFFER_BYTES:
                self._buffer += view
                if len(self._buffer) >= BUFFER_BYTES:
                    self._drain()
            else:
                self._drain()
                self._put(view)
            return len(view)

    def tell(self) -> int:
        return super().tell() + len(self._buffer)

    def commit(self) -> int:
        self._drain()
        return super().commit()

    def _drain(self) -> None:
        data, self._buffer = self._buffer, bytearray()
        if data:
            self._put(data)

    def _put(self, data: bytearray | memoryview) -> None:
        self._sha256.update(data)
        super().write(data)


class AtomicDirectory(ABC):
    """A directory under way.

    Attributes
    ----------
    label : str
        Its path or URI without secrets.
    file_bytes : int
        What each open file holds in memory.
    taken : frozenset of str
        Paths below the directory that files must not be given.
    manifest : bytes or None
        The manifest of the files that stay; None if none stay.
    run : str
        Names the run that writes: the key ``"run"`` of its manifests.
    saved : bytes or None
        The manifest that an earlier run has saved before it was stopped, and which this one takes over, with its name.
    """

    file_bytes: int = BUFFER_BYTES
    taken: frozenset[str] = frozenset()
    manifest: bytes | None = None
    saved: bytes | None = None

    def __init__(self, label: str) -> None:
        self.label = label
        self.run = secrets.token_hex(8)

    @abstractmethod
    def create(self, name: str) -> PartFile:
        """Open a file at this path below the directory; pieces are separated by ``/``.

        Raises
        ------
        SinkError
            If it cannot be opened.
        """

    @abstractmethod
    def keep(self, files: Mapping[str, int]) -> bool:
        """Remove what an earlier run has left, but for these files; tell whether each is there with so many bytes."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Return a file that an earlier run has completed, or that was there before.

        Raises
        ------
        SinkError
            If it cannot be read.
        """

    @abstractmethod
    def leave_out(self, names: Collection[str]) -> None:
        """Let these files, which are there, be no part of the new content."""

    @abstractmethod
    def save(self, manifest: bytes) -> None:
        """Let the completed files outlast this run, for another that goes on behind them.

        Raises
        ------
        SinkError
            If that fails; what was saved before still is.
        """

    @abstractmethod
    def commit(self, manifest: bytes) -> None:
        """Make the completed files, and this manifest, the directory's content.

        Raises
        ------
        SinkError
            If that fails; the directory is as it was.
        """

    @abstractmethod
    def abort(self) -> None:
        """Throw away what was written and not saved; safe twice, and after `commit`."""


def is_of_run(manifest: bytes, run: str) -> bool:
    """Tell whether a manifest was written by this run."""
    with contextlib.suppress(ValueError, AttributeError):
        return bool(json.loads(manifest).get("run") == run)
    return False


def _named_by(manifest: bytes | None) -> frozenset[str]:
    """Return the files that a manifest names; none if it is damaged."""
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
        return frozenset(file["path"] for file in json.loads(manifest or b"{}").get("files", ()))
    return frozenset()


def check_mode(label: str, mode: Mode, manifest: bytes | None, continues: Continues | None) -> None:
    """Raise `SinkError` if a directory may not get more files, or it is not known which of its own are whole."""
    if mode == "error" and not (manifest is not None and continues is not None and continues(manifest)):
        raise _not_empty(label)
    if manifest is None:
        raise SinkError(
            f"{label} holds files but no {MANIFEST}, so it is not known which of them are whole",
            source=label,
            hint='append to directories that streamframe has written, or pass mode="overwrite".',
        )


def _not_empty(label: str) -> SinkError:
    return SinkError(
        f"{label} holds files already",
        source=label,
        hint='pass mode="overwrite" to replace all of them, or mode="append" to add to them.',
    )


def check_replaceable(label: str, names: frozenset[str], suffix: str, manifest: bytes | None) -> None:
    """Raise `SinkError` if there is a file that no export has written, as far as one can tell: it would be lost."""
    for name in sorted(names - _named_by(manifest)):
        hidden = any(piece.startswith(("_", ".")) for piece in name.split("/"))
        if not hidden and not name.endswith(suffix):
            raise SinkError(
                f"{label} holds {name!r}, which is no {suffix} file, and overwriting would remove it",
                source=label,
                hint="name another directory, or clear this one first.",
            )

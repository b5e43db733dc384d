"""The kinds of target: a local file, a file of a store, and what can only be written directly."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import select
import stat
from collections.abc import Iterator
from typing import IO, Any

from streamframe.errors import PlanError, SinkError, StreamError, did_you_mean
from streamframe.io.atomic_file import AtomicFile, sink_error
from streamframe.io.flock import try_lock
from streamframe.io.leavings import clear_files, start_of
from streamframe.io.redact import redact_text, secrets_of
from streamframe.io.write_behind import WriteBehind

_BUFFER_BYTES = 1 << 18
# Held until it is sent. s3fs would hold 50 MiB; S3 takes 10,000 parts, which makes 160 GiB of these.
_UPLOAD_BYTES = 1 << 24


class LocalFile(AtomicFile):
    """A temporary file beside the target, which takes its place at the end.

    It is locked as long as somebody writes to it; those that are not were left by runs that were killed, and removed.
    """

    def __init__(self, label: str, path: str) -> None:
        super().__init__(label)
        self._path = path
        self._behind = WriteBehind()
        directory, name = os.path.split(path)
        start = start_of(name)
        with creating(label, directory):
            clear_files(directory, start)
            while True:
                # Unpredictable, so that nobody can wait there with a link.
                self._temporary = os.path.join(directory, f"{start}{secrets.token_hex(8)}.tmp")
                self._file: IO[bytes] = open(  # noqa: SIM115 - `commit` and `abort` close it
                    self._temporary, "xb", buffering=_BUFFER_BYTES, opener=_open_private
                )
                # Another run may have found it before it was locked, and removed it.
                if try_lock(self._file.fileno()) is not False and os.path.exists(self._temporary):
                    break
                self._file.close()

    def _write(self, data: memoryview) -> None:
        self._file.write(data)
        # The little that the buffer still holds is left to `fsync`.
        self._behind.wrote(self._file.fileno(), self._written)

    def _commit(self) -> None:
        self._file.flush()
        if hasattr(os, "fchmod"):
            os.fchmod(self._file.fileno(), mode_of(self._path))
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._temporary, self._path)
        # The new content is in place; a file system that cannot sync a directory is no reason to fail.
        with contextlib.suppress(OSError):
            sync(os.path.dirname(self._path))

    def _abort(self) -> None:
        # Gone first: to close it would write the rest of the buffer, which may fail again.
        if hasattr(self, "_temporary"):
            with contextlib.suppress(OSError):
                os.unlink(self._temporary)
        # Ctrl-C may have come right behind the making of it.
        if hasattr(self, "_file"):
            with contextlib.suppress(OSError):
                self._file.close()


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class StoreFile(AtomicFile):
    """A file of an fsspec filesystem: nobody sees it before the upload is completed."""

    def __init__(self, label: str, uri: str, fs: Any, path: str, upload_bytes: int = _UPLOAD_BYTES) -> None:
        super().__init__(label)
        self._uri = uri
        self._fs = fs
        self._path = path
        from fsspec.spec import AbstractBufferedFile

        with self._guard("opened"):
            if "memory" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol):
                # Its files are visible from the first byte on, so this one is kept aside.
                if fs.isdir(path):
                    raise sink_error(label, errno.EISDIR, "is a directory", "name a file in it.")
                self._file: Any = io.BytesIO()
                self._finish: Any = lambda: fs.pipe_file(path, self._file.getvalue())
                return
            try:
                self._file = fs.open(path, "wb", block_size=upload_bytes, autocommit=False)
            except ValueError as error:  # a bucket without a key in it
                what = f"cannot be opened: {redact_text(str(error), self._secrets())}"
                raise sink_error(
                    label, None, what, "name an object below it, or end it in / for a directory."
                ) from error
            # fsspec keeps the file for a transaction of its own, which we do not use.
            with contextlib.suppress(ValueError, AttributeError):
                fs.transaction.files.remove(self._file)
            if getattr(type(self._file), "commit", AbstractBufferedFile.commit) is AbstractBufferedFile.commit:
                self._file.close()
                raise SinkError(
                    f"{label} cannot be written: this kind of store has no way to complete a file in one step",
                    source=label,
                    hint="write a local file, and copy it there.",
                )
            self._finish = self._complete_upload

    def send(self) -> None:
        """Send the rest, so that nothing of it is held any more; what is left is `commit`."""
        if not isinstance(self._file, io.BytesIO):
            with self._guard("written"):
                self._file.close()

    def _complete_upload(self) -> None:
        self.send()
        self._file.commit()

    def _write(self, data: memoryview) -> None:
        self._file.write(data)

    def _commit(self) -> None:
        self._finish()

    def _abort(self) -> None:
        with contextlib.suppress(Exception):
            self._file.discard()
        # fsspec completes what nobody closed when it is collected, and fails at what was discarded.
        with contextlib.suppress(AttributeError):
            self._file.closed = True

    def _secrets(self) -> tuple[str, ...]:
        return secrets_of(self._uri)


class DirectFile(AtomicFile):
    """A pipe, a device or the user's own file: every byte is there at once."""

    def __init__(self, file: Any, *, label: str, owned: bool) -> None:
        super().__init__(label)
        if isinstance(file, io.TextIOBase) or getattr(file, "encoding", None) is not None:
            raise PlanError("the file is open in text mode", hint='open it with mode "wb".')
        if getattr(file, "closed", False):
            raise PlanError("the file is closed", hint="pass its path, or keep it open.")
        if hasattr(file, "writable") and not file.writable():
            raise PlanError("the file is not open for writing", hint='open it with mode "wb".')
        self._file = file
        self._owned = owned

    def _write(self, data: memoryview) -> None:
        # An unbuffered file may take less than it is given.
        while data:
            count = self._file.write(data)
            if count is None and isinstance(self._file, io.FileIO):
                # The other end has made it non-blocking, and is full.
                select.select([], [self._file], [])
                continue
            data = data[len(data) if count is None else count :]

    def _commit(self) -> None:
        if hasattr(self._file, "flush"):
            self._file.flush()
        self._abort()

    def _abort(self) -> None:
        if self._owned:
            self._file.close()


@contextlib.contextmanager
def creating(label: str, directory: str) -> Iterator[None]:
    """Turn what the making of a file in `directory` raises into a `SinkError` with the remedy."""
    try:
        yield
    except StreamError:
        raise
    except FileNotFoundError as error:
        raise sink_error(
            label,
            error.errno,
            f"cannot be created: the directory {directory} does not exist",
            _near_directory(directory) or "create it first.",
        ) from error
    except NotADirectoryError as error:
        raise sink_error(label, error.errno, f"cannot be created: {directory} is not a directory", None) from error
    except PermissionError as error:
        raise sink_error(
            label,
            error.errno,
            f"cannot be created: the directory {directory} is not writable",
            "choose another place, or change its permissions.",
        ) from error
    except (OSError, ValueError) as error:
        raise sink_error(label, getattr(error, "errno", None), f"cannot be created: {error}", None) from error


def mode_of(path: str, new: int = 0o666) -> int:
    """Return the mode of what is replaced, or that a new file (or directory, `0o777`) would get."""
    with contextlib.suppress(OSError):
        return stat.S_IMODE(os.stat(path).st_mode)
    # Only by setting it can it be read; a file that another thread makes meanwhile is more private.
    umask = os.umask(0o077)
    os.umask(umask)
    return new & ~umask


def sync(path: str) -> None:
    """Make the bytes of a file, or the names in a directory, last."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _near_directory(directory: str) -> str | None:
    parent, name = os.path.split(directory)
    with contextlib.suppress(OSError):
        return did_you_mean(name, os.listdir(parent))
    return None

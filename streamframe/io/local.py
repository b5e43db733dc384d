"""Files of this machine, read with plain system calls.

Rule: nothing is mapped. A memory map of a file that shrinks kills the process, and reading
into buffers of our own is as fast.
"""

from __future__ import annotations

import errno
import glob
import os
import stat
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from streamframe.errors import SourceError, TruncatedError, did_you_mean
from streamframe.io.atomic_directory import MANIFEST
from streamframe.io.location import Location, below, has_glob, hidden_folder, shown_files
from streamframe.io.ranged import RangedFile
from streamframe.io.stream import ByteStream, closed_error
from streamframe.io.without_rows import without_rows


@dataclass(frozen=True, repr=False)
class LocalLocation(Location):
    """A file, a directory or a glob of this machine."""

    path: str  # absolute, so that a later chdir changes nothing

    @property
    def name(self) -> str:
        return os.path.basename(self.path)

    @property
    def folders(self) -> tuple[str, ...]:
        return tuple(self.path.replace(os.sep, "/").split("/")[:-1])

    def expand(self, suffixes: Collection[str] = ()) -> Sequence[Location]:
        if os.path.isdir(self.path):
            return self._in_directory(suffixes)
        # A file whose own name holds such a character is that file.
        if not has_glob(self.path) or os.path.lexists(self.path):
            return (self,)
        found = sorted(path for path in glob.glob(self.path, recursive=True) if not os.path.isdir(path))
        if not found:
            raise _with_errno(
                SourceError(
                    f"no file matches {self.label}", source=self.label, hint=_nearest(os.path.dirname(self.path), "")
                ),
                errno.ENOENT,
            )
        return tuple(self._found(path) for path in found)

    @property
    def manifest(self) -> LocalLocation:
        return self._found(os.path.join(self.path, MANIFEST))

    def _in_directory(self, suffixes: Collection[str]) -> Sequence[Location]:
        found = shown_files([self._found(path) for path in sorted(self._walk())], suffixes)
        if not found and without_rows(self.manifest) is None:
            raise _with_errno(
                SourceError(
                    f"the directory {self.label} holds no file",
                    source=self.label,
                    hint="check the path; names with a leading dot or underscore are passed over.",
                ),
                errno.ENOENT,
            )
        return found

    def _walk(self) -> Iterator[str]:
        def refuse(error: OSError) -> None:
            # By default a folder that may not be read is passed over, and its rows would be missing.
            raise _translated(error, LocalLocation(label=str(error.filename), path=str(error.filename))) from error

        for folder, folders, names in os.walk(self.path, onerror=refuse):
            folders[:] = [name for name in folders if not hidden_folder(name)]
            yield from (os.path.join(folder, name) for name in names)

    def _found(self, path: str) -> LocalLocation:
        path_below = below(path.replace(os.sep, "/"), self.path.replace(os.sep, "/"))
        return LocalLocation(label=path, path=path, below=path_below)

    @property
    def identity_is_cheap(self) -> bool:
        return True

    def identity(self) -> str:
        try:
            found = os.stat(self.path)
        except OSError as error:
            raise _translated(error, self) from error
        return f"{found.st_size:,} bytes, changed at {found.st_mtime_ns}"

    def open_ranged(self) -> RangedFile:
        return LocalRangedFile(self)

    def _open_raw(self) -> ByteStream:
        return LocalStream(self)


class LocalStream(ByteStream):
    """A local file from its start.

    A read of a file that has no bytes yet (a named pipe) cannot be interrupted: `close` then
    returns at once, and the descriptor is closed when the read comes back.
    """

    def __init__(self, location: LocalLocation) -> None:
        super().__init__(location.label)
        self._location = location
        fd = _open(location)
        self._size = _size(fd)
        self._file = os.fdopen(fd, "rb", buffering=0)
        self._busy = threading.Lock()

    @property
    def size(self) -> int | None:
        return self._size

    @property
    def seekable(self) -> bool:
        return self._size is not None

    def _fill(self, target: memoryview) -> int:
        with self._busy:
            if self._file.closed:
                raise closed_error(self.label)
            try:
                count = self._file.readinto(target) or 0
            except OSError as error:
                raise _translated(error, self._location) from error
        if self._closed:
            self._release()
        elif not count and self._size is not None and self.offset < self._size:
            raise TruncatedError(
                f"{self.label} became shorter while it was read: {self._size:,} bytes when opened, {self.offset:,} now",
                source=self.label,
                byte_offset=self.offset,
            )
        return count

    def _seek(self, offset: int) -> None:
        with self._busy:
            if self._file.closed:
                raise closed_error(self.label)
            self._file.seek(offset)

    def _release(self) -> None:
        # Closing a descriptor under a read could hand that read another file's bytes, since
        # numbers are reused. Whoever holds the lock sees `_closed` and comes here itself.
        if self._busy.acquire(blocking=False):
            try:
                self._file.close()
            finally:
                self._busy.release()

    def __del__(self) -> None:
        if hasattr(self, "_busy"):
            self._release()


class LocalRangedFile(RangedFile):
    """A local file, read with `pread`."""

    def __init__(self, location: LocalLocation) -> None:
        super().__init__(location.label)
        self._location = location
        self._fd = _open(location)
        self._kept: bytes | None = None
        self._readers = 0
        self._bytes_read = 0
        self._lock = threading.Lock()
        self._size = _size(self._fd)
        if self._size is None:
            self.close()
            raise SourceError(
                f"{self.label} is not a plain file, so its middle cannot be read",
                source=self.label,
                hint="copy it to a file first.",
            )

    @property
    def size(self) -> int:
        assert self._size is not None
        return self._size

    @property
    def bytes_read(self) -> int:
        return self._bytes_read

    @property
    def local_path(self) -> str | None:
        return self._location.path

    @property
    def kept(self) -> bytes | None:
        return self._kept

    def keep(self, data: bytes) -> None:
        self._kept = data
        self._release()

    def _read(self, offset: int, nbytes: int) -> bytes:
        if self._kept is not None:
            return self._kept[offset : offset + nbytes]
        pieces: list[bytes] = []

        def read(done: int) -> int:
            pieces.append(os.pread(self._fd, nbytes - done, offset + done))
            return len(pieces[-1])

        self._read_by(read, nbytes)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read_into(self, offset: int, target: memoryview) -> int:
        if self._kept is not None or not hasattr(os, "preadv"):
            return super()._read_into(offset, target)
        return self._read_by(lambda done: os.preadv(self._fd, [target[done:]], offset + done), len(target))

    def _read_by(self, read: Callable[[int], int], nbytes: int) -> int:
        """Call `read` with how many bytes there are already until it has no more; return how many there are."""
        with self._lock:
            if self._fd < 0 or self._closed:
                raise closed_error(self.label)
            self._readers += 1
        done = 0
        try:
            # One call reads at most 2 GiB.
            while done < nbytes and (some := read(done)):
                done += some
        except OSError as error:
            raise _translated(error, self._location) from error
        finally:
            with self._lock:
                self._readers -= 1
                self._bytes_read += done
            if self._closed:
                self._release()
        return done

    def _release(self) -> None:
        with self._lock:
            if self._readers or self._fd < 0:
                return  # the last reader closes
            fd, self._fd = self._fd, -1
        os.close(fd)

    def __del__(self) -> None:
        if hasattr(self, "_lock"):
            self._release()


def _open(location: LocalLocation) -> int:
    try:
        fd = os.open(location.path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            os.close(fd)
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except (OSError, ValueError) as error:
        raise _translated(error, location) from error
    return fd


def _size(fd: int) -> int | None:
    status = os.fstat(fd)
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _translated(error: OSError | ValueError, location: LocalLocation) -> SourceError:
    label = location.label
    if isinstance(error, ValueError):  # an embedded NUL
        return SourceError(f"{label!r} is not a path: {error}", source=label)
    if isinstance(error, FileNotFoundError):
        found = SourceError.missing(label)
        if os.path.islink(location.path):
            found.hint = f"it is a link to {os.readlink(location.path)}, which is not there."
        else:
            found.hint = _nearest(os.path.dirname(location.path), location.name) or found.hint
    elif isinstance(error, IsADirectoryError):
        found = SourceError(
            f"{label} is a directory",
            source=label,
            hint=f'name the files in it with a glob, such as "{label.rstrip(os.sep)}/*.csv".',
        )
    elif isinstance(error, PermissionError):
        found = SourceError(f"{label} may not be read", source=label, hint="check the file's permissions.")
    else:
        found = SourceError(f"{label} cannot be read: {error.strerror or error}", source=label)
    return _with_errno(found, error.errno)


def _with_errno(error: SourceError, number: int | None) -> SourceError:
    error.errno = number
    return error


def _nearest(directory: str, name: str) -> str | None:
    """Say what is there instead: a near name, or that the directory is missing too."""
    while has_glob(directory) and os.path.dirname(directory) != directory:
        directory = os.path.dirname(directory)
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for _, entry in zip(range(1000), entries, strict=False)]
    except FileNotFoundError:
        return f"the directory {directory} does not exist."
    except OSError:
        return None
    return did_you_mean(name, names) if name else f"looked in {directory}."

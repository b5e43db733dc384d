"""Object stores and whatever else fsspec reaches: ``s3://``, ``gs://``, ``memory://`` and more.

Rules: fsspec's errors, and those of the libraries below it, are translated here and nowhere else.
Filesystems that work in coroutines are read by `store`; what is here are the others, and chains.
Nothing that caches beside the data is used: a cached truncation looks like good data.
"""

from __future__ import annotations

import errno
import io
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from streamframe.errors import MissingDependencyError, SourceChangedError, SourceError, StreamError, TruncatedError
from streamframe.io.atomic_directory import MANIFEST
from streamframe.io.location import Location, below, has_glob, shown_files
from streamframe.io.ranged import RangedFile
from streamframe.io.redact import forget_hidden, links, redact, redact_text, secrets_in, secrets_of, shows_secrets
from streamframe.io.store import StoreRangedFile, StoreStream
from streamframe.io.store_object import stored_object
from streamframe.io.stream import ByteStream, closed_error
from streamframe.io.without_rows import without_rows

T = TypeVar("T")

# What is fetched ahead: a request to a store costs tens of milliseconds, whatever it brings.
_AHEAD_BYTES = 1 << 21
_EXTRAS = {"s3": ("s3fs", "s3"), "s3a": ("s3fs", "s3"), "gs": ("gcsfs", "gcs"), "gcs": ("gcsfs", "gcs")}


@dataclass(frozen=True, repr=False)
class RemoteLocation(Location):
    """A file, a directory or a glob of an fsspec filesystem."""

    uri: str = field(repr=False)
    storage_options: dict[str, Any] = field(default_factory=dict, repr=False, hash=False)
    fs: Any = field(default=None, repr=False, compare=False)
    chained: bool = field(default=False, repr=False)

    @property
    def name(self) -> str:
        # Of a chain it is in the first link that has a path.
        link = next((link for link in links(self.uri) if "://" in link), self.uri) if self.chained else self.uri
        if link.lower().startswith(("http://", "https://")):
            link = link.partition("?")[0]
        return link.rpartition("/")[2]

    @property
    def folders(self) -> tuple[str, ...]:
        return () if self.chained else tuple(self.uri.partition("://")[2].split("/")[:-1])

    def expand(self, suffixes: Collection[str] = ()) -> Sequence[Location]:
        # Asking whether it is a directory costs a request, which a name with a suffix does not call for.
        may_be_directory = self.uri.endswith("/") or "." not in self.name
        if self.chained or not (may_be_directory or has_glob(self.uri)):
            return (self,)
        fs, path = filesystem_and_path(self)
        # A listing that fsspec remembers knows neither new files nor new versions.
        fs.invalidate_cache()
        if may_be_directory and self._guard(lambda: fs.isdir(path)):
            listed = self._guard(lambda: sorted(fs.find(path, detail=False)))
            found = shown_files([self._found(fs, path, one) for one in listed if not one.endswith("/")], suffixes)
            if not found and without_rows(self.manifest) is None:
                hint = "names with a leading dot or underscore are passed over."
                raise SourceError(f"the directory {self.label} holds no file", source=self.label, hint=hint)
            return found
        if not has_glob(self.uri):
            return (self,)
        with_name = self._guard(lambda: [path] if fs.exists(path) else sorted(fs.glob(path, detail=False)))
        if not with_name:
            raise SourceError(f"no file matches {self.label}", source=self.label, hint="check the glob's pattern.")
        return tuple(self._found(fs, path, one) for one in with_name)

    @property
    def manifest(self) -> RemoteLocation:
        fs, path = filesystem_and_path(self)
        return self._found(fs, path, f"{path.rstrip('/')}/{MANIFEST}")

    def _found(self, fs: Any, given: str, path: str) -> RemoteLocation:
        uri = str(fs.unstrip_protocol(path))
        return RemoteLocation(redact(uri), uri, self.storage_options, fs, below=below(path, given))

    def open_ranged(self) -> RangedFile:
        fs, path = filesystem_and_path(self)
        if _is_store(self, fs):
            return StoreRangedFile(self.label, fs, stored_object(fs, path, self.label), self._guard)
        return _RemoteRangedFile(self)

    def _open_raw(self) -> ByteStream:
        fs, path = filesystem_and_path(self)
        if _is_store(self, fs):
            return StoreStream(self.label, fs, stored_object(fs, path, self.label), self._guard)
        return _RemoteStream(self)

    def _guard(self, call: Callable[[], T]) -> T:
        return guarded(call, self.label, self.uri, secrets_in(self.storage_options))


class _RemoteStream(ByteStream):
    """A read that waits inside fsspec cannot be interrupted; it fails when it comes back."""

    def __init__(self, location: RemoteLocation) -> None:
        super().__init__(location.label)
        self._location = location
        # An archive's filesystem closes the archive when nobody holds it.
        self._fs, path = filesystem_and_path(location)
        self._file = location._guard(lambda: self._fs.open(path, "rb", block_size=_AHEAD_BYTES, cache_type="readahead"))
        if isinstance(self._file, io.BytesIO):
            # memory:// hands the same open file to everyone; a copy of its own shares the bytes.
            self._file = io.BytesIO(self._file.getvalue())
            self._size: int | None = self._file.getbuffer().nbytes
        else:
            size = getattr(self._file, "size", None)
            self._size = size if isinstance(size, int) else None
        self._busy = threading.Lock()

    @property
    def size(self) -> int | None:
        return self._size

    @property
    def can_skip(self) -> bool:
        return bool(self._size is not None and self._file.seekable())

    def _seek(self, offset: int) -> None:
        with self._busy:
            self._location._guard(lambda: self._file.seek(offset))

    def _fill(self, target: memoryview) -> int:
        with self._busy:
            count = int(self._location._guard(lambda: self._file.readinto(target)))
        if self._closed:
            self._release()
        elif not count and self._size is not None and self.offset < self._size:
            raise TruncatedError(
                f"{self.label} was cut off: {self.offset:,} bytes came, {self._size:,} were announced",
                source=self.label,
                byte_offset=self.offset,
            )
        return count

    def _release(self) -> None:
        # Never under a read; the reader sees `_closed` and comes here itself.
        if self._busy.acquire(blocking=False):
            try:
                self._file.close()
            finally:
                self._busy.release()


class _RemoteRangedFile(RangedFile):
    """One open file, since that is what some filesystems pin to a version; each range is one request."""

    def __init__(self, location: RemoteLocation) -> None:
        super().__init__(location.label)
        self._location = location
        fs, path = filesystem_and_path(location)
        self._size = int(location._guard(lambda: fs.size(path)))
        self._file = location._guard(lambda: fs.open(path, "rb", cache_type="none"))
        if isinstance(self._file, io.BytesIO):
            self._file = io.BytesIO(self._file.getvalue())
        self._lock = threading.Lock()
        self._bytes_read = 0

    @property
    def size(self) -> int:
        return self._size

    @property
    def bytes_read(self) -> int:
        return self._bytes_read

    def _read(self, offset: int, nbytes: int) -> bytes:
        with self._lock:
            if self._closed:
                raise closed_error(self.label)
            data = self._location._guard(lambda: self._read_at(offset, nbytes))
            self._bytes_read += len(data)
        if self._closed:
            self._release()
            raise closed_error(self.label)
        return data

    def _read_at(self, offset: int, nbytes: int) -> bytes:
        self._file.seek(offset)
        return bytes(self._file.read(nbytes))

    def _release(self) -> None:
        # Never under a read; who reads sees `_closed` and comes here itself.
        if self._lock.acquire(blocking=False):
            try:
                self._file.close()
            finally:
                self._lock.release()


def _is_store(location: RemoteLocation, fs: Any) -> bool:
    """Whether it is read in coroutines, which `close` can cancel; what a chain does within is its own."""
    return bool(fs.async_impl) and not fs.asynchronous and not location.chained


def filesystem_and_path(location: RemoteLocation) -> tuple[Any, str]:
    """Return fsspec's filesystem and the path on it.

    Raises
    ------
    MissingDependencyError
        If the package for the protocol is not installed.
    """
    fs = location.fs
    if location.chained:
        import fsspec

        fs, path = location._guard(lambda: fsspec.core.url_to_fs(location.uri, **location.storage_options))
        return fs, str(path)
    if fs is None:
        protocol = location.uri.partition("://")[0]
        try:
            fs = location._guard(lambda: _filesystem(protocol, location))
        except ImportError as error:
            package, extra = _EXTRAS.get(protocol, (None, None))
            if package and extra:
                raise MissingDependencyError.extra(package, extra) from error
            raise MissingDependencyError(f"{protocol}:// needs a package that is not installed: {error}") from error
    return fs, str(fs._strip_protocol(location.uri))


def _filesystem(protocol: str, location: RemoteLocation) -> Any:
    import fsspec

    # Where the host or the user is part of the URI (ftp, sftp, hdfs), it is the filesystem's, not the path's.
    in_uri = fsspec.get_filesystem_class(protocol)._get_kwargs_from_urls(location.uri)
    return fsspec.filesystem(protocol, **{**in_uri, **location.storage_options})


def guarded(call: Callable[[], T], label: str, uri: str, secrets: tuple[str, ...] = ()) -> T:
    """Run a call into fsspec; whatever it raises becomes a `SourceError` without secrets."""
    try:
        return _translating(call, label, (*secrets, *secrets_of(uri)))
    except SourceError as error:
        forget_hidden(error)
        raise


def _translating(call: Callable[[], T], label: str, secrets: tuple[str, ...]) -> T:
    try:
        return call()
    except (StreamError, ImportError):
        raise
    except FileNotFoundError as error:
        missing = _with_errno(SourceError.missing(label), error)
        missing.errno = errno.ENOENT  # many filesystems do not set it
        raise missing from None
    except IsADirectoryError as error:
        hint = f'name the files in it with a glob, such as "{label.rstrip("/")}/*.csv".'
        raise _with_errno(SourceError(f"{label} is a directory", source=label, hint=hint), error) from None
    except PermissionError as error:
        hint = "pass the credentials in storage_options."
        refused = SourceError(f"{label} may not be read", source=label, hint=hint)
        raise _with_errno(refused, error) from None
    except Exception as error:  # stores raise what they like: botocore, google, aiohttp
        if type(error).__name__ == "FileExpired":
            # By its name, since s3fs is an extra: the ETag of the first answer no longer fits.
            hint = "run it again."
            raise SourceChangedError(f"{label} was replaced while it was read", source=label, hint=hint) from None
        text = redact_text(str(error) or type(error).__name__, secrets)
        cause = None if shows_secrets(error, secrets) else error
        raise _with_errno(SourceError(f"{label} cannot be read: {text}", source=label), error) from cause


def _with_errno(error: SourceError, cause: Exception) -> SourceError:
    error.errno = getattr(cause, "errno", None)
    return error

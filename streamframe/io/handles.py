"""Open binary files that the user hands over.

Rules: we never close one. One that can seek is read from where it stood when the plan was built,
each time (ranges: from its start). One that cannot is read once; but a run that gives back what it took (`unread`, as
the sniffing of a schema does) leaves it unread.
"""

from __future__ import annotations

import io
import os
import threading
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from streamframe.errors import PlanError, SourceError, StreamError, TruncatedError
from streamframe.io.expansion import Expansion
from streamframe.io.http_errors import truncated
from streamframe.io.location import Location
from streamframe.io.ranged import RangedFile
from streamframe.io.stream import ByteStream, WrappedStream


class Handle:
    """The user's file, and what all readers of it share."""

    def __init__(self, file: Any) -> None:
        if isinstance(file, io.TextIOBase) or getattr(file, "encoding", None) is not None:
            raise PlanError("the file is open in text mode", hint='open it with mode "rb".')
        if getattr(file, "closed", False):
            raise PlanError("the file is closed", hint="pass its path, or keep it open while the plan is used.")
        if hasattr(file, "readable") and not file.readable():
            raise PlanError("the file is not open for reading", hint='open it with mode "rb".')
        self.file = file
        self.lock = threading.Lock()
        self.seekable = bool(hasattr(file, "seekable") and file.seekable())
        self.start = int(file.tell()) if self.seekable else 0
        # Of a file that cannot seek: the stream to go on with, and whether one is out.
        self.parked: ByteStream | None = None
        self.parked_as: tuple[str | None, str, bool, Expansion | None] | None = None
        self.taken = False

    @property
    def name(self) -> str:
        """The file's name, where it has one that is a path."""
        # fsspec's files have a path instead.
        name = getattr(self.file, "name", None) or getattr(self.file, "path", None)
        name = os.path.basename(name) if isinstance(name, str) else ""
        # The name of what it decompresses: what we read from it is not compressed any more.
        return os.path.splitext(name)[0] if _decompresses(self.file) else name

    def read_at(self, position: int, target: memoryview, label: str) -> int:
        """Read from a position that is counted from the start of the file, or of what is left of a stream."""
        data = None
        try:
            with self.lock:
                if self.seekable and self.file.tell() != position:
                    self.file.seek(position)
                if hasattr(self.file, "readinto"):
                    count = self.file.readinto(target)
                else:
                    data = self.file.read(len(target))
                    count = data if data is None else len(data)
                    if count and count <= len(target) and not isinstance(data, str):
                        target[:count] = data
        except StreamError:
            raise
        except Exception as error:  # whatever it is that the user's object reads from
            raise _unreadable(error, label) from error
        if isinstance(data, str):
            raise PlanError("the file is open in text mode", hint='open it with mode "rb".')
        if count is None:
            raise SourceError(f"{label} has no bytes now", source=label, hint="open it in blocking mode.")
        if count > len(target):
            told = f"it gave {count:,} bytes, and {len(target):,} were asked for"
            raise SourceError(f"{label} cannot be read: {told}", source=label)
        return int(count)

    @property
    def missing_bytes(self) -> int:
        """What a response of `http.client` has announced and not brought: it ends without a word where it is cut."""
        is_response = any(base.__module__ == "http.client" for base in type(self.file).__mro__)
        return (getattr(self.file, "length", None) or 0) if is_response else 0

    def end(self, label: str) -> int:
        """Return how many bytes the file has."""
        try:
            with self.lock:
                place = self.file.tell()
                end = int(self.file.seek(0, os.SEEK_END) or self.file.tell())
                self.file.seek(place)
        except StreamError:
            raise
        except Exception as error:  # whatever it is that the user's object reads from
            raise _unreadable(error, label) from error
        return end


@dataclass(frozen=True, repr=False)
class HandleLocation(Location):
    """An open binary file."""

    handle: Handle = field(compare=False)

    @property
    def name(self) -> str:
        return self.handle.name

    @property
    def replayable(self) -> bool:
        return self.handle.seekable

    def open_stream(
        self,
        *,
        compression: str | None = "infer",
        encoding: str = "utf-8",
        lenient: bool = False,
        expansion: Expansion | None = None,
    ) -> ByteStream:
        opened = partial(
            super().open_stream, compression=compression, encoding=encoding, lenient=lenient, expansion=expansion
        )
        if self.handle.seekable:
            return opened()
        handle = self.handle
        with handle.lock:
            if handle.taken:
                raise SourceError(
                    f"{self.label} can be read only once: it cannot seek, and it was read before",
                    source=self.label,
                    hint="pass a path, or keep the rows with to_arrow() or to_parquet().",
                )
            if handle.parked and handle.parked_as != (compression, encoding, lenient, expansion):
                raise PlanError(
                    f"{self.label} cannot seek, and its start was read with other options",
                    hint="pass the same compression, encoding, errors and max_decompression_ratio each time.",
                )
            parked, handle.parked = handle.parked, None
            handle.parked_as = (compression, encoding, lenient, expansion)
            handle.taken = True
        stream = parked or opened()
        return _OneShotStream(stream, handle)

    def open_ranged(self) -> RangedFile:
        if not self.handle.seekable:
            raise SourceError(
                f"{self.label} cannot seek, so its middle cannot be read",
                source=self.label,
                hint="pass a path, or read it into io.BytesIO first.",
            )
        return _HandleRangedFile(self.label, self.handle)

    def _open_raw(self) -> ByteStream:
        return _HandleStream(self.label, self.handle)


class _HandleStream(ByteStream):
    """A read that waits inside the user's file cannot be interrupted; it fails when it comes back."""

    def __init__(self, label: str, handle: Handle) -> None:
        super().__init__(label)
        self._handle = handle
        self._size = handle.end(label) - handle.start if handle.seekable else None
        if not self._size and handle.start:
            raise SourceError(
                f"{label} stands at its end, so there is nothing to read", source=label, hint="seek(0) first."
            )
        self._position = 0

    @property
    def size(self) -> int | None:
        return self._size

    @property
    def seekable(self) -> bool:
        return self._handle.seekable

    def _fill(self, target: memoryview) -> int:
        count = self._handle.read_at(self._handle.start + self._position, target, self.label)
        if not count and (missing := self._handle.missing_bytes):
            raise truncated(self.label, self._position, self._position + missing)
        self._position += count
        return count

    def _seek(self, offset: int) -> None:
        self._position = offset

    def _release(self) -> None:
        pass


class _OneShotStream(WrappedStream):
    """The only stream of a file that cannot seek; unread to its start, it is kept for the next."""

    def __init__(self, inner: ByteStream, handle: Handle) -> None:
        super().__init__(inner)
        self._handle = handle
        self._reading = False
        self._given_back = False

    def unread(self, data: bytes) -> None:
        self._inner.unread(data)
        self.offset -= len(data)

    def _fill(self, target: memoryview) -> int:
        with self._handle.lock:
            self._reading = True
        count = self._inner.read_into(target)
        with self._handle.lock:
            self._reading = False
        return count

    def _release(self) -> None:
        handle = self._handle
        with handle.lock:
            # A read under way takes bytes that nobody will get, and so does one that failed.
            untouched = self.offset == 0 and self._inner.offset == 0 and not self._reading
            if untouched and not self._given_back:
                handle.parked, handle.taken = self._inner, False
            self._given_back = True


class _HandleRangedFile(RangedFile):
    """The whole file, wherever it stands: a footer counts from the start, and pyarrow reads it so."""

    def __init__(self, label: str, handle: Handle) -> None:
        super().__init__(label)
        self._handle = handle
        self._size = handle.end(label)
        self._bytes_read = 0

    @property
    def size(self) -> int:
        return self._size

    @property
    def bytes_read(self) -> int:
        return self._bytes_read

    def _read(self, offset: int, nbytes: int) -> bytes:
        buffer = bytearray(nbytes)
        filled = 0
        with memoryview(buffer) as target:
            while filled < nbytes and (more := self._handle.read_at(offset + filled, target[filled:], self.label)):
                filled += more
        self._bytes_read += filled
        return bytes(buffer[:filled])

    def _release(self) -> None:
        pass


def _unreadable(error: Exception, label: str) -> SourceError:
    # What reads from a body or a compressed file that is cut.
    if isinstance(error, EOFError) or any(base.__name__ == "IncompleteRead" for base in type(error).__mro__):
        hint = "get the file again: what is there is not all of it."
        return TruncatedError(f"{label} is cut off: {error}", source=label, hint=hint)
    return SourceError(f"{label} cannot be read: {error}", source=label)


def _decompresses(file: Any) -> bool:
    # By name: not every Python has these modules, and isal's class is gzip's child.
    return any(base.__module__ in ("gzip", "bz2", "lzma") for base in type(file).__mro__)

"""The one shape in which bytes come to a format: in order, with absolute offsets.

Rules:
- 0 means the verified end. Whoever cannot verify it raises instead, and goes on raising.
- One thread reads; `close` may come from any thread, twice, at any time. A read that it
  interrupts raises `SourceError`.
- What was read may be pushed back (`unread`), so that a schema can be sniffed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from streamframe.errors import PlanError, SourceError, StreamError
from streamframe.plan.report import Completeness


class ByteStream(ABC):
    """Bytes in order.

    Attributes
    ----------
    label : str
        Where the bytes come from, without secrets.
    offset : int
        The absolute offset of the next byte that `read_into` returns.
    """

    def __init__(self, label: str, *, offset: int = 0) -> None:
        self.label = label
        self.offset = offset
        self._closed = False
        self._pushed_back = b""
        self._failure: StreamError | None = None

    @property
    def size(self) -> int | None:
        """All bytes as they come (on disk, on the wire: compressed); None while unknown."""
        return None

    @property
    def bytes_read(self) -> int:
        """Bytes taken so far, as they come: comparable with `size`."""
        return self.offset

    @property
    def retries(self) -> int:
        """How often a connection was made again."""
        return 0

    @property
    def completeness(self) -> Completeness:
        """Whether the end of these bytes can be told from a loss; final once the end was read."""
        return "verified"

    @property
    def seekable(self) -> bool:
        """`seek` is cheap."""
        return False

    @property
    def version(self) -> str:
        """What the source itself calls these bytes, such as an ETag; known once something was read."""
        return ""

    @property
    def can_skip(self) -> bool:
        """`skip_to` does not read what it passes over; known once something was read."""
        return self.seekable

    @property
    def closed(self) -> bool:
        """`close` was called."""
        return self._closed

    def read_into(self, target: memoryview) -> int:
        """Read 1 to ``len(target)`` bytes, as soon as there are some; 0 at the verified end.

        Raises
        ------
        SourceError
            If the bytes cannot be read or end too early, or if the stream is closed, also by
            another thread during the call.
        DecodeError
            If compressed or encoded text is not what it says.
        """
        if self._closed:
            raise closed_error(self.label)
        if self._failure is not None:
            # A second call must not mistake the place of a failure for the end.
            raise self._failure
        if not len(target):
            return 0
        if self._pushed_back:
            count = min(len(target), len(self._pushed_back))
            target[:count] = self._pushed_back[:count]
            self._pushed_back = self._pushed_back[count:]
        else:
            try:
                count = self._fill(target)
            except StreamError as error:
                self._failure = error
                raise
            except BaseException:
                # After a Ctrl-C nobody knows which bytes were lost; to go on would skip them.
                self._failure = SourceError(f"{self.label} was interrupted while it was read", source=self.label)
                raise
            if self._closed:
                raise closed_error(self.label)
        self.offset += count
        return count

    def unread(self, data: bytes) -> None:
        """Push back bytes that were just read; the next `read_into` returns them again."""
        self._pushed_back = bytes(data) + self._pushed_back
        self.offset -= len(data)

    def read_up_to(self, count: int) -> bytes:
        """Return the next `count` bytes, or all that are left where there are fewer."""
        buffer = bytearray(count)
        filled = 0
        with memoryview(buffer) as target:
            while filled < count and (more := self.read_into(target[filled:])):
                filled += more
        return bytes(buffer[:filled])

    def seek(self, offset: int) -> None:
        """Go on at an absolute offset, where the stream is `seekable`."""
        if not self.seekable:
            raise PlanError(f"{self.label} cannot seek")
        self._go_to(offset)

    def skip_to(self, offset: int) -> None:
        """Go on at an absolute offset further on, where the stream `can_skip`. May cost a connection."""
        if not self.can_skip:
            raise PlanError(f"{self.label} cannot be entered in the middle")
        self._go_to(offset)

    def _go_to(self, offset: int) -> None:
        self._pushed_back = b""
        self._seek(offset)
        self.offset = offset

    def close(self) -> None:
        """Let go of everything; safe twice and from any thread. Frees a stalled `read_into`."""
        self._closed = True
        self._release()

    @abstractmethod
    def _fill(self, target: memoryview) -> int:
        """Read into a target that is not empty; return 0 only at the verified end."""

    @abstractmethod
    def _release(self) -> None:
        """Do the work of `close`."""

    def _seek(self, offset: int) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.label} at {self.offset:,}>"


def closed_error(label: str) -> SourceError:
    """Return what a read raises when `close` came before it or during it."""
    return SourceError(f"{label} was closed while it was read", source=label)


class WrappedStream(ByteStream):
    """A stream made of another one, which it owns."""

    def __init__(self, inner: ByteStream) -> None:
        super().__init__(inner.label)
        self._inner = inner

    @property
    def size(self) -> int | None:
        return self._inner.size

    @property
    def bytes_read(self) -> int:
        return self._inner.bytes_read

    @property
    def retries(self) -> int:
        return self._inner.retries

    @property
    def completeness(self) -> Completeness:
        return self._inner.completeness

    def _release(self) -> None:
        self._inner.close()

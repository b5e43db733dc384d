"""What every target is to its writer, and how its errors read.

Rule: nothing of the target changes before `commit`; `abort` leaves nothing behind; whatever is
neither committed nor aborted is aborted.
"""

from __future__ import annotations

import contextlib
import errno
from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from streamframe.errors import SinkError, StreamError
from streamframe.io.redact import redact, redact_text


class AtomicFile(ABC):
    """A file to write, in the shape that pyarrow's writers take as their sink."""

    def __init__(self, label: str) -> None:
        self.label = label
        self._written = 0
        self._done = False
        self._given_up = False

    @property
    def closed(self) -> bool:
        """It was committed or aborted."""
        return self._done

    def write(self, data: Any) -> int:
        """Write all of `data`; return its length in bytes.

        Raises
        ------
        SinkError
            If it cannot be written; the disk may be full.
        """
        if self._done:
            raise ValueError(f"write to {self.label}, which is closed")
        with memoryview(data).cast("B") as view, self._guard("written"):
            if self._given_up:
                return len(view)
            self._write(view)
            self._written += len(view)
            return len(view)

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self._written

    def flush(self) -> None:  # noqa: B027 - an answer, not a gap
        """Do nothing: what counts is `commit`."""

    def close(self) -> None:  # noqa: B027
        """Do nothing: a writer that closes its sink has not decided whether the rows are complete."""

    def readable(self) -> bool:
        """Return False."""
        return False

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return False."""
        return False

    def give_up(self) -> None:
        """Take what is written from now on for nothing: `abort` follows.

        A writer that is closed would end its file, and what cannot be taken back would look whole.
        """
        self._given_up = True

    def commit(self) -> int:
        """Make it the target's new content, in one step; return the bytes written.

        Raises
        ------
        SinkError
            If that fails; the target is as it was, and what was written is gone.
        """
        if self._done:
            raise ValueError(f"commit of {self.label}, which is closed")
        try:
            with self._guard("completed"):
                self._commit()
        except BaseException:
            self.abort()
            raise
        self._done = True
        return self._written

    def abort(self) -> None:
        """Throw away what was written; safe twice, and after `commit`."""
        if not self._done:
            self._done = True
            self._abort()

    @abstractmethod
    def _write(self, data: memoryview) -> None: ...

    @abstractmethod
    def _commit(self) -> None: ...

    @abstractmethod
    def _abort(self) -> None: ...

    def _secrets(self) -> tuple[str, ...]:
        return ()

    def _guard(self, verb: str) -> contextlib.AbstractContextManager[None]:
        return translating(self.label, verb, self._secrets())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()

    def __del__(self) -> None:
        if hasattr(self, "_done"):
            with contextlib.suppress(Exception):
                self.abort()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.label}, {self._written:,} bytes>"


@contextlib.contextmanager
def translating(label: str, verb: str, hidden: tuple[str, ...]) -> Iterator[None]:
    """Turn whatever a disk or a store raises into a `SinkError`."""
    try:
        yield
    except (StreamError, ValueError, ImportError):
        raise
    except OSError as error:
        text = redact_text(error.strerror or str(error), hidden)
        hint = "free some space, or write elsewhere." if error.errno in (errno.ENOSPC, errno.EDQUOT) else None
        raise sink_error(label, error.errno, f"cannot be {verb}: {text}", hint) from error
    except Exception as error:  # stores raise what they like
        raise sink_error(label, None, f"cannot be {verb}: {redact_text(str(error), hidden)}", None) from error


def sink_error(label: str, number: int | None, what: str, hint: str | None) -> SinkError:
    """Return the error for a target, with its errno as a field."""
    error = SinkError(f"{redact(label)} {what}", source=label, hint=hint)
    error.errno = number
    return error

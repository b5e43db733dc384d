"""Every error a user of streamframe can meet.

Rules: the text is built in a classmethod beside the class it belongs to, the facts stay as
fields. Each layer adds, once, what only it knows (`StreamError.locate`): the decoder a row and
an offset, the source a URI, the engine a step. No secret ever enters a message: callers pass
labels that `streamframe.io.redact` has cleaned.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Self, TypeVar

_FACTS = ("source", "part", "byte_offset", "row", "column", "step", "hint")


class StreamError(Exception):
    """The base of all errors that streamframe raises.

    Attributes
    ----------
    message : str
        What happened, in one line.
    source : str or None
        The URI or label of the input or output, without secrets.
    part : int or None
        Which piece of the source, from 0 (a file of a list, say).
    byte_offset : int or None
        Where the record starts, in bytes from the start of the (decompressed) input.
    row : int or None
        Which record of the part, counted from 1; a header is not counted.
    column : str or None
        The column's name.
    step : str or None
        Which step of the plan, such as ``"step 2 of 3: filter"``.
    hint : str or None
        What to do next.
    """

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        part: int | None = None,
        byte_offset: int | None = None,
        row: int | None = None,
        column: str | None = None,
        step: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.part = part
        self.byte_offset = byte_offset
        self.row = row
        self.column = column
        self.step = step
        self.hint = hint

    def locate(self, **facts: Any) -> Self:
        """Fill in facts that no lower layer has set yet; return the same error."""
        for name, value in facts.items():
            if name not in _FACTS:
                raise TypeError(f"{name!r} is not a fact of an error; known: {', '.join(_FACTS)}")
            if getattr(self, name) is None:
                setattr(self, name, value)
        return self

    def __str__(self) -> str:
        lines = [self.message]
        place = []
        if self.row is not None:
            place.append(f"row {self.row:,}")
        if self.byte_offset is not None:
            place.append(f"byte offset {self.byte_offset:,}")
        where = "  ".join(([self.source] if self.source else []) + ([", ".join(place)] if place else []))
        # A message that names its source already need not be told twice.
        if where and where not in self.message:
            lines.append(f"  at {where}")
        if self.step:
            lines.append(f"  in {self.step}")
        if self.hint:
            lines.append(f"Hint: {self.hint}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[Any, ...]:
        facts = {name: getattr(self, name) for name in _FACTS}
        # What Python itself keeps beside the fields: an OSError's number, and notes.
        more = {name: getattr(self, name) for name in ("errno", "__notes__") if getattr(self, name, None) is not None}
        return _rebuild, (type(self), self.message, facts), more


def _rebuild(kind: type[StreamError], message: str, facts: dict[str, Any]) -> StreamError:
    return kind(message, **facts)


class SourceError(StreamError, OSError):
    """The input cannot be opened or read."""

    @classmethod
    def missing(cls, source: str) -> Self:
        """Say that the file, object or page is not there."""
        return cls(f"{source} does not exist", source=source, hint="check the path, or the glob's pattern.")


class TransportError(SourceError):
    """The connection failed, or the server answered with an error."""


class TruncatedError(SourceError):
    """The input ended before it was complete."""


class SourceChangedError(SourceError):
    """The input was replaced while it was being read."""


class DecodeError(StreamError, ValueError):
    """The bytes are not what the format or the frozen schema says."""


class EmptyFileError(DecodeError):
    """A file of text holds no record that can be read, and nothing else tells its columns."""


class SchemaError(StreamError, TypeError):
    """Types or column sets do not fit together."""


class PlanError(StreamError, ValueError):
    """A verb, an option or a path was used in a way that cannot work."""

    @classmethod
    def not_available(cls, what: str, instead: str) -> Self:
        """Something that this version does not do yet."""
        return cls(f"{what} is not available in this version", hint=instead)


class ColumnNotFoundError(StreamError, KeyError):
    """A column of that name does not exist."""

    @classmethod
    def among(cls, name: str, existing: Iterable[str]) -> Self:
        """Name the missing column, the nearest existing one, and all that exist."""
        names = list(existing)
        shown = ", ".join(names[:20]) + (f", … ({len(names) - 20} more)" if len(names) > 20 else "")
        return cls(
            f"column {name!r} is not found. Existing columns: {shown or '(none)'}",
            column=name,
            hint=did_you_mean(name, names),
        )


class SinkError(StreamError, OSError):
    """The output cannot be written; the target is as it was."""


class ResumeError(StreamError):
    """An export or a loop cannot be continued from where it was."""


class BudgetError(StreamError, MemoryError):
    """One piece of data is larger than a limit that protects memory."""


class MissingDependencyError(StreamError, ImportError):
    """A verb needs an optional package that is not installed."""

    @classmethod
    def extra(cls, package: str, extra: str) -> Self:
        """Name the package and the line that installs it."""
        return cls(
            f"this needs the package {package!r}, which is not installed",
            hint=f'pip install "streamframe-arrow[{extra}]"',
        )


E = TypeVar("E", bound=Exception)


def without_frames(error: E) -> E:
    """Return an error to be kept: its frames hold whoever keeps it, and only a collection would free both."""
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error


def did_you_mean(name: str, existing: Iterable[str]) -> str | None:
    """Return ``did you mean 'x'?`` for the nearest existing name, or None."""
    names = list(existing)
    folded = {candidate.casefold(): candidate for candidate in reversed(names)}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return f"did you mean {folded[near[0]]!r}?" if near else None

"""How far a run has come, as a small text that another process can go on from.

Rules: no pickle, no rows, no secrets. It names the plan and what was read of the source, so that whoever goes on
can tell that both are still the same, and what is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from streamframe.batch import Mark
from streamframe.errors import ResumeError

_VERSION = 1
_NONE = "nothing"
# A step that reads may have twenty options, of which one has changed.
_LONG = 120


@dataclass(frozen=True)
class Checkpoint:
    """A position behind some rows of a plan's result.

    Attributes
    ----------
    plan : tuple of str
        The steps, in reading order.
    source : tuple of str
        What was read, and what it was like: sizes, times, digests.
    mark : Mark
        The position in the input, and how far steps that count are.
    skip : int
        Rows of the result that were handed over behind it.
    rows : int
        Rows that were handed over in all, of this run and those before it.
    before : tuple of tuple of str
        What was read of each scan before the one that the mark is in, which was read to its end.
    """

    plan: tuple[str, ...]
    source: tuple[str, ...]
    mark: Mark
    skip: int = 0
    rows: int = 0
    before: tuple[tuple[str, ...], ...] = ()

    def to_json(self) -> str:
        """Return it as JSON, which `from_json` and `iter_batches` take."""
        return json.dumps({"streamframe": _VERSION, **asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> Checkpoint:
        """Return a checkpoint that was written as JSON.

        Raises
        ------
        ResumeError
            If it is none.
        """
        try:
            found = json.loads(text)
            if found["streamframe"] != _VERSION:
                raise ResumeError(
                    f"this checkpoint is of version {found['streamframe']}, and only {_VERSION} is known",
                    hint="start from the beginning.",
                )
            told = dict(found["mark"])
            steps = tuple((int(number), int(state)) for number, state in told.pop("steps"))
            numbers = {name: int(told[name]) for name in ("part", "token", "rows", "scan")}
            numbers |= {name: int(told.get(name, 0)) for name in ("rejected", "nulled")}
            lines = {name: tuple(map(str, found[name])) for name in ("plan", "source")}
            before = tuple(tuple(map(str, scan)) for scan in found.get("before", ()))
            mark = Mark(**numbers, steps=steps)
            return cls(**lines, mark=mark, skip=int(found["skip"]), rows=int(found["rows"]), before=before)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ResumeError(
                "this is not a checkpoint of streamframe", hint="pass what checkpoint() has returned, or its to_json()."
            ) from error

    def __str__(self) -> str:
        return self.to_json()


@dataclass(frozen=True)
class Origin:
    """Where the rows of a run come from, as far as that can be told without asking anybody.

    Attributes
    ----------
    plan : tuple of str or None
        The steps, in reading order; None if a step's text does not say all that it does.
    source : tuple of str
        What was read, in the order in which it was opened.
    mark : Mark or None
        The position in the input; None if nobody can go on from one.
    rows : int
        Rows that were handed over, of this run and those before it.
    """

    plan: tuple[str, ...] | None
    source: tuple[str, ...]
    mark: Mark | None
    rows: int


def as_checkpoint(value: Any) -> Checkpoint:
    """Return what `resume` was given as a checkpoint: one, its JSON, or what a JSON reader has made of that."""
    if isinstance(value, Checkpoint):
        return value
    return Checkpoint.from_json(json.dumps(value) if isinstance(value, Mapping) else value)


def require_same_lines(kind: str, was: Sequence[str], found: Sequence[str]) -> None:
    """Raise `ResumeError` with the first line that differs, and what differs in it."""
    for number, (before, now) in enumerate(zip_longest(was, found, fillvalue=_NONE), start=1):
        if before != now:
            if len(before) > _LONG:
                before, now = _differing(before, now)
            raise ResumeError(
                f"{kind} {number} has changed: it was {_readable(before)}, and is {_readable(now)}",
                hint="start from the beginning, or with what it was.",
            )


def _differing(before: str, now: str) -> tuple[str, str]:
    """Return two texts without the words that they have in common, but for the first."""
    one, other = before.split(" "), now.split(" ")
    shown: tuple[list[str], list[str]] = ([], [])
    for tag, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if tag == "equal":
            for words in shown:
                words += ["…"] if a else [one[0], *(["…"] if b > 1 else [])]
        else:
            shown[0].extend(one[a:b])
            shown[1].extend(other[c:d])
    return " ".join(shown[0]), " ".join(shown[1])


def _readable(line: str) -> str:
    """Return a line of a source with its time as people write it."""

    def spelled(found: re.Match[str]) -> str:
        seconds, rest = divmod(int(found[0]), 10**9)
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest:09d} UTC"

    return re.sub(r"(?<=, changed at )[0-9]{1,19}$", spelled, line)

"""Records that cannot be read: what is told of each, and what is left of the others.

Rule: good and rejected records together are all records. A value that is made null is no reject.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import pyarrow as pa

from streamframe.errors import PlanError, did_you_mean
from streamframe.io.transcode import with_escapes
from streamframe.plan.source import REJECTS, Decoded

Errors = Literal["raise", "null", "skip", "quarantine"]
OnWiden = Literal["raise", "string"]
ERRORS: tuple[Errors, ...] = ("raise", "null", "skip", "quarantine")


def checked_errors(errors: Any) -> Errors:
    """Return the argument `errors`; raise `PlanError` if it is none of them."""
    if errors not in ERRORS:
        near = did_you_mean(str(errors), ERRORS)
        raise PlanError(f"errors={errors!r} is not known", hint=near or f"use one of {', '.join(map(repr, ERRORS))}.")
    return errors  # type: ignore[no-any-return]


def checked_on_widen(on_widen: Any) -> OnWiden:
    """Return the argument `on_widen`; raise `PlanError` if it is none of them."""
    if on_widen not in get_args(OnWiden):
        raise PlanError(
            f"on_widen={on_widen!r} is not known",
            hint="use 'raise', or 'string' to read columns as text whose later values do not fit.",
        )
    return on_widen  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Reject:
    """One record that cannot be read.

    Attributes
    ----------
    row : int
        Its number in its block, from 1.
    byte_offset : int
        Where it starts in the file.
    column : str or None
        The first column that cannot be read; None if the record as a whole cannot.
    reason : str
        What is wrong with it.
    record : bytes
        The record as it stands in the file; in an encoding other than UTF-8, as it was passed on.
    """

    row: int
    byte_offset: int
    column: str | None
    reason: str
    record: bytes


class Salvaged(NamedTuple):
    """What is left of a block in which something cannot be read."""

    data: pa.RecordBatch
    # The places of these rows among all records of the block; None if they are all records.
    places: pa.Array | None
    records: int
    # Told one by one only where they are wanted.
    rejects: Sequence[Reject] = ()
    nulled: int = 0

    def decoded(self, label: str, encoding: str = "utf-8") -> Decoded:
        """Return the same for an engine; `label` names the file, whose text was written in `encoding`."""
        rejects = None
        if self.rejects:
            rows = [{"source": label, **vars(each)} for each in self.rejects]
            if encoding != "utf-8":
                rows = [{**row, "record": with_escapes(row["record"])} for row in rows]
            rejects = pa.RecordBatch.from_pylist(rows, schema=REJECTS)
        return Decoded(self.data, self.records, places=self.places, rejects=rejects, nulled=self.nulled)


def failing(count: int, readable: Any) -> list[int]:
    """Return which of `count` items cannot be read, asking ``readable(start, stop)`` for as few ranges as need be."""
    found = []
    ranges = [(0, count)]
    while ranges:
        start, stop = ranges.pop()
        if start >= stop or readable(start, stop):
            continue
        if stop - start == 1:
            found.append(start)
            continue
        middle = (start + stop) // 2
        ranges += [(middle, stop), (start, middle)]
    return found

r"""Patterns that take a text apart, and ready ones for the access logs of web servers.

Rule: a pattern is RE2's, which Arrow runs: linear in the text, whatever the text. Each group has a name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.errors import PlanError
from streamframe.expr.no_such_days import no_such_days

# What a server writes where it has nothing to say.
_NOTHING = "-"


class Pattern:
    r"""A regular expression with named groups, and the types of what they find.

    Parameters
    ----------
    text
        In RE2's syntax. It may match anywhere; ``^`` and ``$`` bind it.
    types
        Of groups that are no text: ``pa.int64()`` or ``pa.timestamp("s", "UTC")``. Then ``-`` is null.
    times
        How a group of such a type writes its time, as for `strptime`.

    Examples
    --------
    >>> Pattern(r"(?P<key>\w+)=(?P<value>\d+)").names
    ['key', 'value']
    """

    def __init__(
        self,
        text: str,
        types: Mapping[str, pa.DataType] | None = None,
        times: Mapping[str, str] | None = None,
        name: str | None = None,
    ) -> None:
        self._text = text
        self._types = dict(types or {})
        self._times = dict(times or {})
        self._name = name

    @cached_property
    def names(self) -> list[str]:
        """The groups, in order.

        Raises
        ------
        PlanError
            If the pattern is none, has no groups, or some without a name.
        """
        try:
            found = pc.extract_regex(pa.nulls(0, pa.string()), pattern=self._text).type
        except pa.ArrowInvalid as error:
            raise PlanError(
                f"extract cannot use this pattern: {error}",
                hint=r"name each group, as in (?P<ip>\S+), or do not keep it, as in (?:a|b); the syntax is RE2's.",
            ) from error
        if not found.num_fields:
            raise PlanError("extract needs a pattern with groups", hint=r"name each, as in (?P<ip>\S+).")
        return [field.name for field in found]

    @property
    def fields(self) -> list[pa.Field]:
        """The columns that it makes."""
        return [pa.field(name, self._types.get(name, pa.string())) for name in self.names]

    def taken_apart(self, text: pa.Array) -> tuple[list[pa.Array], pa.Array]:
        """Return the columns, null where the pattern does not match, and where it does."""
        found = pc.extract_regex(text, pattern=self._text)
        matches = pc.is_valid(found)
        columns = []
        for field, column in zip(self.fields, self._with_nulls(text, found.flatten()), strict=True):
            if field.name in self._types:
                column = pc.if_else(pc.equal(column, _NOTHING), None, column)
            if field.name in self._times:
                parsed = pc.strptime(column, format=self._times[field.name], unit=field.type.unit, error_is_null=True)
                # What is no time, such as the 31st of February, is no match.
                matches = pc.and_(matches, pc.equal(pc.is_null(parsed), pc.is_null(column)))
                matches = pc.and_not(matches, no_such_days(column, self._times[field.name]))
                column = parsed
            columns.append(column.cast(field.type))
        if pc.all(matches).as_py():
            return columns, matches
        return [pc.if_else(matches, column, None) for column in columns], matches

    def _with_nulls(self, text: pa.Array, found: list[pa.Array]) -> list[pa.Array]:
        """Return what the groups found, with null for one that took no part: Arrow has empty text for that."""
        if not any(pc.any(pc.equal(column, "")).as_py() for column in found):
            return found
        # A second look, so only where something is empty; then where a group was found tells whether it was.
        spans = pc.extract_regex_span(text, pattern=self._text).flatten()
        return [pc.if_else(pc.is_valid(span), column, None) for column, span in zip(found, spans, strict=True)]

    def __repr__(self) -> str:
        if self._name:
            return self._name
        # All of it: a run that goes on asks whether the plan is still the same.
        types = f", { ({key: str(kind) for key, kind in self._types.items()}) }, {self._times}" if self._types else ""
        return f"{self._text!r}{types}"


def as_pattern(value: Any) -> Pattern:
    """Return what `extract` was given as a pattern; raise `PlanError` if it is none."""
    if isinstance(value, Pattern):
        return value
    if isinstance(value, re.Pattern):
        if value.flags & (re.IGNORECASE | re.MULTILINE | re.DOTALL | re.VERBOSE):
            raise PlanError(
                "extract does not see the flags of a compiled pattern", hint="write them into it: (?i), (?s)."
            )
        value = value.pattern
    if not isinstance(value, str):
        raise PlanError(f"extract needs a pattern, got {type(value).__name__}")
    pattern = Pattern(value)
    pattern.names  # noqa: B018 - what is wrong with it is told now
    return pattern


_COMMON = (
    r'^(?P<host>\S+) (?P<identity>\S+) (?P<user>.+?) \[(?P<time>[^\[\]]+)\] "(?P<request>(?:[^"\\]|\\.)*)"'
    r" (?P<status>\d{3}) (?P<bytes>\d{1,18}|-)"
)
_TYPES = {"time": pa.timestamp("s", "UTC"), "status": pa.int64(), "bytes": pa.int64()}
_TIMES = {"time": "%d/%b/%Y:%H:%M:%S %z"}

#: The Common Log Format of Apache, nginx and others: ``%h %l %u %t "%r" %>s %b``.
COMMON_LOG = Pattern(_COMMON + "$", _TYPES, _TIMES, "COMMON_LOG")
#: The Combined Log Format, the default of nginx: the common one, then referer and user agent, and what else follows.
COMBINED_LOG = Pattern(
    _COMMON + r' "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<user_agent>(?:[^"\\]|\\.)*)"', _TYPES, _TIMES, "COMBINED_LOG"
)

r"""How one CSV file marks fields and records, and the grammar that follows from it.

Rules: the grammar is Arrow's, to the byte, since blocks are cut here and parsed there. A quote
means something only where a field starts; behind the closing quote the field goes on as plain
text; inside, two quotes are one. The escape character takes the meaning from any byte behind it,
in quotes or not. A record ends at ``\n``, ``\r\n`` or ``\r``; an empty line is no record.
A comment is a whole line whose first byte is the comment character; quotes in it mean nothing.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import cached_property

import pyarrow.csv as pacsv

from streamframe.errors import PlanError

# Possessive quantifiers keep no way back, so a match over a whole block takes no memory. Below
# 3.11.5 they can fail wrongly (python/cpython#106052); the grammar has one reading only, so the
# plain ones find the same and only cost more.
_POSSESSIVE = "+" if sys.version_info >= (3, 11, 5) else ""


@dataclass(frozen=True)
class Dialect:
    """The characters with a meaning, one byte each.

    Parameters
    ----------
    sep
        Between two fields.
    quotechar
        Around a field; None gives quotes no meaning.
    escapechar
        Before a character without its meaning; None for none.
    comment
        First in a line that is no record; None for none.

    Raises
    ------
    PlanError
        If one is not a single ASCII character, or two are the same.
    """

    sep: str = ","
    quotechar: str | None = '"'
    escapechar: str | None = None
    comment: str | None = None

    def __post_init__(self) -> None:
        taken: dict[str, str] = {}
        for argument in ("sep", "quotechar", "escapechar", "comment"):
            value = getattr(self, argument)
            if value is None and argument != "sep":
                continue
            if not isinstance(value, str) or len(value) != 1 or value in "\r\n\0" or not value.isascii():
                raise PlanError(f"{argument} needs one ASCII character that ends no line, got {value!r}", hint=_HINT)
            if value in taken:
                raise PlanError(f"{argument} and {taken[value]} are both {value!r}", hint="each needs its own.")
            taken[value] = argument

    @property
    def arrow(self) -> pacsv.ParseOptions:
        """The same, for Arrow."""
        return pacsv.ParseOptions(
            delimiter=self.sep,
            quote_char=self.quotechar or False,
            escape_char=self.escapechar or False,
            newlines_in_values=True,
        )

    @cached_property
    def whole_records(self) -> re.Pattern[bytes]:
        """Matches as many complete records, comments and empty lines as there are."""
        return self._pattern(rf"(?:{self._comment(_NEWLINE)}{self._record}{_NEWLINE})*{_POSSESSIVE}")

    @cached_property
    def one_record(self) -> re.Pattern[bytes]:
        """Matches one record or comment; the last may lack its newline."""
        return self._pattern(rf"(?:{self._comment(_LAST)}{self._record}{_LAST})")

    @cached_property
    def one_whole_record(self) -> re.Pattern[bytes]:
        """Matches one record or comment with its newline."""
        return self._pattern(rf"(?:{self._comment(_NEWLINE)}{self._record}{_NEWLINE})")

    @cached_property
    def closed_fields(self) -> re.Pattern[bytes]:
        """Matches the fields of a record, up to the one whose quote is not closed."""
        return self._pattern(rf"(?:{self._field}{re.escape(self.sep)})*{_POSSESSIVE}")

    @cached_property
    def records_between_comments(self) -> re.Pattern[bytes]:
        """Matches a run of records (group 1), a comment, or a record without its newline (group 2)."""
        run = rf"(?:(?!{re.escape(self.comment or '')}){self._record}{_NEWLINE})+{_POSSESSIVE}"
        return self._pattern(rf"({run})|{self._comment(_LAST)}({self._record}{_LAST})")

    def _comment(self, end: str) -> str:
        # The escape character means nothing here either.
        return rf"{re.escape(self.comment)}[^\r\n]*{_POSSESSIVE}{end}|" if self.comment else ""

    @property
    def _record(self) -> str:
        return rf"{self._field}(?:{re.escape(self.sep)}{self._field})*{_POSSESSIVE}"

    @property
    def _field(self) -> str:
        plain = self._text(rf"{re.escape(self.sep)}\r\n")
        if not self.quotechar:
            return plain
        quote = re.escape(self.quotechar)
        inside = self._text(quote)
        quoted = rf"{quote}{inside}(?:{quote}{quote}{inside})*{_POSSESSIVE}{quote}(?!{quote})"
        return rf"(?:{quoted}|(?!{quote})){plain}"

    def _text(self, ends: str) -> str:
        if not self.escapechar:
            return rf"[^{ends}]*{_POSSESSIVE}"
        escape = re.escape(self.escapechar)
        plain = rf"[^{ends}{escape}]*{_POSSESSIVE}"
        return rf"{plain}(?:{escape}(?:.|\Z){plain})*{_POSSESSIVE}"

    @staticmethod
    def _pattern(text: str) -> re.Pattern[bytes]:
        return re.compile(text.encode(), re.DOTALL)


_NEWLINE = rf"(?:\r\n?{_POSSESSIVE}|\n)"
_LAST = rf"(?:{_NEWLINE}|\Z)"
_HINT = 'such as sep=",", sep="\\t", quotechar="\'" or comment="#".'

"""Methods for text: ``col("name").str.lower()`` and so on.

Rule: lengths and positions count characters (Unicode code points), never bytes. Patterns are RE2's:
no look-around, and they cannot blow up on hostile text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.errors import PlanError

if TYPE_CHECKING:
    from streamframe.expr.expression import Expr


@dataclass(frozen=True)
class StringMethods:
    """The text methods of an expression."""

    expr: Expr

    def lower(self) -> Expr:
        """Return the text in lower case."""
        return self._call("utf8_lower", "lower")

    def upper(self) -> Expr:
        """Return the text in upper case."""
        return self._call("utf8_upper", "upper")

    def title(self) -> Expr:
        """Return the text with every word capitalized."""
        return self._call("utf8_title", "title")

    def strip(self, characters: str | None = None) -> Expr:
        """Take white space, or these characters, off both ends."""
        return self._trim("strip", "utf8_trim", characters)

    def lstrip(self, characters: str | None = None) -> Expr:
        """Take white space, or these characters, off the start."""
        return self._trim("lstrip", "utf8_ltrim", characters)

    def rstrip(self, characters: str | None = None) -> Expr:
        """Take white space, or these characters, off the end."""
        return self._trim("rstrip", "utf8_rtrim", characters)

    def len(self) -> Expr:
        """Count the characters."""
        return self._call("utf8_length", "len")

    def contains(self, pattern: str, *, regex: bool = True, case: bool = True) -> Expr:
        """Tell whether the text holds `pattern`; with ``case=False`` upper and lower case are alike."""
        options = pc.MatchSubstringOptions(pattern, ignore_case=not case)
        flags = [*([] if regex else ["regex=False"]), *([] if case else ["case=False"])]
        if regex:
            _check_pattern(pattern)
        function = "match_substring_regex" if regex else "match_substring"
        return self._call(function, "contains", repr(pattern), *flags, options=options)

    def startswith(self, prefix: str) -> Expr:
        """Tell whether the text starts with `prefix`, letter by letter."""
        return self._call("starts_with", "startswith", repr(prefix), options=pc.MatchSubstringOptions(prefix))

    def endswith(self, suffix: str) -> Expr:
        """Tell whether the text ends with `suffix`, letter by letter."""
        return self._call("ends_with", "endswith", repr(suffix), options=pc.MatchSubstringOptions(suffix))

    def replace(self, pattern: str, value: str, *, regex: bool = True) -> Expr:
        r"""Replace every match of `pattern`; in a regex's `value`, ``\1`` is the first group."""
        if regex:
            _check_pattern(pattern)
        function = "replace_substring_regex" if regex else "replace_substring"
        flags = [] if regex else ["regex=False"]
        options = pc.ReplaceSubstringOptions(pattern, value)
        return self._call(function, "replace", repr(pattern), repr(value), *flags, options=options)

    def extract(self, pattern: str, group: int | str = 1) -> Expr:
        """Return what a group of `pattern` matches first; null where it does not match.

        Parameters
        ----------
        pattern
            A regex with at least one group in parentheses.
        group
            The group's name, or its number from 1.
        """
        _check_pattern(pattern)
        named, names = _with_named_groups(pattern)
        index = group - 1 if isinstance(group, int) else names.index(group) if group in names else -1
        if not 0 <= index < len(names):
            raise PlanError(f"the pattern {pattern!r} has no group {group!r}", hint="groups count from 1.")
        found = self._call("extract_regex", "extract", options=pc.ExtractRegexOptions(named))
        text = self._text("extract", repr(pattern), *([] if group == 1 else [repr(group)]))
        return found.call("struct_field", options=pc.StructFieldOptions(indices=[index]), text=text)

    def slice(self, start: int, stop: int | None = None) -> Expr:
        """Return the characters from `start` up to, not including, `stop`; negative counts from the end."""
        options = pc.SliceOptions(start) if stop is None else pc.SliceOptions(start, stop)
        arguments = [repr(start), *([] if stop is None else [repr(stop)])]
        return self._call("utf8_slice_codeunits", "slice", *arguments, options=options)

    def pad(self, width: int, *, side: Literal["left", "right", "both"] = "left", fill: str = " ") -> Expr:
        """Fill up to `width` characters with `fill`, on the side that is named."""
        functions = {"left": "utf8_lpad", "right": "utf8_rpad", "both": "utf8_center"}
        if side not in functions or len(fill) != 1:
            raise PlanError(
                f"pad(side={side!r}, fill={fill!r}) cannot work",
                hint='side is "left", "right" or "both", fill is one character.',
            )
        options = pc.PadOptions(width=width, padding=fill)
        return self._call(functions[side], "pad", repr(width), f"side={side!r}", f"fill={fill!r}", options=options)

    def zfill(self, width: int) -> Expr:
        """Fill up with zeros on the left, behind a sign, as Python does."""
        filled = pc.PadOptions(width=width, padding="0")
        signed = self.expr.call("match_substring_regex", options=pc.MatchSubstringOptions("^[+-]"))
        rest = self.slice(1).call("utf8_lpad", options=pc.PadOptions(width=max(width - 1, 0), padding="0"))
        with_sign = self.slice(0, 1).call("binary_join_element_wise", rest, "")
        return signed.call(
            "if_else",
            with_sign,
            self.expr.call("utf8_lpad", options=filled),
            text=self._text("zfill", repr(width)),
        )

    def split(self, separator: str) -> Expr:
        """Cut at every `separator`; the result is a list."""
        return self._call("split_pattern", "split", repr(separator), options=pc.SplitPatternOptions(separator))

    def concat(self, *others: object, separator: str = "") -> Expr:
        """Join with other texts, literals or expressions; null if one of them is null."""
        parts = [self.expr._operand(other) for other in others]
        shown = [*(part.text for part in parts), *([f"separator={separator!r}"] if separator else [])]
        return self.expr.call("binary_join_element_wise", *parts, separator, text=self._text("concat", *shown))

    def _trim(self, method: str, function: str, characters: str | None) -> Expr:
        if characters is None:
            return self._call(f"{function}_whitespace", method)
        return self._call(function, method, repr(characters), options=pc.TrimOptions(characters))

    def _call(self, function: str, method: str, *shown: str, options: pc.FunctionOptions | None = None) -> Expr:
        return self.expr.call(function, options=options, text=self._text(method, *shown))

    def _text(self, method: str, *shown: str) -> str:
        return self.expr.method_text(f"str.{method}", *shown)


def _check_pattern(pattern: str) -> None:
    """Raise `PlanError` here, where the typo is, and not in the middle of a run."""
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        raise PlanError(
            f"{pattern!r} is not a regular expression: {error}",
            hint="pass regex=False to look for these characters as they are.",
        ) from error


def _with_named_groups(pattern: str) -> tuple[str, list[str]]:
    """Return the pattern with a name for every group, which Arrow demands, and the names in order."""
    names: list[str] = []

    def named(found: re.Match[str]) -> str:
        if found["name"]:
            names.append(found["name"])
            return f"(?P<{found['name']}>"
        if found["open"]:
            names.append(f"_group{len(names) + 1}")
            return f"(?P<{names[-1]}>"
        return found[0]

    # Escapes and character classes first: a parenthesis inside them is no group.
    token = r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?P?<(?P<name>\w+)>|(?P<open>\((?!\?))"
    return re.sub(token, named, pattern, flags=re.DOTALL), names

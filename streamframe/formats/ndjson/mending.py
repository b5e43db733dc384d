"""A line taken apart into its members, and put together as Arrow can read it.

Rule: this is slow (about 20 MB/s), so it is done only where Arrow has refused a piece. Values keep
the text they have in the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_SPACE = re.compile(r"[ \t\r\n]*")
# Integers may be longer than int() takes.
_VALUES = json.JSONDecoder(parse_int=float)


class Member(NamedTuple):
    """One member of an object."""

    key: str
    text: str
    value: Any


def members(line: str) -> list[Member]:
    """Return the members of the one object in a line, in order, also those of the same name.

    Raises
    ------
    json.JSONDecodeError
        If it is not JSON, or not one object.
    RecursionError
        If it is nested too deeply.
    """
    return list(_members(line))


def items(text: str) -> list[Member]:
    """Return the items of an array, each by its number."""
    return list(_items(text))


def mended(line: bytes | bytearray, keep: frozenset[str] | None, text: frozenset[str]) -> bytes | bytearray:
    """Return the line with the members `keep` (None: all), those in `text` as text; as it is if it is no object."""
    try:
        found = members(line.decode())
    except (ValueError, RecursionError):
        return line
    kept = (
        f"{json.dumps(key)}:{json.dumps(raw) if key in text and not isinstance(value, str | None) else raw}"
        for key, raw, value in found
        if keep is None or key in keep
    )
    return f"{{{','.join(kept)}}}".encode()


def _members(line: str) -> Iterator[Member]:
    at = _expect("{", line, _space(line, 0))
    if line[at : at + 1] != "}":
        while True:
            if line[at : at + 1] != '"':
                raise json.JSONDecodeError("Expecting property name enclosed in double quotes", line, at)
            key, end = _value(line, at)
            start = _expect(":", line, _space(line, end))
            value, end = _value(line, start)
            yield Member(key, line[start:end], value)
            at = _space(line, end)
            if line[at : at + 1] != ",":
                break
            at = _space(line, at + 1)
    at = _expect("}", line, at)
    if at < len(line):
        raise json.JSONDecodeError("Extra data", line, at)


def _items(text: str) -> Iterator[Member]:
    at = _expect("[", text, _space(text, 0))
    while text[at : at + 1] != "]":
        value, end = _value(text, at)
        yield Member("", text[at:end], value)
        at = _space(text, end)
        if text[at : at + 1] == ",":
            at = _space(text, at + 1)


def _value(line: str, at: int) -> tuple[Any, int]:
    try:
        return _VALUES.raw_decode(line, at)
    except StopIteration as error:
        raise json.JSONDecodeError("Expecting value", line, error.value) from None


def _expect(char: str, line: str, at: int) -> int:
    if line[at : at + 1] != char:
        raise json.JSONDecodeError(f"Expecting {char!r}", line, at)
    return _space(line, at + 1)


def _space(line: str, at: int) -> int:
    found = _SPACE.match(line, at)
    return found.end() if found else at

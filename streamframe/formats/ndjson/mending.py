"""Values put into quotes, for columns that take any value as its JSON text.

Rule: this is done only where Arrow has refused a piece, since it is slow: numbers and booleans are
found by a pattern (about 100 MB/s), but for anything else each line is taken apart and put
together again (about 5 MB/s). Values keep the text they have in the file.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

_SCALAR = r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|NaN|-?Infinity|true|false"
_KEY = re.compile(r'("(?:[^"\\]|\\.)*")[ \t\r\n]*:[ \t\r\n]*')
_COMMA = re.compile(r"[ \t\r\n]*,?[ \t\r\n]*")
# Integers may be longer than int() takes.
_VALUES = json.JSONDecoder(parse_int=float)


class Member(NamedTuple):
    """One member of an object."""

    key: str
    text: str
    value: Any


def members(line: str) -> list[Member]:
    """Return the members of the object in a line, in order, also those of the same name.

    Raises
    ------
    json.JSONDecodeError
        If it is not JSON.
    RecursionError
        If it is nested too deeply.
    """
    _VALUES.decode(line)
    found = []
    at = _behind_comma(line, line.index("{") + 1)
    while key := _KEY.match(line, at):
        value, end = _VALUES.raw_decode(line, key.end())
        name = json.loads(key[1]) if "\\" in key[1] else key[1][1:-1]
        found.append(Member(name, line[key.end() : end], value))
        at = _behind_comma(line, end)
    return found


def items(text: str) -> list[Member]:
    """Return the items of an array, without names."""
    found = []
    at = _behind_comma(text, 1)
    while text[at] != "]":
        value, end = _VALUES.raw_decode(text, at)
        found.append(Member("", text[at:end], value))
        at = _behind_comma(text, end)
    return found


def scalars_of(names: frozenset[str]) -> re.Pattern[bytes]:
    """Return a pattern that finds the numbers and booleans of these members, behind what comes before (group 1).

    Quotes inside of text are escaped, so a name in quotes with a colon behind it is a name. But it
    may be one inside of another value.
    """
    quoted = "|".join(re.escape(json.dumps(name, ensure_ascii=False)) for name in sorted(names))
    return re.compile(rf"((?:{quoted})[ \t\r]*:[ \t\r]*)({_SCALAR})(?=[ \t\r]*[,}}])".encode())


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


def with_null(line: bytes, name: str) -> bytes:
    """Return the line with null for the member of this name."""
    kept = (f"{json.dumps(key)}:{'null' if key == name else raw}" for key, raw, _ in members(line.decode()))
    return f"{{{','.join(kept)}}}".encode()


def _behind_comma(text: str, at: int) -> int:
    found = _COMMA.match(text, at)
    return found.end() if found else at

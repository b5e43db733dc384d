r"""Days that are in no calendar: C's `strptime`, and so Arrow's, takes the 31st of February for the 2nd of March.

Rule: what the format itself says of day, month and year decides. A text that is not in the format is none of ours.
ISO 8601 needs no help: Arrow refuses such days there.
"""

from __future__ import annotations

import calendar
import re
from functools import lru_cache, reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamframe.plain_values import plain_array, plain_scalar, plain_texts, text_scalar

_DAY, _MONTH, _YEAR = r"\s*(?P<d>[0-9]{1,2})", r"\s*(?P<m>[0-9]{1,2})", r"\s*(?P<Y>[0-9]{1,4})"
_TWO_DIGITS, _NAME = r"\s*(?P<y>[0-9]{1,2})", r"\s*(?P<b>[^0-9\s]+?)"
_NUMBER = r"\s*[0-9]+"
_CLOCK = rf"{_NUMBER}:{_NUMBER}:{_NUMBER}"
_US_DAY = f"{_MONTH}/{_DAY}/{_TWO_DIGITS}"
# What each sign of strptime stands for; numbers where there is none.
_SIGNS = {
    **dict.fromkeys("de", _DAY),
    **dict.fromkeys("bBh", _NAME),
    **dict.fromkeys("aAz", r"\s*\S+?"),
    **dict.fromkeys("nt", r"\s*"),
    **dict.fromkeys("Dx", _US_DAY),
    **dict.fromkeys("TX", _CLOCK),
    "F": f"{_YEAR}-{_MONTH}-{_DAY}",
    "R": f"{_NUMBER}:{_NUMBER}",
    "Y": _YEAR,
    "c": rf"\s*\S+?\s*{_NAME}\s*{_DAY}\s*{_CLOCK}\s*{_YEAR}",
    "j": r"\s*(?P<j>[0-9]{1,3})",
    "m": _MONTH,
    "p": r"\s*[AaPp][Mm]",
    "r": rf"{_CLOCK}\s*[AaPp][Mm]",
    "y": _TWO_DIGITS,
    "%": "%",
}
_GROUPS = ("d", "m", "b", "Y", "y", "j")
_MONTHS = {name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
# What is there in any case: days that all months have, months, and days of a year.
_USUAL = {
    "d": plain_texts([text for day in range(1, 29) for text in {f"{day}", f"{day:02}"}]),
    "m": plain_texts([text for month in range(1, 13) for text in {f"{month}", f"{month:02}"}]),
    "j": plain_texts([text for day in range(1, 366) for text in {f"{day}", f"{day:02}", f"{day:03}"}]),
}
# Made of None, a scalar imports pandas.
_NO_TEXT = pa.nulls(1, pa.string())[0]
_SHORT_MONTHS = plain_array(np.array([2, 4, 6, 9, 11]))


def may_be_off(times: pa.Array | pa.ChunkedArray, date_format: str) -> pa.Array | pa.ChunkedArray:
    """Tell of each of these times whether a day that there is not may have become it: few, and soon told."""
    if "%j" in date_format:
        return pc.is_valid(times)
    # Of times with a zone the day in the text may be one more, or one less.
    utc = times.cast(pa.timestamp(times.type.unit))
    day, short = pc.day(utc), pc.is_in(pc.month(utc), _SHORT_MONTHS)
    return pc.or_(pc.and_(short, pc.greater(day, plain_scalar(27))), pc.and_not(pc.less(day, plain_scalar(5)), short))


def no_such_days(texts: pa.Array | pa.ChunkedArray, date_format: str) -> pa.Array | pa.ChunkedArray:
    """Tell of each text whether it is in the format, and names a day that there is not.

    Examples
    --------
    >>> import pyarrow as pa
    >>> no_such_days(pa.array(["29.02.2024", "29.02.2023", "2023-02-29", None]), "%d.%m.%Y").to_pylist()
    [False, True, False, False]
    """
    pattern = _pattern(date_format)
    known = [name for name in _GROUPS if f"(?P<{name}>" in pattern]
    found = pc.extract_regex(texts, pattern)
    # Few of a month's days can be missing, and few months there are: each is looked up once.
    usual = (pc.is_in(pc.struct_field(found, name), _USUAL[name]) for name in known if name in _USUAL)
    may_be = pc.and_not(pc.is_valid(found), reduce(pc.and_, usual, pc.is_valid(found)))
    parts = [pc.if_else(may_be, pc.struct_field(found, name), _NO_TEXT) for name in known]
    if not parts:
        return may_be
    days = pc.binary_join_element_wise(*parts, text_scalar("\n"))
    missing = [
        day for day in days.unique().to_pylist() if day and not _exists(dict(zip(known, day.split("\n"), strict=True)))
    ]
    return pc.is_in(days, plain_texts(missing)) if missing else pc.and_(may_be, pc.invert(may_be))


def _exists(day: dict[str, str]) -> bool:
    year = int(day.get("Y", "1900"))
    if "y" in day:
        # As C does it: 69 is 1969.
        year = int(day["y"]) + (1900 if int(day["y"]) > 68 else 2000)
    if "j" in day and not 1 <= int(day["j"]) <= 365 + calendar.isleap(year):
        return False
    month = _MONTHS.get(day["b"][:3].lower()) if "b" in day else int(day.get("m", "1"))
    if month is None:
        # In another language: not for us to say.
        return True
    return 1 <= month <= 12 and 1 <= int(day.get("d", "1")) <= calendar.monthrange(year, month)[1]


@lru_cache(16)
def _pattern(date_format: str) -> str:
    """Return a regular expression, in RE2's syntax, for texts in a format."""
    pieces, seen = [], set()
    for found in re.finditer(r"%(.)|(\s+)|(.)", date_format, re.DOTALL):
        sign, space, char = found.groups()
        piece = _SIGNS.get(sign, _NUMBER) if sign else r"\s*" if space else re.escape(char)
        for name in re.findall(r"\?P<(\w)>", piece):
            # A group has its name once.
            piece = piece.replace(f"?P<{name}>", "?:") if name in seen else piece
            seen.add(name)
        pieces.append(piece)
    return rf"^{''.join(pieces)}\s*$"

"""The remedy where a time has a zone and its type has none, or the other way round.

Rule: neither is taken for the other in silence. Whoever wrote a time without a zone knows which it is in; we do not.
"""

from __future__ import annotations

import pyarrow as pa

from streamframe.formats.wording import quoted


def zone_hint(name: str, text: str, kind: pa.DataType) -> str | None:
    """Return what to do about a time that does not fit the type of its column; None if it is no such time."""
    if not pa.types.is_timestamp(kind):
        return None
    if kind.tz is None:
        is_that = _is_read(text, pa.timestamp(kind.unit, "UTC"))
        return f'pass dtype={{{quoted(name)}: "timestamp[{kind.unit}, UTC]"}}.' if is_that else None
    if not _is_read(text, pa.timestamp(kind.unit)):
        return None
    localized = f"sf.col({quoted(name)}).dt.tz_localize({quoted(kind.tz)})"
    columns = f"{name}={localized}" if name.isidentifier() else f"**{{{quoted(name)}: {localized}}}"
    return (
        f'pass dtype={{{quoted(name)}: "timestamp[{kind.unit}]"}}, and say which zone its times are in: '
        f".with_columns({columns})."
    )


def _is_read(text: str, kind: pa.DataType) -> bool:
    try:
        pa.array([text], pa.string()).cast(kind)
    except pa.ArrowInvalid:
        return False
    return True

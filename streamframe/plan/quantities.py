"""Numbers as a person reads them: bytes, counts, rates, seconds.

Rule: sizes are decimal (1 MB is 10**6 bytes), as in `memory="64MB"`, so that a figure on the
screen can be typed back as an option.
"""

from __future__ import annotations

_BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_COUNT_UNITS = ("", "k", "M", "G", "T")


def human_bytes(nbytes: float) -> str:
    """Return ``"12.3 MB"`` for 12_345_678."""
    value, unit = _scaled(nbytes, _BYTE_UNITS)
    return f"{value} {unit}"


def human_share(held_bytes: float, limit_bytes: float) -> str:
    """Return ``"12/64 MB"``: both in the unit of the limit, in whole numbers."""
    limit, unit = _scaled(limit_bytes, _BYTE_UNITS)
    scale = 1000 ** _BYTE_UNITS.index(unit)
    return f"{held_bytes / scale:.0f}/{limit} {unit}"


def human_count(count: int) -> str:
    """Return ``"1,234,567"``."""
    return f"{count:,}"


def human_rate(count: float, seconds: float, unit: str = "rows") -> str:
    """Return ``"3.1M rows/s"``; empty where no time has passed, so that nobody divides by it."""
    if seconds <= 0:
        return ""
    value, prefix = _scaled(count / seconds, _COUNT_UNITS)
    return f"{value}{prefix} {unit}/s"


def human_seconds(seconds: float) -> str:
    """Return ``"85 ms"``, ``"1.4 s"``, ``"2 min 05 s"`` or ``"3 h 07 min"``."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def plural(count: int, noun: str) -> str:
    """Return ``"1 file"`` or ``"1,204 files"``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _scaled(value: float, units: tuple[str, ...]) -> tuple[str, str]:
    """Return three significant digits and their unit; 999,950 is "1" M, never "1000" k."""
    for unit in units[:-1]:
        text = f"{value:.0f}" if unit == units[0] or value >= 99.95 else f"{value:.1f}".removesuffix(".0")
        if float(text) < 1000:
            return text, unit
        value /= 1000
    return f"{value:,.0f}", units[-1]

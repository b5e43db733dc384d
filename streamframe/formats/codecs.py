"""The compressions that binary formats have inside of their files."""

from __future__ import annotations

from collections.abc import Sequence

from streamframe.errors import PlanError, did_you_mean


def checked_codec(compression: str | None, known: Sequence[str], format_name: str) -> str:
    """Return a compression in lower case, None as ``"none"``; raise `PlanError` if the format does not know it."""
    # pandas takes None and any case.
    codec = str(compression).lower()
    if codec not in known:
        near = did_you_mean(codec, known)
        raise PlanError(
            f"compression={codec!r} is not known to {format_name}", hint=near or f"use one of {', '.join(known)}."
        )
    return codec

"""Where lines end."""

from __future__ import annotations

from streamframe.formats.records import LineRecords


class TextLines(LineRecords):
    """Lines of any text."""

    def _endless_hint(self) -> str:
        return (
            "look whether this is text, and what its lines end with: where there are newlines, a lone carriage return "
            "ends none."
        )

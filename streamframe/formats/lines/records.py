"""Where lines end."""

from __future__ import annotations

from streamframe.formats.records import Records


class TextLines(Records):
    """Records of one line each; the last one may lack its newline."""

    def _end_of_records(self) -> int:
        return max(self._data.rfind(b"\n", self._start, self._filled) + 1, self._start)

    def _end_of_file(self, stop: int) -> int:
        return self._filled

    def _endless_hint(self) -> str:
        return "look whether this is text, and what its lines end with: a lone carriage return ends none."

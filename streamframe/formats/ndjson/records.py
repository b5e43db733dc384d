"""Where the records of an NDJSON file end: at each newline, since none stands inside of JSON without being escaped."""

from __future__ import annotations

from streamframe.formats.records import LineRecords

_WHITESPACE = b" \t\r\n"


class JsonLines(LineRecords):
    """Lines that hold an object each."""

    def skip_whitespace(self) -> None:
        """Pass over what stands before the first record."""
        while True:
            while self._start < self._filled and self._data[self._start] in _WHITESPACE:
                self._start += 1
            if self._start < self._filled or not self._read_more():
                return

    def _endless_hint(self) -> str:
        return (
            "NDJSON has one object in each line, or all in one array; a JSON document that is one object "
            "has to be cut into lines first: jq -c '.rows[]', if its rows are called so."
        )

"""Where the records of an NDJSON file end: at each newline, since none stands inside of JSON without being escaped."""

from __future__ import annotations

import re

import pyarrow as pa

from streamframe.formats.records import LineRecords, Piece, line_starts

_WHITESPACE = b" \t\r\n"
_CONTENT = re.compile(rb"[^ \t\r]")
_NEWLINE = 0x0A


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


def line_offsets(piece: Piece) -> pa.Int64Array:
    """Return the absolute offset of each line that is not blank, behind the whitespace it starts with."""
    import numpy as np

    starts = line_starts(piece)
    first = np.frombuffer(piece.data, np.uint8)[starts]
    blank = np.isin(first, np.frombuffer(_WHITESPACE, np.uint8))
    for at in np.flatnonzero(blank):
        found = _CONTENT.search(piece.data, int(starts[at]), piece.stop)
        if found and piece.data[found.start()] != _NEWLINE:
            starts[at] = found.start()
            blank[at] = False
    return pa.array(starts[~blank] + (piece.byte_offset - piece.start), pa.int64())

"""Where the records of a piece of CSV start.

Rules: what counts as a record is what Arrow makes a row of, so neither empty lines nor comments do.
Exact, never a guess: as `cutter` does it, quotes that are well-formed are counted, at once for the
whole piece; whatever else there is goes through the grammar, record by record.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from streamframe.formats.csv.cutter import inside_quotes
from streamframe.formats.csv.dialect import Dialect
from streamframe.formats.records import Piece

if TYPE_CHECKING:
    import numpy as np

_NEWLINE, _RETURN = b"\n\r"
# What is looked at in one go, so that what is in between stays small.
_CHUNK_BYTES = 1 << 18


def records_of(piece: Piece, dialect: Dialect) -> Iterator[tuple[int, bytes]]:
    """Yield the absolute offset and the text of each record, with what ends it."""
    comment = dialect.comment.encode() if dialect.comment else None
    at = piece.start
    while at < piece.stop and (found := dialect.one_record.match(piece.data, at, piece.stop)):
        text = found[0]
        if text.strip(b"\r\n") and not (comment and text.startswith(comment)):
            yield piece.byte_offset + at - piece.start, text
        at = found.end()


def first_longer(piece: Piece, dialect: Dialect, nbytes: int) -> int | None:
    """Return the position in `piece.data` of the first record that is longer, with its end; None if there is none."""
    import numpy as np

    starts = _starts(piece, dialect)
    if starts is not None:
        # Up to the next record there may be empty lines and comments.
        starts = starts[np.diff(starts, append=piece.stop - piece.start) > nbytes]
        found = ((at, dialect.one_record.match(piece.data, at, piece.stop)) for at in (starts + piece.start).tolist())
        return next((at for at, record in found if record and len(record[0]) > nbytes), None)
    before = piece.byte_offset - piece.start
    return next((offset - before for offset, text in records_of(piece, dialect) if len(text) > nbytes), None)


def record_offsets(piece: Piece, dialect: Dialect) -> pa.Int64Array:
    """Return the absolute offset of each record."""
    if piece.broken:
        return pa.array([piece.byte_offset], pa.int64())
    starts = _starts(piece, dialect)
    if starts is None:
        return pa.array([offset for offset, _ in records_of(piece, dialect)], pa.int64())
    return pa.array(starts + piece.byte_offset, pa.int64())


def _starts(piece: Piece, dialect: Dialect) -> np.ndarray[Any, Any] | None:
    """Return where records start in the piece; None if counting does not tell."""
    import numpy as np

    quoted, escaped, commented = (
        char is not None and piece.data.find(char.encode(), piece.start, piece.stop) >= 0
        for char in (dialect.quotechar, dialect.escapechar, dialect.comment)
    )
    # The bytes of a comment mean nothing, so neither does the parity of its quotes.
    if escaped or (quoted and commented):
        return None
    content = np.frombuffer(piece.data, np.uint8, piece.stop - piece.start, piece.start)
    ends = _line_ends(content)
    if quoted:
        inside = inside_quotes(dialect, piece.data, piece.start, piece.stop)
        if inside is None:
            return None
        ends = ends[(inside[ends >> 6] >> (ends & 63).astype(np.uint64)) & np.uint64(1) == 0]
    starts = np.concatenate([np.zeros(1, np.int64), ends + 1])
    starts = starts[: np.searchsorted(starts, len(content))]
    first = content[starts]
    # What starts with the end of a line is an empty one, or the second half of \r\n.
    is_record = (first != _NEWLINE) & (first != _RETURN)
    if commented and dialect.comment:
        is_record &= first != ord(dialect.comment)
    found: np.ndarray[Any, Any] = starts[is_record]
    return found


def _line_ends(content: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    import numpy as np

    found = [np.zeros(0, np.int64)]
    for at in range(0, len(content), _CHUNK_BYTES):
        chunk = content[at : at + _CHUNK_BYTES]
        found.append(np.flatnonzero((chunk == _NEWLINE) | (chunk == _RETURN)) + at)
    return np.concatenate(found)

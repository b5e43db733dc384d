"""Where the last complete record of some bytes ends.

Rules: no I/O. Exact, never a guess: a block without quotes ends at its last newline; one whose
quotes are well-formed is cut by their parity; any other goes through the grammar. All positions
count from the start of `data`, and `start` is always the start of a record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamframe.formats.csv.dialect import Dialect

if TYPE_CHECKING:
    import numpy as np


def end_of_records(dialect: Dialect, data: bytearray, start: int, stop: int) -> int:
    r"""Return the position behind the last complete record in ``data[start:stop]``; `start` if there is none.

    What ends with a newline is complete. Behind a ``\r`` a ``\n`` may still come: it is an empty
    line then, which is no record.
    """
    if not _has(data, dialect.quotechar, start, stop) and not _has(data, dialect.escapechar, start, stop):
        return max(_end_of_last_line(data, start, stop), start)
    # The bytes of a comment mean nothing, so neither does their parity.
    if not _has(data, dialect.escapechar, start, stop) and not _has(data, dialect.comment, start, stop):
        quotes = well_formed_quotes(dialect, data, start, stop)
        if quotes is not None:
            return _end_by_parity(quotes, data, start, stop)
    found = dialect.whole_records.match(data, start, stop)
    return found.end() if found else start


def open_quote(dialect: Dialect, data: bytearray, start: int, stop: int) -> int | None:
    """Return the position of the quote that is not closed in the one record ``data[start:stop]``, if there is one."""
    if dialect.one_record.match(data, start, stop):
        return None
    found = dialect.closed_fields.match(data, start, stop)
    return found.end() if found else start


def well_formed_quotes(dialect: Dialect, data: bytearray, start: int, stop: int) -> np.ndarray[Any, Any] | None:
    """Return the positions of all quotes if counting them tells what is inside; None if it does not.

    It does if each opening quote stands where a field starts, or closes a pair (``""``), and each
    closing one where a field ends, or opens a pair. Then, from the start on, no quote is plain text.
    """
    import numpy as np

    if not dialect.quotechar:
        return np.empty(0, np.intp)
    content = np.frombuffer(data, np.uint8, stop - start, start)
    quotes = np.flatnonzero(content == ord(dialect.quotechar))
    beside = np.zeros(256, np.bool_)
    beside[[ord(dialect.sep), ord(dialect.quotechar), 0x0A, 0x0D]] = True
    # The very first and the very last byte have no neighbour: as good as a newline.
    opening, closing = quotes[0::2], quotes[1::2]
    if len(opening) and opening[0] == 0:
        opening = opening[1:]
    if len(closing) and closing[-1] == stop - start - 1:
        closing = closing[:-1]
    if not beside[content[opening - 1]].all() or not beside[content[closing + 1]].all():
        return None
    return quotes + start


def _end_by_parity(quotes: np.ndarray[Any, Any], data: bytearray, start: int, stop: int) -> int:
    end = stop
    while (end := _end_of_last_line(data, start, end)) > start:
        before = int(quotes.searchsorted(end))
        if before % 2 == 0:
            return end
        # A line that ends inside of quotes: go on before the quote that opened them.
        end = int(quotes[before - 1])
    return start


def _end_of_last_line(data: bytearray, start: int, stop: int) -> int:
    newline = data.rfind(b"\n", start, stop)
    # Only what lies behind the last \n needs a second look: cheap where lines end as usual.
    return max(newline, data.rfind(b"\r", max(newline, start), stop)) + 1


def _has(data: bytearray, char: str | None, start: int, stop: int) -> bool:
    return char is not None and data.find(char.encode(), start, stop) >= 0

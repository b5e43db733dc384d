"""Where the last complete record of some bytes ends.

Rules: no I/O. Exact, never a guess: a block without quotes ends at its last newline; one whose
quotes are well-formed is cut by their parity; any other goes through the grammar. All positions
count from the start of `data`, and `start` is always the start of a record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamframe.formats.csv import kernel
from streamframe.formats.csv.dialect import Dialect
from streamframe.formats.parity import inside_of

if TYPE_CHECKING:
    import numpy as np

_PIECE_BYTES = 1 << 18  # a multiple of 64


def end_of_records(dialect: Dialect, data: bytearray, start: int, stop: int) -> int:
    r"""Return the position behind the last complete record in ``data[start:stop]``; `start` if there is none.

    What ends with a newline is complete. Behind a ``\r`` a ``\n`` may still come: it is an empty
    line then, which is no record.
    """
    found_at = kernel.end_of_records(dialect, data, start, stop)
    if found_at is not None:
        return found_at
    if not _has(data, dialect.quotechar, start, stop) and not _has(data, dialect.escapechar, start, stop):
        return max(_end_of_last_line(data, start, stop), start)
    # The bytes of a comment mean nothing, so neither does their parity.
    if not _has(data, dialect.escapechar, start, stop) and not _has(data, dialect.comment, start, stop):
        inside = inside_quotes(dialect, data, start, stop)
        if inside is not None:
            return _end_by_parity(inside, dialect.quotechar, data, start, stop)
    found = dialect.whole_records.match(data, start, stop)
    return found.end() if found else start


def open_quote(dialect: Dialect, data: bytearray, start: int, stop: int) -> int | None:
    """Return the position of the quote that is not closed in the one record ``data[start:stop]``, if there is one."""
    if dialect.one_record.match(data, start, stop):
        return None
    found = dialect.closed_fields.match(data, start, stop)
    return found.end() if found else start


def inside_quotes(dialect: Dialect, data: bytearray, start: int, stop: int) -> np.ndarray[Any, Any] | None:
    """Return a bit for each byte, whether the next one is inside of quotes; None if counting does not tell.

    It does if each opening quote stands where a field starts, or closes a pair (``""``), and each
    closing one where a field ends, or opens a pair. Then, from the start on, no quote is plain text.

    Returns
    -------
    array of uint64
        Bit ``i % 64`` of word ``i // 64`` belongs to ``data[start + i]``; bits behind the end mean nothing.
    """
    import numpy as np

    words = -(-(stop - start) // 64)
    if not dialect.quotechar or not words:
        return np.zeros(words, np.uint64)
    one, top = np.uint64(1), np.uint64(63)
    quotes, beside = _bits(dialect, np.frombuffer(data, np.uint8, stop - start, start))
    inside = inside_of(quotes)
    # The very first and the very last byte have no neighbour: as good as a newline.
    before = beside << one
    before[1:] |= beside[:-1] >> top
    before[0] |= one
    behind = beside >> one
    behind[:-1] |= beside[1:] << top
    behind[-1] |= np.uint64(1 << (stop - start - 1) % 64)
    # An opening quote is counted already where it stands.
    well_formed = (inside & before) | (~inside & behind)
    return None if (quotes & ~well_formed).any() else inside


def _bits(dialect: Dialect, content: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return a bit for each byte: whether it is a quote, and whether it may stand beside one."""
    import numpy as np

    assert dialect.quotechar
    quotes, beside = (np.zeros(-(-len(content) // 64) * 8, np.uint8) for _ in range(2))
    # Piece by piece, so that what is in between stays in the cache.
    found, also = (np.empty(min(_PIECE_BYTES, len(content)), np.bool_) for _ in range(2))
    for at in range(0, len(content), _PIECE_BYTES):
        piece = content[at : at + _PIECE_BYTES]
        found, also = found[: len(piece)], also[: len(piece)]
        place = slice(at // 8, -(-(at + len(piece)) // 8))
        np.equal(piece, ord(dialect.quotechar), out=found)
        quotes[place] = np.packbits(found, bitorder="little")
        for neighbour in (ord(dialect.sep), 0x0A, 0x0D):
            np.equal(piece, neighbour, out=also)
            np.logical_or(found, also, out=found)
        beside[place] = np.packbits(found, bitorder="little")
    return quotes.view(np.uint64), beside.view(np.uint64)


def _end_by_parity(inside: np.ndarray[Any, Any], quotechar: str | None, data: bytearray, start: int, stop: int) -> int:
    end = stop
    while (end := _end_of_last_line(data, start, end)) > start:
        word, bit = divmod(end - 1 - start, 64)
        if not int(inside[word]) >> bit & 1:
            return end
        # A line that ends inside of quotes: go on before the quote that opened them.
        end = data.rfind((quotechar or "").encode(), start, end)
    return start


def _end_of_last_line(data: bytearray, start: int, stop: int) -> int:
    newline = data.rfind(b"\n", start, stop)
    # Only what lies behind the last \n needs a second look: cheap where lines end as usual.
    return max(newline, data.rfind(b"\r", max(newline, start), stop)) + 1


def _has(data: bytearray, char: str | None, start: int, stop: int) -> bool:
    return char is not None and data.find(char.encode(), start, stop) >= 0

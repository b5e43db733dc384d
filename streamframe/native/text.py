"""The text of CSV, written by a kernel."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from itertools import pairwise

import pyarrow as pa

from streamframe.native.kernels import NO_ROOM, Progress, library


class _Written(ctypes.Structure):
    """`struct written` of `csv_text.c`."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("text", ctypes.c_void_p),
        ("validity", ctypes.c_void_p),
        ("offset", ctypes.c_int64),
        ("width", ctypes.c_int32),
        ("is_signed", ctypes.c_int32),
        ("quoted", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
    )


class _Spelling(ctypes.Structure):
    """`struct spelling` of `csv_text.c`."""

    _fields_ = (
        ("separator", ctypes.c_uint8),
        ("quote", ctypes.c_uint8),
        ("end", ctypes.c_uint8 * 2),
        ("end_length", ctypes.c_int64),
        ("null", ctypes.c_char_p),
        ("null_length", ctypes.c_int64),
    )


class CsvText:
    """Turns columns into text.

    Parameters
    ----------
    separator, quote
        One ASCII character each.
    end
        Of a line, one byte or two.
    null
        What stands for nothing.
    """

    def __init__(self, separator: str, quote: str, end: str, null: str) -> None:
        self._null = null.encode()
        self._spelling = _Spelling(
            ord(separator), ord(quote), (ctypes.c_uint8 * 2)(*end.encode()), len(end), self._null, len(self._null)
        )
        # Of a row, as far as was seen. Threads write it without a lock: a forecast may be a batch late.
        self._row_bytes = 64.0

    def of(self, columns: list[pa.Array], quoted: list[bool], ends: Sequence[int]) -> list[bytes] | None:
        """Return the text of the first rows, of those behind them, and so on, up to each of `ends`.

        Columns are integers or strings; None if there are others, or no kernel.
        """
        kernels = library()
        if kernels is None or not all(
            pa.types.is_integer(each.type) or pa.types.is_string(each.type) for each in columns
        ):
            return None
        rows = ends[-1] if ends else 0
        written = (_Written * len(columns))(*map(_written, columns, quoted))
        text = pa.allocate_buffer(int(rows * self._row_bytes) + 4096, resizable=True)
        progress = Progress()
        bounds = [0]
        for end in ends:
            while (
                kernels.sf_csv_write(
                    written,
                    len(columns),
                    end,
                    ctypes.byref(self._spelling),
                    text.address,
                    text.size,
                    ctypes.byref(progress),
                )
                == NO_ROOM
            ):
                text.resize(text.size + text.size // 2 + progress.lacking)
            bounds.append(progress.at)
        self._row_bytes = max(self._row_bytes * 0.9, progress.at / max(rows, 1) * 1.02)
        # Not by a view: that of a buffer which has grown knows its old size.
        return [text.slice(start, end - start).to_pybytes() for start, end in pairwise(bounds)]


def _written(column: pa.Array, quoted: bool) -> _Written:
    validity, data, *text = column.buffers()
    width = 0 if text else column.type.bit_width // 8
    return _Written(
        data.address + column.offset * (width or 4),
        # There may be no text at all.
        (text[0] or data).address if text else None,
        validity.address if validity and column.null_count else None,
        column.offset,
        width,
        pa.types.is_signed_integer(column.type),
        quoted,
    )

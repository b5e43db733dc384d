"""The text of CSV and of JSON, written by a kernel."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from streamframe.native.kernels import NO_ROOM, Progress, library

# `enum spelling_of` of `text.c`.
_AS_IT_IS, _QUOTED = 0, 1
_JSON = {"as it is": 0, "escaped": 2, "float": 3, "time": 4}


class _Written(ctypes.Structure):
    """`struct written` of `text.c`."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("text", ctypes.c_void_p),
        ("validity", ctypes.c_void_p),
        ("offset", ctypes.c_int64),
        ("width", ctypes.c_int32),
        ("is_signed", ctypes.c_int32),
        ("spelled", ctypes.c_int32),
        ("before_length", ctypes.c_int32),
        ("opening_length", ctypes.c_int32),
        ("closing_length", ctypes.c_int32),
        ("before", ctypes.c_char_p),
        ("opening", ctypes.c_char_p),
        ("closing", ctypes.c_char_p),
    )


class _Spelling(ctypes.Structure):
    """`struct spelling` of `text.c`."""

    _fields_ = (
        ("separator", ctypes.c_uint8),
        ("quote", ctypes.c_uint8),
        ("end", ctypes.c_uint8 * 2),
        ("end_length", ctypes.c_int64),
        ("null", ctypes.c_char_p),
        ("null_length", ctypes.c_int64),
    )


class _Lines:
    """Text in a buffer that grows with it."""

    def __init__(self) -> None:
        # Of a row, as far as was seen. Threads write it without a lock: a forecast may be a batch late.
        self._row_bytes = 64.0

    def _until(self, ends: Sequence[int], write: Callable[..., int], *arguments: Any) -> list[pa.Buffer]:
        """Return what a kernel writes of the first rows, of those behind them, and so on, up to each of `ends`."""
        rows = ends[-1] if ends else 0
        text = pa.allocate_buffer(int(rows * self._row_bytes) + 4096, resizable=True)
        progress = Progress()
        bounds = [0]
        for end in ends:
            while write(*arguments, end, text.address, text.size, ctypes.byref(progress)) == NO_ROOM:
                text.resize(text.size + text.size // 2 + progress.lacking)
            bounds.append(progress.at)
        self._row_bytes = max(self._row_bytes * 0.9, progress.at / max(rows, 1) * 1.02)
        # No bytes of Python's: to copy them takes longer than to make them, since each page of theirs is a new one.
        return [text.slice(start, end - start) for start, end in pairwise(bounds)]


class CsvText(_Lines):
    """Turns columns into lines of CSV.

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
        super().__init__()
        self._null = null.encode()
        self._spelling = _Spelling(
            ord(separator), ord(quote), (ctypes.c_uint8 * 2)(*end.encode()), len(end), self._null, len(self._null)
        )

    def of(self, columns: list[pa.Array], quoted: list[bool], ends: Sequence[int]) -> list[pa.Buffer] | None:
        """Return the text of the first rows, of those behind them, and so on, up to each of `ends`.

        Columns are integers or strings; None if there are others, or no kernel.
        """
        kernels = library()
        if kernels is None or not all(map(_is_known, columns)):
            return None
        written = (_Written * len(columns))(
            *(
                _written(column, _QUOTED if quotes else _AS_IT_IS)
                for column, quotes in zip(columns, quoted, strict=True)
            )
        )
        return self._until(ends, kernels.sf_csv_write, ctypes.byref(self._spelling), written, len(columns))


class JsonColumn(NamedTuple):
    """What a column is written from.

    Attributes
    ----------
    values
        Integers, or strings: Arrow's text of what else it was.
    spelled
        What its text still lacks.
    opening, closing
        What stands around a value that is not null.
    """

    values: pa.Array
    spelled: Literal["as it is", "escaped", "float", "time"] = "as it is"
    opening: str = ""
    closing: str = ""


class JsonText(_Lines):
    """Turns columns into objects, each in a line.

    Parameters
    ----------
    names
        Of the columns, as JSON has them.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._before = [f"{',' if place else '{'}{name}:".encode() for place, name in enumerate(names)]

    def of(self, columns: Sequence[JsonColumn], ends: Sequence[int]) -> list[pa.Buffer] | None:
        """Return the text of the first rows, of those behind them, and so on, up to each of `ends`.

        None if the values of a column are neither integers nor strings, or there is no kernel.
        """
        kernels = library()
        if kernels is None or not all(_is_known(column.values) for column in columns):
            return None
        written = (_Written * len(columns))(
            *(
                _written(column.values, _JSON[column.spelled], before, column.opening.encode(), column.closing.encode())
                for column, before in zip(columns, self._before, strict=True)
            )
        )
        return self._until(ends, kernels.sf_json_write, written, len(columns))


def _is_known(column: pa.Array) -> bool:
    return bool(pa.types.is_integer(column.type) or pa.types.is_string(column.type))


def _written(
    column: pa.Array, spelled: int, before: bytes = b"", opening: bytes = b"", closing: bytes = b""
) -> _Written:
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
        spelled,
        len(before),
        len(opening),
        len(closing),
        before,
        opening,
        closing,
    )

"""What the rows of a column chunk of Parquet weigh, by a kernel."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import numpy as np

from streamframe.native.kernels import DONE, library

# `enum` of `parquet_rows.c`.
_MORE_LEVELS, _TOO_HEAVY = 2, 3
_MOST_ENDS = 1 << 16
# Behind the last number, bytes are read.
_SLACK = 64


class _Weighing(ctypes.Structure):
    """The front of `struct weighing` of `parquet_rows.c`, and room for the rest of it."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("repetition", "repetition_end", "definition", "definition_end")),
        *((name, ctypes.c_void_p) for name in ("values", "values_end")),
        *((name, ctypes.c_int64) for name in ("levels", "how")),
        ("lengths", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("lengths_count", "most_repetition", "most_definition", "level_bytes")),
        *((name, ctypes.c_int64) for name in ("most_row_bytes", "piece_bytes", "rows", "row_bytes", "before_bytes")),
        ("ends", ctypes.c_void_p),
        ("ends_count", ctypes.c_int64),
        ("runs", ctypes.c_int64 * 32),
    )


class KernelWeigher:
    """Goes through the levels of a chunk, page by page; its attributes are those of `weighing.Weigher`."""

    def __init__(
        self, most_repetition: int, most_definition: int, level_bytes: int, most_row_bytes: int, piece_bytes: int
    ) -> None:
        kernels = library()
        assert kernels
        self._kernels = kernels
        self._room = np.empty(_MOST_ENDS, np.int64)
        self._state = _Weighing(
            most_repetition=most_repetition,
            most_definition=most_definition,
            level_bytes=level_bytes,
            most_row_bytes=most_row_bytes,
            piece_bytes=piece_bytes,
            ends=self._room.ctypes.data,
        )
        self.ends: list[int] = []
        self.too_heavy = False

    @staticmethod
    def is_there() -> bool:
        """Tell whether there is a kernel."""
        return library() is not None and sys.byteorder == "little"

    @property
    def rows(self) -> int:
        """How many rows have begun."""
        return int(self._state.rows)

    @property
    def row_bytes(self) -> int:
        """What the last of them weighs so far."""
        return int(self._state.row_bytes)

    @property
    def before_bytes(self) -> int:
        """What the rows before it weigh, behind the last end."""
        return int(self._state.before_bytes)

    def add(self, levels: int, sections: Any, how: int, lengths: np.ndarray[Any, Any] | None) -> bool:
        """Go through a page; False if what it holds is not sure."""
        state, held = self._state, []
        for name, section in zip(("repetition", "definition", "values"), sections, strict=True):
            # A copy, not to read behind the page.
            data = np.concatenate([np.frombuffer(section, np.uint8), np.zeros(_SLACK, np.uint8)])
            setattr(state, name, data.ctypes.data)
            setattr(state, f"{name}_end", data.ctypes.data + len(data) - _SLACK)
            held.append(data)
        state.levels, state.how = levels, how
        state.lengths, state.lengths_count = (None, 0) if lengths is None else (lengths.ctypes.data, len(lengths))
        outcome = self._kernels.sf_parquet_weigh_page(ctypes.byref(state))
        if outcome != DONE:
            return False
        while True:
            outcome = self._kernels.sf_parquet_weigh(ctypes.byref(state))
            self.ends.extend(self._room[: state.ends_count].tolist())
            if outcome != _MORE_LEVELS:
                self.too_heavy = outcome == _TOO_HEAVY
                return outcome in (DONE, _TOO_HEAVY)


def header_of(data: bytes) -> tuple[list[int], int] | None:
    """Return what the header of a page says, in the order of `pages.Page`, and its length; None if not sure."""
    kernels = library()
    if kernels is None:
        return None
    told = (ctypes.c_int64 * 10)()
    length = kernels.sf_parquet_header(data, len(data), told)
    return (list(told), length) if length else None


def lengths_of(texts: Any, most: int) -> np.ndarray[Any, Any] | None:
    """Return the lengths of so many texts that stand on end, each behind its own; None if they do not."""
    kernels = library()
    if kernels is None or sys.byteorder != "little":
        return None
    data, made = np.frombuffer(texts, np.uint8), np.empty(most, np.int32)
    found = kernels.sf_parquet_lengths(data.ctypes.data, data.ctypes.data + len(data), most, made.ctypes.data)
    return made if found == most else None

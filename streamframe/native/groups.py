"""Groups of rows, and their values, by the kernels; what these do not know is Arrow's."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa

from streamframe.native.kernels import DONE, library

# Groups and rows are numbered by 32 bits.
_MOST_ROWS = (1 << 31) - 1
_SIGNED = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}
_BOUNDS = {"min": np.iinfo(np.int64).max, "max": np.iinfo(np.int64).min}


class _Values(ctypes.Structure):
    """`struct values` of `groups.c`."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("text", ctypes.c_void_p),
        ("validity", ctypes.c_void_p),
        ("offset", ctypes.c_int64),
        ("width", ctypes.c_int64),
    )


class Groups(NamedTuple):
    """Rows by the group that they are in."""

    number_of: np.ndarray[Any, np.dtype[np.int32]]
    # The first row of each group: there are so many groups.
    firsts: np.ndarray[Any, np.dtype[np.int32]]

    @classmethod
    def of(cls, keys: Sequence[pa.Array]) -> Self | None:
        """Return the groups of rows that are alike in all keys; None if that takes Arrow."""
        kernels = library()
        rows = len(keys[0]) if keys else 0
        if kernels is None or not rows or rows > _MOST_ROWS or not all(_is_key(key.type) for key in keys):
            return None
        before = None
        for key in keys:
            numbers, firsts = np.empty(rows, np.int32), np.empty(rows, np.int32)
            count = kernels.sf_group(
                ctypes.byref(_values(key)),
                rows,
                None if before is None else before.ctypes.data,
                numbers.ctypes.data,
                firsts.ctypes.data,
            )
            if count < 0:
                return None
            before = numbers
        return cls(numbers, firsts[:count].copy())

    def reduce(self, function: str, values: pa.Array | None) -> pa.Array | None:
        """Return one value a group, null where there is none; None if that takes Arrow."""
        if function == "count":
            return pa.array(self._counts(values))
        assert values is not None
        made = self._sums(values) if function == "sum" else self._extremes(function, values)
        if made is None:
            return None
        nothing = self._counts(values) == 0 if values.null_count else None
        return pa.array(made, mask=nothing) if function == "sum" else _as(made, nothing, values.type)

    def _counts(self, values: pa.Array | None) -> np.ndarray[Any, Any]:
        made = np.zeros(len(self.firsts), np.int64)
        if values is None or not values.null_count:
            self._call("sf_group_count", None, made)
        elif pa.types.is_null(values.type):
            return made
        else:
            self._call("sf_group_count", _Values(validity=values.buffers()[0].address, offset=values.offset), made)
        return made

    def _sums(self, values: pa.Array) -> np.ndarray[Any, Any] | None:
        if pa.types.is_signed_integer(values.type):
            made = np.zeros(len(self.firsts), np.int64)
            return made if self._call("sf_group_sum_integers", _values(values), made) == DONE else None
        if pa.types.is_float64(values.type):
            made = np.zeros(len(self.firsts), np.float64)
            self._call("sf_group_sum_floats", _values(values), made)
            return made
        return None

    def _extremes(self, function: str, values: pa.Array) -> np.ndarray[Any, Any] | None:
        kind = values.type
        if not (pa.types.is_signed_integer(kind) or pa.types.is_date32(kind) or pa.types.is_timestamp(kind)):
            return None
        made = np.full(len(self.firsts), _BOUNDS[function], np.int64)
        self._call(f"sf_group_{function}", _values(values), made)
        return made

    def _call(self, name: str, values: _Values | None, made: np.ndarray[Any, Any]) -> int | None:
        found: int | None = getattr(library(), name)(
            None if values is None else ctypes.byref(values),
            len(self.number_of),
            self.number_of.ctypes.data,
            made.ctypes.data,
        )
        return found


def _as(numbers: np.ndarray[Any, Any], nothing: np.ndarray[Any, Any] | None, kind: pa.DataType) -> pa.Array:
    # What stands for nothing need not fit.
    numbers = numbers if nothing is None else np.where(nothing, 0, numbers)
    return pa.array(numbers, mask=nothing).cast(_SIGNED[kind.bit_width]).view(kind)


def _is_key(kind: pa.DataType) -> bool:
    temporal = pa.types.is_date(kind) or pa.types.is_timestamp(kind) or pa.types.is_time(kind)
    return bool(pa.types.is_string(kind) or pa.types.is_integer(kind) or temporal)


def _values(array: pa.Array) -> _Values:
    validity, data, *text = array.buffers()
    width = 0 if text else array.type.bit_width // 8
    return _Values(
        data.address + array.offset * (width or 4),
        # There may be no text at all.
        (text[0] or data).address if text else None,
        validity.address if validity and array.null_count else None,
        array.offset,
        width,
    )

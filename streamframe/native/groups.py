"""Groups of rows, and their values, by the kernels; what these do not know is Arrow's."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa

from streamframe.native.kernels import DONE, library
from streamframe.plain_values import plain_array

# Groups and rows are numbered by 32 bits.
_MOST_ROWS = (1 << 31) - 1
_SIGNED = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}
_BOUNDS = {"min": int(np.iinfo(np.int64).max), "max": int(np.iinfo(np.int64).min)}
# `enum function` of `groups.c`.
_FUNCTIONS = {"count": 0, "sum": 1, "min": 2, "max": 3, "sum_floats": 4}


class _Values(ctypes.Structure):
    """`struct values` of `groups.c`."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("text", ctypes.c_void_p),
        ("validity", ctypes.c_void_p),
        ("offset", ctypes.c_int64),
        ("width", ctypes.c_int64),
    )


class _Reduction(ctypes.Structure):
    """`struct reduction` of `groups.c`."""

    _fields_ = (
        ("values", ctypes.c_void_p),
        ("function", ctypes.c_int64),
        ("made", ctypes.c_void_p),
        ("counts", ctypes.c_void_p),
    )


Numbers = np.ndarray[Any, np.dtype[Any]]


class Groups(NamedTuple):
    """Rows by the group that they are in."""

    number_of: np.ndarray[Any, np.dtype[np.int32]]
    # The first row of each group: there are so many groups.
    firsts: np.ndarray[Any, np.dtype[np.int32]]
    # The rows that are numbered; None if they are all of them.
    selected: np.ndarray[Any, np.dtype[np.int32]] | None = None

    @classmethod
    def of(cls, keys: Sequence[pa.Array], kept: pa.BooleanArray | None = None) -> Self | None:
        """Return the groups of rows that are alike in all keys; None if that takes Arrow.

        Parameters
        ----------
        keys
            Columns of the same rows.
        kept
            Which of the rows count; by default all.
        """
        kernels = library()
        every = len(keys[0]) if keys else 0
        if kernels is None or not every or every > _MOST_ROWS or not all(_is_key(key.type) for key in keys):
            return None
        selected = None if kept is None else _selected(kept)
        rows = every if selected is None else len(selected)
        if not rows:
            return None
        before, count = None, 1
        for key in keys:
            numbers, firsts = np.empty(rows, np.int32), np.empty(rows, np.int32)
            count = kernels.sf_group(
                ctypes.byref(_values(key)),
                every,
                rows,
                _address(selected),
                _address(before),
                count,
                numbers.ctypes.data,
                firsts.ctypes.data,
            )
            if count < 0:
                return None
            before = numbers
        return cls(numbers, firsts[:count].copy(), selected)

    def reduce(self, wanted: Sequence[tuple[str, pa.Array | None]]) -> list[pa.Array] | None:
        """Return one value a group for each function of some values, null where there is none.

        None if that takes Arrow. Without values, rows are counted.
        """
        reductions: list[_Reduction] = []
        structs: list[_Values] = []
        # By the values that are counted; under None, all rows.
        counts: dict[int | None, Numbers] = {}
        made: list[Numbers] = []

        def counted(values: pa.Array | None) -> Numbers:
            key = None if values is None or not values.null_count else id(values)
            if key not in counts:
                counts[key] = np.zeros(len(self.firsts), np.int64)
                if values is None or not pa.types.is_null(values.type):
                    add("count", values if key else None, None, counts[key])
            return counts[key]

        def add(function: str, values: pa.Array | None, into: Numbers | None, counting: Numbers | None) -> None:
            if values is not None and function == "count":
                # Of any type: all that is looked at is what is null.
                structs.append(_Values(validity=values.buffers()[0].address, offset=values.offset))
            elif values is not None:
                structs.append(_values(values))
            place = None if values is None else ctypes.addressof(structs[-1])
            reductions.append(_Reduction(place, _FUNCTIONS[function], _address(into), _address(counting)))

        for function, values in wanted:
            start = None if values is None or function == "count" else _start_of(function, values.type)
            if function == "count":
                continue
            if values is None or start is None:
                return None
            made.append(np.full(len(self.firsts), start))
            counting = None
            if values.null_count and id(values) not in counts:
                counting = counts[id(values)] = np.zeros(len(self.firsts), np.int64)
            add(f"{function}_floats" if isinstance(start, float) else function, values, made[-1], counting)
        found = [counted(values) if function == "count" else made.pop(0) for function, values in wanted]
        if not self._call(reductions):
            return None
        arrays = []
        for (function, values), numbers in zip(wanted, found, strict=True):
            if function == "count" or values is None:
                arrays.append(plain_array(numbers))
                continue
            nothing = counts[id(values)] == 0 if values.null_count else None
            arrays.append(plain_array(numbers, nothing) if function == "sum" else _as(numbers, nothing, values.type))
        return arrays

    def _call(self, reductions: Sequence[_Reduction]) -> bool:
        kernels = library()
        assert kernels
        outcome = kernels.sf_group_reduce(
            (_Reduction * len(reductions))(*reductions),
            len(reductions),
            len(self.number_of),
            _address(self.selected),
            self.number_of.ctypes.data,
        )
        return bool(outcome == DONE)


def _start_of(function: str, kind: pa.DataType) -> int | float | None:
    """Return what a reduction begins with; None if the kernels do not know it."""
    if function == "sum":
        return 0 if pa.types.is_signed_integer(kind) else 0.0 if pa.types.is_float64(kind) else None
    known = pa.types.is_signed_integer(kind) or pa.types.is_date32(kind) or pa.types.is_timestamp(kind)
    return _BOUNDS.get(function) if known else None


def _selected(kept: pa.BooleanArray) -> np.ndarray[Any, np.dtype[np.int32]] | None:
    """Return the rows that are true; None if all are."""
    kernels = library()
    assert kernels
    selected = np.empty(len(kept), np.int32)
    validity, bits = kept.buffers()
    condition = _Values(
        data=bits.address, validity=validity.address if validity and kept.null_count else None, offset=kept.offset
    )
    count = kernels.sf_select(ctypes.byref(condition), len(kept), selected.ctypes.data)
    return None if count == len(kept) else selected[:count]


def _address(numbers: Numbers | None) -> int | None:
    return None if numbers is None else numbers.ctypes.data


def _as(numbers: np.ndarray[Any, Any], nothing: np.ndarray[Any, Any] | None, kind: pa.DataType) -> pa.Array:
    # What stands for nothing need not fit.
    numbers = numbers if nothing is None else np.where(nothing, 0, numbers)
    return plain_array(numbers, nothing).cast(_SIGNED[kind.bit_width]).view(kind)


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

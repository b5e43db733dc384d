"""Arrow values of plain Python and numpy ones, made without `pyarrow.scalar` and `pyarrow.array`.

Those import pandas to see whether they are given something of it, and so does whatever of pyarrow takes a bare Python
value: that takes an eighth of a second and 20 MB, more than all else that a small job does.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

_INT64 = range(-(1 << 63), 1 << 63)


def plain_scalar(value: object) -> pa.Scalar | None:
    """Return what `pyarrow.scalar` makes of a number, a text or a boolean; None for anything else."""
    kind = type(value)
    if kind is bool:
        return _scalar(pa.bool_(), b"\x01" if value else b"\x00")
    if kind is int and value in _INT64:
        return _scalar(pa.int64(), struct.pack("=q", value))
    if kind is float:
        return _scalar(pa.float64(), struct.pack("=d", value))
    if isinstance(value, str) and kind is str:
        try:
            text = value.encode()
        except UnicodeEncodeError:  # pyarrow has an error for it
            return None
        if len(text) < 1 << 31:
            return _scalar(pa.string(), struct.pack("=ii", 0, len(text)), text)
    return None


def text_scalar(text: str) -> pa.Scalar:
    """Return a text of our own, to be joined with others."""
    made = plain_scalar(text)
    assert made is not None
    return made


def plain_array(
    numbers: np.ndarray[Any, np.dtype[Any]], nothing: np.ndarray[Any, np.dtype[np.bool_]] | None = None
) -> pa.Array:
    """Return what `pyarrow.array` makes of integers, floats or booleans, null where there is `nothing`."""
    validity = None if nothing is None else pa.py_buffer(np.packbits(~nothing, bitorder="little"))
    if numbers.dtype == np.bool_:
        kind, data = pa.bool_(), np.packbits(numbers, bitorder="little")
    else:
        kind, data = pa.from_numpy_dtype(numbers.dtype), np.ascontiguousarray(numbers)
    return pa.Array.from_buffers(kind, len(numbers), [validity, pa.py_buffer(data)])


def plain_texts(texts: Sequence[str | None]) -> pa.Array:
    """Return an array of short texts."""
    data = [b"" if text is None else text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, data)], dtype=np.int32)
    given = np.array([text is not None for text in texts], bool)
    validity = None if given.all() else pa.py_buffer(np.packbits(given, bitorder="little"))
    return pa.Array.from_buffers(pa.string(), len(data), [validity, pa.py_buffer(ends), pa.py_buffer(b"".join(data))])


def numbers_of(array: pa.Array) -> np.ndarray[Any, np.dtype[Any]]:
    """Return the values of an array of integers or floats without nulls: a view."""
    width = array.type.bit_width // 8
    data = array.buffers()[1]
    values = np.frombuffer(b"" if data is None else data, array.type.to_pandas_dtype())
    assert values.itemsize == width
    return values[array.offset : array.offset + len(array)]


def _scalar(kind: pa.DataType, *buffers: bytes) -> pa.Scalar:
    return pa.Array.from_buffers(kind, 1, [None, *map(pa.py_buffer, buffers)])[0]

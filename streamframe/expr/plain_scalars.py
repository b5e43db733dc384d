"""Arrow scalars of plain Python values, made without `pyarrow.scalar`.

That imports pandas to see whether it is given something of it, which takes a third of a second: more than all else that
a small job does, or a run that goes on near its end.
"""

from __future__ import annotations

import struct

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


def _scalar(kind: pa.DataType, *buffers: bytes) -> pa.Scalar:
    return pa.Array.from_buffers(kind, 1, [None, *map(pa.py_buffer, buffers)])[0]

"""The rows of a batch that pass a filter, by the kernel; what it does not know is Arrow's."""

from __future__ import annotations

import ctypes
import sys

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.native.kernels import library
from streamframe.plain_values import plain_scalar

_TEXT, _BOOLEAN = 0, -1
# `SHORT_TEXT` of `filter.c`: so much may be written behind the last text.
_SLACK = 32


class _Filtered(ctypes.Structure):
    """`struct filtered` of `filter.c`."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("text", ctypes.c_void_p),
        ("text_end", ctypes.c_void_p),
        ("validity", ctypes.c_void_p),
        ("offset", ctypes.c_int64),
        ("width", ctypes.c_int64),
        ("data_out", ctypes.c_void_p),
        ("text_out", ctypes.c_void_p),
        ("validity_out", ctypes.c_void_p),
        ("text_bytes", ctypes.c_int64),
    )


def filtered(batch: pa.RecordBatch, mask: pa.BooleanArray) -> pa.RecordBatch:
    """Return the rows for which the mask is true; null counts as false."""
    kernels = library()
    if mask.null_count:
        mask = pc.coalesce(mask, plain_scalar(False))
    rows = mask.true_count
    if rows == batch.num_rows:
        return batch
    known = [place for place, column in enumerate(batch.columns) if _width_of(column.type) is not None]
    if kernels is None or sys.byteorder != "little" or not known:
        return batch.filter(mask)
    if mask.offset % 8:
        mask = pa.concat_arrays([mask])
    columns = (_Filtered * len(known))()
    rooms = [_Room(batch.column(place), rows, column) for place, column in zip(known, columns, strict=True)]
    bits = mask.buffers()[1]
    kernels.sf_filter(columns, len(known), bits.address + mask.offset // 8, batch.num_rows)
    made = {place: room.array() for place, room in zip(known, rooms, strict=True)}
    rest = [place for place in range(batch.num_columns) if place not in made]
    if rest:
        made.update(zip(rest, batch.select(rest).filter(mask).columns, strict=True))
    return pa.RecordBatch.from_arrays([made[place] for place in range(batch.num_columns)], schema=batch.schema)


class _Room:
    """Room for the rows of one column that pass."""

    def __init__(self, column: pa.Array, rows: int, told: _Filtered) -> None:
        self._column, self._rows, self._told = column, rows, told
        stored = column.indices if pa.types.is_dictionary(column.type) else column
        validity, data, *text = stored.buffers()
        width = _width_of(column.type)
        assert width is not None
        told.width, told.offset = width, stored.offset
        if width == _BOOLEAN:
            self._data_bytes = -(-rows // 8)
            told.data = data.address
        else:
            size = width or 4
            self._data_bytes = (rows + (width == _TEXT)) * size
            told.data = data.address + stored.offset * size
        self._data = pa.allocate_buffer(self._data_bytes + 8, resizable=True)
        told.data_out = self._data.address
        self._text: pa.Buffer | None = None
        self._validity: pa.Buffer | None = None
        bitmap_bytes = -(-rows // 8)
        if width == _BOOLEAN:
            ctypes.memset(self._data.address, 0, bitmap_bytes)
        elif width == _TEXT:
            # There may be no text at all.
            (there,) = text
            self._text = pa.allocate_buffer(_text_bytes(stored) + _SLACK, resizable=True)
            told.text = there.address if there else data.address
            told.text_end = told.text + (there.size if there else 0)
            told.text_out = self._text.address
        if stored.null_count:
            self._validity = pa.allocate_buffer(bitmap_bytes)
            ctypes.memset(self._validity.address, 0, bitmap_bytes)
            told.validity, told.validity_out = validity.address, self._validity.address

    def array(self) -> pa.Array:
        """Return what passed."""
        kind = self._column.type
        self._data.resize(self._data_bytes)
        buffers = [self._validity, self._data]
        if self._text is not None:
            self._text.resize(self._told.text_bytes, shrink_to_fit=True)
            buffers.append(self._text)
        if not pa.types.is_dictionary(kind):
            return pa.Array.from_buffers(kind, self._rows, buffers)
        indices = pa.Array.from_buffers(kind.index_type, self._rows, buffers)
        return pa.DictionaryArray.from_arrays(indices, self._column.dictionary, ordered=kind.ordered, safe=False)


def _width_of(kind: pa.DataType) -> int | None:
    """Return the bytes of a value, or what stands for text and booleans; None for what is Arrow's."""
    if pa.types.is_dictionary(kind):
        return int(kind.index_type.bit_width) // 8
    if pa.types.is_boolean(kind):
        return _BOOLEAN
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return _TEXT
    if pa.types.is_primitive(kind) and kind.bit_width <= 64:
        return int(kind.bit_width) // 8
    return None


def _text_bytes(column: pa.Array) -> int:
    """Return the bytes of all text between the first row and the last one."""
    offsets = column.buffers()[1]
    if not len(column):
        return 0
    first, last = (
        int.from_bytes(offsets[4 * row : 4 * row + 4], "little") for row in (column.offset, column.offset + len(column))
    )
    return last - first

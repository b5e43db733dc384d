"""Columns of which some rows can be read without the others: where their bytes lie in a batch, and what they are.

Rules: rows start at a multiple of `ALIGNMENT`, so that bitmaps are cut at whole bytes. Validity, values, offsets and
views come first; they tell which bytes of the text belong to the rows. Nothing is believed: what
would lie outside of its buffer is `Outside`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import pyarrow as pa

from streamframe.formats.image import FileImage
from streamframe.formats.ipc.layout import Buffers

ALIGNMENT = 64

Span = tuple[int, int]

_types = pa.types
_VIEW = np.dtype([("length", "<i4"), ("start", "<i4"), ("buffer", "<i4"), ("offset", "<i4")])
# A view holds what is as short as that itself.
_INLINE_BYTES = 12


class Outside(ValueError):  # noqa: N818 - becomes a DecodeError where the place is known
    """A column points to where it has no bytes."""


class SliceColumn(ABC):
    """A column whose buffers lie at these places of a body.

    Parameters
    ----------
    kind
        Its type.
    buffers
        Offset and length of each of its buffers.
    """

    def __init__(self, kind: pa.DataType, buffers: Buffers) -> None:
        self._kind = kind
        self._buffers = buffers

    @classmethod
    def of(cls, kind: pa.DataType, buffers: Buffers) -> SliceColumn | None:
        """Return a column of this type; None if its rows cannot be told apart."""
        if isinstance(kind, pa.BaseExtensionType):
            return None
        if _types.is_primitive(kind) or _types.is_decimal(kind) or _types.is_fixed_size_binary(kind):
            return _Fixed(kind, buffers)
        if _types.is_string(kind) or _types.is_binary(kind):
            return _Text(kind, buffers, np.dtype("<i4"))
        if _types.is_large_string(kind) or _types.is_large_binary(kind):
            return _Text(kind, buffers, np.dtype("<i8"))
        if _types.is_string_view(kind) or _types.is_binary_view(kind):
            return _Views(kind, buffers)
        return None

    def spans(self, start: int, rows: int) -> list[Span]:
        """Return where validity, values, offsets or views of some rows lie in the body."""
        return [*([self._validity(start, rows)] if self._buffers[0][1] else []), self._items(start, rows)]

    def text_spans(self, image: FileImage, start: int, rows: int) -> list[Span]:
        """Return where the text of these rows lies, now that `spans` are in the image."""
        return []

    def array(self, image: FileImage, start: int, rows: int) -> pa.Array:
        """Return the rows."""
        validity = image.buffer(*_place(self._validity(start, rows))) if self._buffers[0][1] else None
        return pa.Array.from_buffers(self._kind, rows, [validity, *self._data(image, start, rows)])

    @abstractmethod
    def _items(self, start: int, rows: int) -> Span: ...

    @abstractmethod
    def _data(self, image: FileImage, start: int, rows: int) -> list[pa.Buffer]: ...

    def _validity(self, start: int, rows: int) -> Span:
        return self._bits(0, start, rows)

    def _bits(self, buffer: int, first: int, count: int) -> Span:
        return self._within(buffer, first // 8, (first + count + 7) // 8)

    def _within(self, buffer: int, first: int, end: int) -> Span:
        offset, length = self._buffers[buffer]
        if not 0 <= first <= end <= length:
            raise Outside("a column ends before its rows do")
        return offset + first, offset + end


class _Fixed(SliceColumn):
    """Values that all have the same number of bits."""

    def _items(self, start: int, rows: int) -> Span:
        width = self._kind.bit_width
        return self._bits(1, start * width, rows * width)

    def _data(self, image: FileImage, start: int, rows: int) -> list[pa.Buffer]:
        return [image.buffer(*_place(self._items(start, rows)))]


class _Text(SliceColumn):
    """Values that lie one behind another, as offsets tell."""

    def __init__(self, kind: pa.DataType, buffers: Buffers, offset: np.dtype) -> None:
        super().__init__(kind, buffers)
        self._offset = offset

    def text_spans(self, image: FileImage, start: int, rows: int) -> list[Span]:
        offsets = self._offsets(image, start, rows)
        return [self._within(2, int(offsets[0]), int(offsets[-1]))]

    def _items(self, start: int, rows: int) -> Span:
        width = self._offset.itemsize
        return self._within(1, start * width, (start + rows + 1) * width)

    def _offsets(self, image: FileImage, start: int, rows: int) -> np.ndarray:
        return np.frombuffer(image.buffer(*_place(self._items(start, rows))), self._offset)

    def _data(self, image: FileImage, start: int, rows: int) -> list[pa.Buffer]:
        offsets = self._offsets(image, start, rows)
        [text] = self.text_spans(image, start, rows)
        return [pa.py_buffer(offsets - offsets[0]), image.buffer(*_place(text))]


class _Views(SliceColumn):
    """Values that are short, or lie in any of several buffers."""

    def text_spans(self, image: FileImage, start: int, rows: int) -> list[Span]:
        views = self._views(image, start, rows)
        return [span for span in self._reach(views) if span is not None]

    def _items(self, start: int, rows: int) -> Span:
        return self._within(1, start * _VIEW.itemsize, (start + rows) * _VIEW.itemsize)

    def _views(self, image: FileImage, start: int, rows: int) -> np.ndarray:
        """Return the views, those of nulls empty: what they hold means nothing."""
        views = np.frombuffer(image.buffer(*_place(self._items(start, rows))), _VIEW).copy()
        if self._buffers[0][1]:
            bits = np.frombuffer(image.buffer(*_place(self._validity(start, rows))), np.uint8)
            views[np.unpackbits(bits, count=rows, bitorder="little") == 0] = 0
        return views

    def _reach(self, views: np.ndarray) -> list[Span | None]:
        """Return what is used of each buffer of text."""
        long = views[views["length"] > _INLINE_BYTES]
        if len(long) and not 0 <= long["buffer"].min() <= long["buffer"].max() < len(self._buffers) - 2:
            raise Outside("a view points to a buffer that is not there")
        reach: list[Span | None] = []
        for number in range(len(self._buffers) - 2):
            there = long[long["buffer"] == number]
            ends = there["offset"].astype(np.int64) + there["length"]
            reach.append(self._within(2 + number, int(there["offset"].min()), int(ends.max())) if len(there) else None)
        return reach

    def _data(self, image: FileImage, start: int, rows: int) -> list[pa.Buffer]:
        views = self._views(image, start, rows)
        data = []
        for number, span in enumerate(self._reach(views)):
            if span is None:
                data.append(pa.py_buffer(b""))
                continue
            there = (views["length"] > _INLINE_BYTES) & (views["buffer"] == number)
            views["offset"][there] -= span[0] - self._buffers[2 + number][0]
            data.append(image.buffer(*_place(span)))
        return [pa.py_buffer(views), *data]


def _place(span: Span) -> tuple[int, int]:
    """Return offset and length."""
    return span[0], span[1] - span[0]

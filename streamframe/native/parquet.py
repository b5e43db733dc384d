"""Column chunks of Parquet files to Arrow arrays, by the kernel."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from streamframe.native.arrays import TextRoom
from streamframe.native.kernels import DONE, NO_ROOM, Column, library

# `enum need` and `enum codec` of `parquet.c`.
_MORE_INPUT, _UNPACKING, _ROOM_FOR_PAGE = 2, 3, 4
_CODECS = {"UNCOMPRESSED": 0, "SNAPPY": 1, "ZSTD": 2, "GZIP": 2}
# Room for a page of the size that nearly everybody writes.
_PAGE_BYTES = (1 << 20) + (64 << 10)
# So many bytes of a chunk are there at a time, and whole pages of it.
_WINDOW_BYTES = 256 << 10
_MOST_PAGE_BYTES = 1 << 30
# Offsets are 32-bit.
_MOST_TEXT_BYTES = (1 << 31) - 1
PAGE_SLACK = 64

# Returns bytes of a file, by offset and number.
Source = Callable[[int, int], Any]


class ChunkStruct(ctypes.Structure):
    """The front of `struct chunk` of `parquet.c`."""

    _fields_ = (
        ("at", ctypes.c_void_p),
        ("end", ctypes.c_void_p),
        ("behind", ctypes.c_int64),
        ("most_page_bytes", ctypes.c_int64),
        ("page", ctypes.c_void_p),
        ("page_room", ctypes.c_int64),
        ("codec", ctypes.c_int32),
        ("nullable", ctypes.c_int32),
        ("stored_width", ctypes.c_int32),
        ("width", ctypes.c_int32),
        ("encoded", ctypes.c_int32),
        ("has_dictionary", ctypes.c_int32),
        ("needed", ctypes.c_int64),
        ("packed", ctypes.c_void_p),
        ("packed_bytes", ctypes.c_int64),
        ("unpacked", ctypes.c_void_p),
        ("unpacked_bytes", ctypes.c_int64),
        ("dictionary_count", ctypes.c_int64),
        ("dictionary", ctypes.c_void_p),
        ("dictionary_ends", ctypes.c_void_p),
        ("dictionary_longest", ctypes.c_int64),
    )


class Form(NamedTuple):
    """How the values of a column are stored, and what they become.

    Attributes
    ----------
    kind
        The type of the arrays.
    stored_width, width
        Bytes of a value; 0 for text.
    nullable
        Some may be missing.
    """

    kind: pa.DataType
    stored_width: int
    width: int
    nullable: bool


@dataclass(frozen=True)
class Extent:
    """Where a chunk is in its file, what it was compressed with, its rows, and the most that one of its pages holds."""

    start: int
    end: int
    codec: str
    rows: int
    most_page_bytes: int


def page_bytes(most_bytes: int) -> int:
    """Return how much room a page is likely to need, where none is larger than that."""
    return min(most_bytes, _PAGE_BYTES) + PAGE_SLACK


class ColumnChunk:
    """A column chunk, and how far it has been decoded.

    Parameters
    ----------
    form
        Of the column.
    extent
        Of the chunk.
    source
        Where its bytes come from.
    room
        What was learned of the length of text, by row.
    name
        Of the column, in `room`.
    encoded
        Arrays shall have a dictionary.
    """

    def __init__(
        self, form: Form, extent: Extent, source: Source, *, room: TextRoom, name: str, encoded: bool = False
    ) -> None:
        self._kernels = library()
        assert self._kernels
        self._memory = ctypes.create_string_buffer(self._kernels.sf_parquet_chunk_bytes())
        self._chunk = ChunkStruct.from_buffer(self._memory)
        self.form, self.extent, self._source = form, extent, source
        self._room, self._name, self.encoded = room, name, encoded
        self._chunk.behind = extent.end - extent.start
        self._chunk.most_page_bytes = min(extent.most_page_bytes, _MOST_PAGE_BYTES)
        self._chunk.codec = _CODECS[extent.codec]
        self._chunk.nullable = form.nullable
        self._chunk.stored_width, self._chunk.width = form.stored_width, form.width
        self._chunk.encoded = encoded
        # By Arrow's allocator, which hands it to the next chunk as it is; libc gives such pieces back to the system.
        self._page: pa.Buffer | None = None
        self._window: pa.Buffer | None = None
        self._window_start = extent.start
        self._rows_left = extent.rows
        self._dictionary: pa.Array | None = None

    @staticmethod
    def knows(codec: str) -> bool:
        """Tell whether chunks that are compressed like that can be decoded here."""
        return library() is not None and codec in _CODECS and sys.byteorder == "little"

    def longest(self) -> int | None:
        """Return how long the longest text of the dictionary is, 0 without one; None if that takes Arrow."""
        made = Rows(self.form, 0, 0, encoded=self.encoded)
        return int(self._chunk.dictionary_longest) if self._read_into(made, 0) else None

    def read(self, rows: int) -> pa.Array | None:
        """Return the next rows, or None if that takes Arrow: then ask no more."""
        made = self.room_for(rows)
        if not self._read_into(made, rows):
            return None
        self._rows_left -= rows
        return self.finished(made)

    def _read_into(self, made: Rows, rows: int) -> bool:
        assert self._kernels
        done = ctypes.c_int64()
        if self._page is None:
            self.take_page_room(pa.allocate_buffer(self.page_room))
        while (outcome := self._kernels.sf_parquet_read(self.address, made.address, rows, ctypes.byref(done))) != DONE:
            if outcome == NO_ROOM:
                made.make_room(self.needed)
            elif not self.meet(outcome):
                return False
        return True

    def room_for(self, rows: int) -> Rows:
        """Return room for so many rows, and for as much text as they are likely to have."""
        return Rows(self.form, rows, self._room.forecast(self._name, rows, 1), encoded=self.encoded)

    def finished(self, made: Rows) -> pa.Array:
        """Return the array of what has been read, the last of it from this chunk."""
        self._room.learn(self._name, made.rows, made.text_bytes)
        dictionary = self._dictionary_values() if self.encoded else None
        if self._rows_left <= 0:
            # Chunks of other columns may have to wait long for theirs.
            self.let_go()
        return made.array(dictionary)

    @property
    def address(self) -> Any:
        """Where the kernel finds the chunk."""
        return ctypes.addressof(self._memory)

    @property
    def needed(self) -> int:
        """How many bytes the kernel has asked for."""
        return int(self._chunk.needed)

    @property
    def page_room(self) -> int:
        """Return how many bytes a page is likely to need."""
        return page_bytes(int(self._chunk.most_page_bytes))

    def take_page_room(self, page: pa.Buffer) -> None:
        """Have pages decompressed there."""
        self._page = page
        self._chunk.page, self._chunk.page_room = page.address, page.size

    def take_input(self, window: pa.Buffer) -> None:
        """Have bytes of the chunk, from `extent.start` on if they are the first, else from where the kernel stopped."""
        self._chunk.at, self._chunk.end = window.address, window.address + window.size
        self._chunk.behind = self.extent.end - self._window_start - window.size
        self._window = window

    def meet(self, outcome: int) -> bool:
        """Do what the kernel has asked for; False if that takes Arrow."""
        if outcome == _MORE_INPUT:
            self._bring(self.needed)
        elif outcome == _ROOM_FOR_PAGE:
            self.take_page_room(pa.allocate_buffer(self.needed))
        else:
            return outcome == _UNPACKING and self._unpack()
        return True

    def _bring(self, needed: int) -> None:
        """Have more bytes of the chunk at hand."""
        if self._window is not None:
            self._window_start += (self._chunk.at or 0) - self._window.address
        left = self.extent.end - self._window_start
        self.take_input(pa.py_buffer(self._source(self._window_start, min(left, max(needed, _WINDOW_BYTES)))))

    def _unpack(self) -> bool:
        """Decompress a page by Arrow, right to its place; tell whether it is as long as it should be."""
        packed = pa.foreign_buffer(self._chunk.packed, self._chunk.packed_bytes, base=self._window)
        place = (ctypes.c_char * self._chunk.unpacked_bytes).from_address(self._chunk.unpacked)
        try:
            with pa.CompressedInputStream(pa.BufferReader(packed), self.extent.codec.lower()) as stream:
                view, got = memoryview(place), 0
                while got < len(view) and (some := stream.readinto(view[got:])):
                    got += some
                return got == len(view) and not stream.read(1)
        except (pa.ArrowException, OSError):
            return False

    def _dictionary_values(self) -> pa.Array:
        if self._dictionary is None:
            count = self._chunk.dictionary_count
            offsets = _copied(self._chunk.dictionary_ends, (count + 1) * 4)
            text = _copied(self._chunk.dictionary, int.from_bytes(offsets[-4:].to_pybytes(), "little"))
            self._dictionary = pa.Array.from_buffers(self.form.kind, count, [None, offsets, text], 0)
        return self._dictionary

    def let_go(self) -> None:
        """Free what the kernel holds; safe twice."""
        if self._kernels is not None:
            self._kernels.sf_parquet_close(self._memory)
            self._kernels = None
            self._chunk.at = self._chunk.end = self._window = self._page = None

    def __del__(self) -> None:
        self.let_go()


class Rows:
    """Room for some rows of one column."""

    def __init__(self, form: Form, rows: int, text_bytes: int, *, encoded: bool) -> None:
        self._form, self.rows, self._encoded = form, rows, encoded
        self._column = Column()
        self._validity = self._text = None
        if form.nullable:
            self._validity = pa.allocate_buffer(-(-rows // 8))
            ctypes.memset(self._validity.address, 0xFF, self._validity.size)
            self._column.validity = self._validity.address
        width = 4 if encoded else form.width
        self._values = pa.allocate_buffer(rows * width if width else (rows + 1) * 4)
        self._column.values = self._values.address
        if not width:
            ctypes.memset(self._values.address, 0, 4)
            self._text = pa.allocate_buffer(min(text_bytes + PAGE_SLACK, _MOST_TEXT_BYTES), resizable=True)
            self._column.text, self._column.text_room = self._text.address, self._text.size

    @property
    def address(self) -> Any:
        """Where the kernel finds it."""
        return ctypes.addressof(self._column)

    @property
    def text_bytes(self) -> int:
        """How much text there is."""
        return int(self._column.text_used)

    @property
    def text_room(self) -> int:
        """How many bytes there are for text."""
        return int(self._column.text_room)

    @property
    def nbytes(self) -> int:
        """How many bytes there are."""
        return int(self._values.size + self._column.text_room) + (self._validity.size if self._validity else 0)

    def make_room(self, needed: int) -> None:
        """Have room for at least so many bytes of text."""
        assert self._text is not None
        self._text.resize(max(needed, min(self._text.size + self._text.size // 2, _MOST_TEXT_BYTES)))
        self._column.text, self._column.text_room = self._text.address, self._text.size

    def array(self, dictionary: pa.Array | None) -> pa.Array:
        """Return the rows; `dictionary` is of those that are indices."""
        buffers = [self._validity if self._column.nulls else None, self._values]
        if dictionary is not None:
            indices = pa.Array.from_buffers(pa.int32(), self.rows, buffers, self._column.nulls)
            return pa.DictionaryArray.from_arrays(indices, dictionary, safe=False)
        if self._text is not None:
            self._text.resize(self.text_bytes, shrink_to_fit=True)
            buffers.append(self._text)
        return pa.Array.from_buffers(self._form.kind, self.rows, buffers, self._column.nulls)


def _copied(address: int, nbytes: int) -> pa.Buffer:
    made = pa.allocate_buffer(nbytes)
    ctypes.memmove(made.address, address, nbytes)
    return made

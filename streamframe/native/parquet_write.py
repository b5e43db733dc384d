"""The rows of Arrow arrays as the pages of a Parquet column chunk, by the kernel."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.native.kernels import DONE, NO_ROOM, library

# Of a dictionary, and of a page of text: what other writers have, and readers are used to.
_MOST_DICTIONARY_BYTES = 1 << 20
MOST_PAGE_BYTES = 1 << 20
# `PAGE_ROWS`, `MOST_LEVELS_BYTES` and `SLACK` of `parquet_write.c`.
_PAGE_ROWS = 1 << 16
PAGE_AROUND_BYTES = 4 + 5 + _PAGE_ROWS // 8 + 64
# Integers in so many places have a number by their place; it is a quarter of a megabyte.
_MOST_PLACES = 1 << 16
_SIGNED, _UNSIGNED, _FLOAT, _TEXT, _BOOLEAN = range(5)
_MOST_ROWS = (1 << 31) - 1


class Piece(ctypes.Structure):
    """`struct piece` of `parquet_write.c`."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("text", ctypes.c_void_p),
        ("validity", ctypes.c_void_p),
        ("offset", ctypes.c_int64),
        ("rows", ctypes.c_int64),
        ("indices", ctypes.c_void_p),
        ("different", ctypes.c_int64),
    )


class _Rows(ctypes.Structure):
    """`struct rows` of `parquet_write.c`."""

    _fields_ = (
        ("pieces", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("form", ctypes.c_int32),
        ("width", ctypes.c_int32),
        ("stored_width", ctypes.c_int32),
        ("nullable", ctypes.c_int32),
    )


class _Dictionary(ctypes.Structure):
    """The front of `struct dictionary` of `parquet_write.c`."""

    _fields_ = (
        ("most_bytes", ctypes.c_int64),
        ("least", ctypes.c_int64),
        ("span", ctypes.c_int64),
        ("numbers", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("bytes", ctypes.c_int64),
        ("numbered", ctypes.c_int64),
        ("numbered_bytes", ctypes.c_int64),
        ("stored", ctypes.c_void_p),
    )


class _Page(ctypes.Structure):
    """`struct page` of `parquet_write.c`."""

    _fields_ = (
        ("piece", ctypes.c_int64),
        ("row", ctypes.c_int64),
        ("number", ctypes.c_int64),
        ("most_bytes", ctypes.c_int64),
        ("out", ctypes.c_void_p),
        ("room", ctypes.c_int64),
        ("start", ctypes.c_int64),
        ("end", ctypes.c_int64),
        ("rows", ctypes.c_int64),
        ("values", ctypes.c_int64),
        ("needed", ctypes.c_int64),
        ("by_number", ctypes.c_int32),
        ("number_width", ctypes.c_int32),
    )


class _Text(ctypes.Structure):
    """`struct text` of `parquet_write.c`."""

    _fields_ = (("at", ctypes.c_void_p), ("length", ctypes.c_int64))


class Form(NamedTuple):
    """How the values of a type lie in memory, and how many bytes each takes in a file."""

    form: int
    width: int
    stored_width: int

    @classmethod
    def of(cls, kind: pa.DataType) -> Form | None:
        """Return the form of a type; None if the kernel does not know it, or there is none."""
        if library() is None or sys.byteorder != "little":
            return None
        if pa.types.is_string(kind) or pa.types.is_binary(kind):
            return cls(_TEXT, 4, 0)
        if pa.types.is_large_string(kind) or pa.types.is_large_binary(kind):
            return cls(_TEXT, 8, 0)
        if pa.types.is_boolean(kind):
            # Of what is said of one: its values are bits.
            return cls(_BOOLEAN, 0, 1)
        if pa.types.is_float32(kind) or pa.types.is_float64(kind):
            return cls(_FLOAT, kind.bit_width // 8, kind.bit_width // 8)
        if pa.types.is_unsigned_integer(kind):
            return cls(_UNSIGNED, kind.bit_width // 8, max(4, kind.bit_width // 8))
        if pa.types.is_signed_integer(kind) or pa.types.is_date32(kind) or pa.types.is_time64(kind):
            return cls(_SIGNED, kind.bit_width // 8, max(4, kind.bit_width // 8))
        if kind == pa.time32("ms") or (pa.types.is_timestamp(kind) and kind.unit != "s"):
            return cls(_SIGNED, kind.bit_width // 8, kind.bit_width // 8)
        # Arrow converts what is left: seconds, days in milliseconds, decimals; or it is nested.
        return None

    @property
    def is_text(self) -> bool:
        """It has values of any length."""
        return self.form == _TEXT

    @property
    def takes_dictionary(self) -> bool:
        """Arrays may have indices of 32 bits into such values."""
        return self.form == _TEXT and self.width == 4

    @property
    def is_boolean(self) -> bool:
        """It has bits."""
        return self.form == _BOOLEAN

    @property
    def is_float(self) -> bool:
        """It has numbers that may be none."""
        return self.form == _FLOAT


class DictionaryPage(NamedTuple):
    """Different values, as they are stored one behind another."""

    body: bytes
    values: int


class DataPage(NamedTuple):
    """Levels and values of some rows; the body lasts until the next page is asked for."""

    body: pa.Buffer
    rows: int
    by_number: bool


class ColumnPages:
    """The pages of one column chunk.

    Parameters
    ----------
    arrays
        Its rows, of one type or, if that takes dictionaries, dictionaries of it. At most 2**31 - 1.
    form
        Of that type.
    nullable
        The column has levels, whether a value is missing or not.

    Attributes
    ----------
    values, nulls : int
        Of the rows.
    dictionary : DictionaryPage, optional
        What pages by number refer to; None where it would not make the chunk smaller.
    least, most : bytes, optional
        The bounds as they are stored; None if there are none.
    """

    def __init__(self, arrays: Sequence[pa.Array], form: Form, *, nullable: bool) -> None:
        kernels = library()
        assert kernels is not None
        self._kernels = kernels
        self._arrays = arrays
        self._form = form
        rows = sum(map(len, arrays))
        assert rows <= _MOST_ROWS
        self.nulls = sum(each.null_count for each in arrays)
        self.values = rows - self.nulls
        self._pieces = (Piece * len(arrays))(*(piece_of(each, form) for each in arrays))
        self._rows = _Rows(ctypes.addressof(self._pieces), len(arrays), *form, nullable)
        self._memory = ctypes.create_string_buffer(kernels.sf_parquet_dictionary_bytes())
        self._numbers: pa.Buffer | None = None
        self._numbered = _Dictionary.from_buffer(self._memory)
        self.least: bytes | None = None
        self.most: bytes | None = None
        self.dictionary: DictionaryPage | None = None
        try:
            if form.is_boolean:
                self._find_bounds_of_bits()
                return
            if not form.is_text:
                self._find_bounds()
            self._number()
            if form.is_text:
                self._find_text_bounds()
        except BaseException:
            self.close()
            raise

    def pages(self) -> Iterator[DataPage]:
        """Yield the pages; once."""
        room = PAGE_AROUND_BYTES + (MOST_PAGE_BYTES if self._form.is_text else _PAGE_ROWS * 8)
        out = pa.allocate_buffer(room)
        page = _Page(most_bytes=MOST_PAGE_BYTES, out=out.address, room=room)
        page.by_number = self.dictionary is not None
        page.number_width = max(1, (self._numbered.count - 1).bit_length())
        while True:
            outcome = self._kernels.sf_parquet_page(
                ctypes.byref(self._rows), ctypes.addressof(self._memory), ctypes.byref(page)
            )
            if outcome == NO_ROOM:
                out = pa.allocate_buffer(page.needed)
                page.out, page.room = out.address, page.needed
            elif outcome != DONE:
                raise MemoryError("a page of Parquet")
            elif page.rows:
                yield DataPage(out.slice(page.start, page.end - page.start), page.rows, bool(page.by_number))
            elif page.by_number:
                # The dictionary was full here.
                page.by_number = False
            else:
                return

    def close(self) -> None:
        """Free what the kernel has; safe twice."""
        self._kernels.sf_parquet_dictionary_close(ctypes.addressof(self._memory))

    def _find_bounds(self) -> None:
        least, most = (ctypes.create_string_buffer(8) for _ in range(2))
        if self._kernels.sf_parquet_bounds(ctypes.byref(self._rows), least, most):
            self.least, self.most = least.raw, most.raw

    def _find_bounds_of_bits(self) -> None:
        found = pc.min_max(pa.chunked_array(self._arrays, pa.bool_()))
        if self.values:
            self.least, self.most = (bytes([found[bound].as_py()]) for bound in ("min", "max"))

    def _find_text_bounds(self) -> None:
        least, most = _Text(), _Text()
        if self._kernels.sf_parquet_text_bounds(
            ctypes.byref(self._rows), ctypes.addressof(self._memory), ctypes.byref(least), ctypes.byref(most)
        ):
            self.least, self.most = (ctypes.string_at(each.at, each.length) for each in (least, most))

    def _number(self) -> None:
        """Number the values; keep the numbers if that makes the chunk smaller."""
        self._numbers = pa.allocate_buffer(4 * max(1, self.values))
        found = self._numbered
        found.most_bytes, found.numbers = _MOST_DICTIONARY_BYTES, self._numbers.address
        if self._form.form in (_SIGNED, _UNSIGNED) and self.least is not None and self.most is not None:
            signed = self._form.form == _SIGNED
            least, most = (int.from_bytes(each, "little", signed=signed) for each in (self.least, self.most))
            if most - least < _MOST_PLACES:
                found.span = most - least + 1
                found.least = least if least < 1 << 63 else least - (1 << 64)
        outcome = self._kernels.sf_parquet_number(ctypes.addressof(self._memory), ctypes.byref(self._rows))
        if outcome == NO_ROOM:
            raise MemoryError("a dictionary of Parquet")
        if outcome != DONE:
            raise pa.ArrowInvalid("a dictionary has no value at one of its indices")
        numbers_bytes = found.numbered * max(1, (found.count - 1).bit_length()) // 8
        if found.count and found.bytes + numbers_bytes < found.numbered_bytes:
            self.dictionary = DictionaryPage(ctypes.string_at(found.stored, found.bytes), found.count)
        else:
            self._numbers = None


def piece_of(array: pa.Array, form: Form) -> Piece:
    """Return an array as the kernels are told of it: where its buffers are."""
    if pa.types.is_dictionary(array.type):
        piece = piece_of(array.dictionary, form)
        validity, indices = array.indices.buffers()
        piece.indices = indices.address + 4 * array.offset
        piece.different = len(array.dictionary)
        piece.validity = validity.address if validity and array.null_count else None
        piece.offset, piece.rows = array.offset, len(array)
        return piece
    validity, data, *text = array.buffers()
    # Booleans are bits, which start anywhere in a byte; an array of no rows may have no data.
    data_at = 0 if data is None else data.address + array.offset * form.width
    return Piece(
        data_at,
        # There may be no text at all.
        (text[0] or data).address if text and data is not None else None,
        validity.address if validity and array.null_count else None,
        array.offset,
        len(array),
    )

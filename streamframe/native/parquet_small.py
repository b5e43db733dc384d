"""Few rows as a whole file of Parquet, by the kernel."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import pyarrow as pa

from streamframe.native.kernels import DONE, NO_ROOM, library
from streamframe.native.parquet_write import MOST_PAGE_BYTES, PAGE_AROUND_BYTES, Form, Piece, piece_of

# For headers and the footer: of a column, about.
_COLUMN_BYTES = 512


class _SmallColumn(ctypes.Structure):
    """`struct small_column` of `parquet_small.c`."""

    _fields_ = (
        ("piece", Piece),
        ("form", ctypes.c_int32),
        ("width", ctypes.c_int32),
        ("stored_width", ctypes.c_int32),
        ("nullable", ctypes.c_int32),
        ("physical", ctypes.c_int32),
        ("statistics", ctypes.c_int32),
        ("path", ctypes.c_char_p),
        ("path_bytes", ctypes.c_int64),
    )


class _SmallFiles(ctypes.Structure):
    """`struct small_files` of `parquet_small.c`."""

    _fields_ = (
        ("columns", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("packed", ctypes.c_int32),
        ("checksums", ctypes.c_int32),
        ("head", ctypes.c_char_p),
        ("tail", ctypes.c_char_p),
        ("head_bytes", ctypes.c_int64),
        ("tail_bytes", ctypes.c_int64),
        ("numbers", ctypes.c_void_p),
        ("page", ctypes.c_void_p),
        ("page_room", ctypes.c_int64),
        ("about", ctypes.c_void_p),
        ("about_room", ctypes.c_int64),
        ("file", ctypes.c_void_p),
        ("file_room", ctypes.c_int64),
    )


class SmallColumn(NamedTuple):
    """What is the same of a column in all files.

    Attributes
    ----------
    physical
        Its type in Parquet.
    path
        Its name: a list of one text, in Thrift.
    """

    form: Form
    nullable: bool
    physical: int
    statistics: bool
    path: bytes


class SmallParquet(NamedTuple):
    """What is the same in all files.

    Attributes
    ----------
    head, tail
        Of their footers, in Thrift: the fields up to the second, and from the fifth on.
    packed
        With Snappy.
    """

    columns: Sequence[SmallColumn]
    head: bytes
    tail: bytes
    packed: bool
    checksums: bool

    def of(self, rows: pa.RecordBatch, ends: Sequence[int]) -> Iterator[pa.Buffer | None]:
        """Yield a file of the first rows, of those behind them, and so on, up to each of `ends`; none of no rows.

        Each lasts until the next is asked for. None stands for one that takes Arrow.
        """
        kernels = library()
        assert kernels is not None
        columns = (_SmallColumn * len(self.columns))(
            *(
                _SmallColumn(
                    piece_of(array, each.form),
                    *each.form,
                    each.nullable,
                    each.physical,
                    each.statistics,
                    each.path,
                    len(each.path),
                )
                for array, each in zip(rows.columns, self.columns, strict=True)
            )
        )
        most_rows = max((end - start for start, end in pairwise([0, *ends])), default=0)
        numbers = pa.allocate_buffer(4 * max(1, most_rows))
        page = pa.allocate_buffer(PAGE_AROUND_BYTES + MOST_PAGE_BYTES)
        told = _SmallFiles(
            ctypes.addressof(columns), len(columns), self.packed, self.checksums, self.head, self.tail,
            len(self.head), len(self.tail), numbers.address, page.address, page.size,
        )  # fmt: skip
        size = ctypes.c_int64()
        row_bytes = rows.nbytes // max(1, rows.num_rows) + 1
        room = len(self.head) + len(self.tail) + len(columns) * _COLUMN_BYTES + 2 * row_bytes * most_rows
        file, about = pa.allocate_buffer(room), pa.allocate_buffer(room)
        for start, end in pairwise([0, *ends]):
            while True:
                told.file, told.file_room, told.about, told.about_room = (
                    file.address,
                    file.size,
                    about.address,
                    about.size,
                )
                outcome = kernels.sf_parquet_small(ctypes.byref(told), start, end - start, ctypes.byref(size))
                if outcome != NO_ROOM:
                    break
                file, about = pa.allocate_buffer(2 * file.size), pa.allocate_buffer(2 * about.size)
            yield file.slice(0, size.value) if outcome == DONE else None

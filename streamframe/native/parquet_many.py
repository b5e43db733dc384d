"""Row groups of many files that are in memory: each column in one call of the kernel, nothing made for each chunk."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from streamframe.native.arrays import TextRoom
from streamframe.native.kernels import DONE, NO_ROOM, library
from streamframe.native.parquet import PAGE_SLACK, ChunkStruct, Form, Rows, page_bytes
from streamframe.native.parquet_footer import ChunkFacts
from streamframe.native.parquet_whole import TooHeavy, Unsure


class _Many(ctypes.Structure):
    """`struct many` of `parquet.c`."""

    _fields_ = (
        ("files", ctypes.c_int64),
        ("data", ctypes.c_void_p),
        ("starts", ctypes.c_void_p),
        ("rows", ctypes.c_void_p),
        ("facts", ctypes.c_void_p),
        ("columns", ctypes.c_int64),
        ("most_page_bytes", ctypes.c_int64),
        ("page", ctypes.c_void_p),
        ("page_room", ctypes.c_int64),
        ("nullable", ctypes.c_int32),
        ("stored_width", ctypes.c_int32),
        ("width", ctypes.c_int32),
    )


class Held(NamedTuple):
    """A row group of a file that is in memory.

    Attributes
    ----------
    data
        The whole file.
    facts
        What its footer tells of the chunk of each leaf: `ChunkFacts`, as numbers.
    rows
        Of the row group.
    """

    data: bytes
    facts: np.ndarray
    rows: int


class Wanted(NamedTuple):
    """A column that is wanted: its name, its form, and the number of its leaf."""

    name: str
    form: Form
    leaf: int


def read_many(
    groups: Sequence[Held], columns: Sequence[Wanted], room: TextRoom, most_page_bytes: int, most_bytes: int
) -> list[pa.Array]:
    """Return all rows of the row groups, column by column.

    Parameters
    ----------
    groups
        Of files with the same columns.
    columns
        Those that are wanted.
    room
        What was learned of the length of text, by row.
    most_page_bytes
        No larger page is decompressed.
    most_bytes
        The arrays may take so many.

    Raises
    ------
    TooHeavy, Unsure
        If they would take more, or take Arrow.
    """
    kernels = library()
    assert kernels
    starts = np.array([0, *accumulate(len(group.data) for group in groups)], np.int64)
    ends = np.array([*accumulate(group.rows for group in groups)], np.int64)
    rows = int(ends[-1])
    facts = np.array([group.facts for group in groups], np.int64)
    largest = int(facts[:, [column.leaf for column in columns], ChunkFacts._fields.index("nbytes")].max(initial=0))
    # The kernel may look at some bytes behind the last.
    data = pa.py_buffer(b"".join([*(group.data for group in groups), bytes(PAGE_SLACK)]))
    page = pa.allocate_buffer(page_bytes(min(largest, most_page_bytes)))
    chunk = ctypes.create_string_buffer(kernels.sf_parquet_chunk_bytes())
    needs = ChunkStruct.from_buffer(chunk)
    many = _Many(
        len(groups), data.address, starts.ctypes.data, ends.ctypes.data, 0, facts.shape[1], most_page_bytes,
        page.address, page.size,
    )  # fmt: skip
    arrays: list[pa.Array] = []
    held = 0
    try:
        for place, (name, form, leaf) in enumerate(columns):
            made = Rows(form, rows, room.forecast(name, rows, 1), encoded=False)
            many.facts = facts.ctypes.data + leaf * facts.strides[1]
            many.nullable, many.stored_width, many.width = form.nullable, form.stored_width, form.width
            at, done = ctypes.c_int64(), ctypes.c_int64()
            call = (ctypes.byref(many), made.address, chunk, ctypes.byref(at), ctypes.byref(done))
            while (outcome := kernels.sf_parquet_read_many(*call)) == NO_ROOM:
                if held + made.nbytes + needs.needed > most_bytes:
                    raise TooHeavy
                made.make_room(needs.needed)
            held += made.nbytes
            if outcome != DONE:
                raise Unsure(place)
            if held > most_bytes:
                raise TooHeavy
            room.learn(name, rows, made.text_bytes)
            arrays.append(made.array(None))
    finally:
        kernels.sf_parquet_close(chunk)
    return arrays

"""Row groups whole: all their columns in one call of the kernel.

Why: a call gives the interpreter to other threads, and has to wait for it to come back. With a call for each column
the threads that decode wait for each other and for the consumer a good part of the time.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import pyarrow as pa

from streamframe.native.kernels import DONE, NO_ROOM, library
from streamframe.native.parquet import ColumnChunk


class TooHeavy(Exception):  # noqa: N818 - never seen by users
    """Rows would take more bytes than they may."""


class Unsure(Exception):  # noqa: N818 - never seen by users
    """Takes Arrow, because of the column of this number."""

    def __init__(self, column: int) -> None:
        super().__init__(column)
        self.column = column


class _Step(ctypes.Structure):
    """`struct step` of `parquet.c`."""

    _fields_ = (
        ("chunk", ctypes.c_void_p),
        ("made", ctypes.c_void_p),
        ("rows", ctypes.c_int64),
        ("done", ctypes.c_void_p),
    )


def read_whole(columns: Sequence[Sequence[ColumnChunk]], rows: Sequence[int], most_bytes: int) -> list[pa.Array]:
    """Return all rows of row groups on end, column by column.

    Parameters
    ----------
    columns
        Of each, its chunks: none of them has been read from.
    rows
        Of each row group.
    most_bytes
        The arrays may take so many.

    Raises
    ------
    TooHeavy, Unsure
        Then none of the chunks can be read any more.
    """
    pieces = [piece for number, chunks in enumerate(columns) for piece in _pieces_of(number, chunks, rows)]
    _read(pieces, most_bytes)
    arrays: list[list[pa.Array]] = [[] for _ in columns]
    for piece in pieces:
        arrays[piece.column].append(piece.chunks[-1].finished(piece.made))
        for chunk in piece.chunks:
            chunk.let_go()
    return [some[0] if len(some) == 1 else pa.concat_arrays(some) for some in arrays]


class _Piece:
    """An array, and the chunks that it is made of."""

    def __init__(self, column: int, chunks: Sequence[ColumnChunk], rows: Sequence[int]) -> None:
        self.column, self.chunks, self.rows = column, chunks, rows
        self.made = chunks[0].room_for(sum(rows))
        self.done = ctypes.c_int64()

    def steps(self) -> list[_Step]:
        made, done, until, steps = self.made.address, ctypes.addressof(self.done), 0, []
        for chunk, rows in zip(self.chunks, self.rows, strict=True):
            until += rows
            steps.append(_Step(chunk.address, made, until, done))
        return steps


def _pieces_of(number: int, chunks: Sequence[ColumnChunk], rows: Sequence[int]) -> list[_Piece]:
    if not chunks[0].encoded:
        return [_Piece(number, chunks, rows)]
    # Each has a dictionary of its own.
    return [_Piece(number, [chunk], [some]) for chunk, some in zip(chunks, rows, strict=True)]


def _read(pieces: Sequence[_Piece], most_bytes: int) -> None:
    kernels = library()
    assert kernels
    steps = [step for piece in pieces for step in piece.steps()]
    where = [(piece, chunk) for piece in pieces for chunk in piece.chunks]
    # One chunk is read after another, so they may share it.
    page = pa.allocate_buffer(max(chunk.page_room for _, chunk in where))
    for _, chunk in where:
        chunk.take_page_room(page)
    at = ctypes.c_int64()
    address, count = (_Step * len(steps))(*steps), len(steps)
    held = sum(piece.made.nbytes for piece in pieces)
    if held > most_bytes:
        raise TooHeavy
    while (outcome := kernels.sf_parquet_read_steps(address, count, ctypes.byref(at))) != DONE:
        piece, chunk = where[at.value]
        if outcome == NO_ROOM:
            held -= piece.made.text_room
            if held + chunk.needed > most_bytes:
                raise TooHeavy
            piece.made.make_room(chunk.needed)
            held += piece.made.text_room
        elif not chunk.meet(outcome):
            raise Unsure(piece.column)

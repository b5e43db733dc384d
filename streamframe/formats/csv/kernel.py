"""CSV by a compiled kernel, as far as it is sure: the rest is Arrow's."""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Sequence
from functools import cache

import pyarrow as pa

from streamframe.formats.csv.dialect import Dialect
from streamframe.formats.records import Piece
from streamframe.native.arrays import Arrays, TextRoom, is_native
from streamframe.native.kernels import DONE, MOST_BYTES, NEWLINE, NO_ROOM, Pinned, Progress, Trust, library


class _Dialect(ctypes.Structure):
    """`struct dialect` of `csv.c`."""

    _fields_ = (("separator", ctypes.c_int32), ("quote", ctypes.c_int32))


class _Nulls(ctypes.Structure):
    """`struct nulls` of `csv.c`."""

    _fields_ = (
        ("count", ctypes.c_int64),
        ("text", ctypes.c_char_p),
        ("starts", ctypes.POINTER(ctypes.c_int32)),
        ("lengths", ctypes.c_uint32 * 256),
        ("empty", ctypes.c_int32),
    )


@cache
def _marks_of(dialect: Dialect) -> _Dialect | None:
    """Return what the kernels know of a dialect; None if it has more."""
    if dialect.escapechar or dialect.comment:
        return None
    return _Dialect(ord(dialect.sep), ord(dialect.quotechar) if dialect.quotechar else 0)


def end_of_records(dialect: Dialect, data: bytearray, start: int, stop: int) -> int | None:
    """Return the position behind the last complete record in ``data[start:stop]``; None if the kernel is not sure."""
    kernels, marks = library(), _marks_of(dialect)
    if kernels is None or marks is None:
        return None
    with Pinned(data, start) as first:
        end: int = kernels.sf_csv_end_of_records(first, stop - start, ctypes.byref(marks))
    return None if end < 0 else start + end


class Kernel:
    """Decodes the pieces of one file.

    Parameters
    ----------
    marks
        What separates fields.
    names
        The columns as they stand in the file.
    schema
        The columns that are wanted.
    null_values
        What spells a null.
    exact
        Columns in which no digit of a whole number may be lost.
    """

    def __init__(
        self,
        marks: _Dialect,
        names: tuple[str, ...],
        schema: pa.Schema,
        null_values: Sequence[str],
        exact: Collection[str],
    ) -> None:
        self._schema = schema
        self._fields = len(names)
        self._marks = marks
        self._places = (ctypes.c_int64 * len(schema))(*map(names.index, schema.names))
        self._nulls = _nulls(null_values)
        self._exact = exact
        self._room = TextRoom()
        self._trust = Trust()

    @classmethod
    def of(
        cls,
        dialect: Dialect,
        names: tuple[str, ...],
        schema: pa.Schema,
        null_values: Sequence[str],
        exact: Collection[str] = (),
    ) -> Kernel | None:
        """Return a kernel for such a file; None if there is none."""
        marks = _marks_of(dialect)
        if library() is None or marks is None or not is_native(schema):
            return None
        return cls(marks, names, schema, null_values, exact)

    def batch(self, piece: Piece) -> pa.RecordBatch | None:
        """Return the records of this piece; None if the kernel is not sure what they are."""
        kernels, count = library(), piece.stop - piece.start
        if kernels is None or not count or count > MOST_BYTES or not self._trust:
            return None
        with Pinned(piece.data, piece.start) as start:
            most_rows = kernels.sf_count(start, count, NEWLINE) + 1
            arrays = Arrays(self._schema, most_rows, count, self._room, self._exact)
            progress = Progress()
            outcome = NO_ROOM
            while outcome == NO_ROOM:
                outcome = kernels.sf_csv_decode(
                    start,
                    count,
                    ctypes.byref(self._marks),
                    ctypes.byref(self._nulls),
                    self._fields,
                    len(self._schema),
                    self._places,
                    arrays.columns,
                    ctypes.byref(progress),
                )
                if outcome == NO_ROOM:
                    arrays.make_room(progress.lacking)
        self._trust.learn(sure=outcome == DONE)
        return arrays.batch(progress.rows) if outcome == DONE else None


def _nulls(null_values: Sequence[str]) -> _Nulls:
    spelled = sorted({value.encode() for value in null_values} - {b""})
    starts = [0]
    lengths = [0] * 256
    for value in spelled:
        starts.append(starts[-1] + len(value))
        lengths[value[0]] |= 1 << min(len(value), 31)
    return _Nulls(
        len(spelled),
        b"".join(spelled),
        (ctypes.c_int32 * len(starts))(*starts),
        (ctypes.c_uint32 * 256)(*lengths),
        "" in null_values,
    )

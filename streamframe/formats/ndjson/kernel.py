"""NDJSON by a compiled kernel, as far as it is sure: the rest is Arrow's."""

from __future__ import annotations

import ctypes

import pyarrow as pa

from streamframe.formats.records import Piece
from streamframe.native.arrays import Arrays, TextRoom, is_native
from streamframe.native.kernels import DONE, MOST_BYTES, NEWLINE, NO_ROOM, Pinned, Progress, Trust, library


class _Name(ctypes.Structure):
    """`struct name` of `ndjson.c`."""

    _fields_ = (("text", ctypes.c_char_p), ("length", ctypes.c_int64), ("column", ctypes.c_int64))


class Kernel:
    """Decodes the pieces of one file.

    Parameters
    ----------
    schema
        The columns that are wanted.
    strict
        Every field must be a column.
    """

    def __init__(self, schema: pa.Schema, *, strict: bool) -> None:
        self._schema = schema
        self._strict = strict
        spelled = [name.encode() for name in schema.names]
        self._names = (_Name * len(spelled))(*(_Name(text, len(text), place) for place, text in enumerate(spelled)))
        self._room = TextRoom()
        self._trust = Trust()

    @classmethod
    def of(cls, schema: pa.Schema, *, strict: bool) -> Kernel | None:
        """Return a kernel for such a file; None if there is none."""
        return cls(schema, strict=strict) if library() is not None and is_native(schema) else None

    def batch(self, piece: Piece) -> pa.RecordBatch | None:
        """Return the records of this piece; None if the kernel is not sure what they are."""
        kernels, count = library(), piece.stop - piece.start
        if kernels is None or not count or count > MOST_BYTES or not self._trust:
            return None
        with Pinned(piece.data, piece.start) as start:
            arrays = Arrays(self._schema, kernels.sf_count(start, count, NEWLINE) + 1, count, self._room)
            progress = Progress()
            outcome = NO_ROOM
            while outcome == NO_ROOM:
                outcome = kernels.sf_ndjson_decode(
                    start, count, self._names, len(self._names), self._strict, arrays.columns, ctypes.byref(progress)
                )
                if outcome == NO_ROOM:
                    arrays.make_room(progress.lacking)
        self._trust.learn(sure=outcome == DONE)
        return arrays.batch(progress.rows) if outcome == DONE else None

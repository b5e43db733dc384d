"""Batches on disk, for as long as a step, or a block, needs them.

Rules: one file for each spill, which has no name from the start where the system allows that: so
nothing is left behind, however the process ends. What is written is read back by the number it got.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from types import TracebackType
from typing import NamedTuple, Self

import pyarrow as pa

from streamframe.errors import BudgetError


class _Piece(NamedTuple):
    schema: pa.Schema
    offset: int
    nbytes: int


class SpillFile:
    """Batches that are written to the folder for temporary files, and read back."""

    def __init__(self) -> None:
        try:
            self._file = tempfile.TemporaryFile(prefix="streamframe-", buffering=0)  # noqa: SIM115 - see `close`
        except OSError as error:
            raise cannot_spill(error) from error
        self._end = 0
        self._pieces: list[_Piece] = []

    def write(self, batch: pa.RecordBatch) -> int:
        """Write a batch; return the number by which it is read.

        Raises
        ------
        BudgetError
            If the disk takes no more.
        """
        data = memoryview(batch.serialize())
        self._pieces.append(_Piece(batch.schema, self._end, len(data)))
        self._end += len(data)
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            raise cannot_spill(error) from error
        return len(self._pieces) - 1

    def read(self, number: int) -> pa.RecordBatch:
        """Return a batch that was written."""
        piece = self._pieces[number]
        self._file.seek(piece.offset)
        data = self._file.read(piece.nbytes)
        self._file.seek(0, os.SEEK_END)
        return pa.ipc.read_record_batch(pa.py_buffer(data), piece.schema)

    def close(self) -> None:
        """Give the disk back; safe to call twice."""
        # What is in it is no longer wanted, nor why it could not be closed.
        with contextlib.suppress(OSError):
            self._file.close()

    def __del__(self) -> None:
        # A block that nobody asks for any more is dropped, wherever it is; it may have had no file.
        if hasattr(self, "_file"):
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def cannot_spill(error: OSError) -> BudgetError:
    """Return the error for a folder for temporary files that takes no more."""
    # Where no folder takes a file, `gettempdir` fails as well.
    where = tempfile.tempdir or "a folder for temporary files"
    return BudgetError(
        f"cannot spill to {where}: {error.strerror or error}",
        hint="raise the option memory, or set the environment variable TMPDIR to a folder on a larger disk.",
    )

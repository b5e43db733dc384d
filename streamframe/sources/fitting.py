"""Rows of one file made rows of all files: columns in one order, of one type, with what only the source knows.

Rules: a cast loses nothing, or is an error. Rows are numbered in the order of the file, though blocks
are decoded side by side: each waits until those before it have told how many rows they hold.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.batch import Mark
from streamframe.errors import DecodeError
from streamframe.plan.report import Completeness
from streamframe.plan.source import Block, BlockReader, Decoded
from streamframe.schema import dtype_name


@dataclass(frozen=True)
class Fit:
    """What the rows of one file become.

    Attributes
    ----------
    schema : pyarrow.Schema
        The columns that come out. One that the file does not have is null.
    constants : mapping of str to pyarrow.Scalar
        Columns that have one value in the whole file.
    row_column : str or None
        The column that takes the rows' numbers in the file, from 1.
    """

    schema: pa.Schema
    constants: Mapping[str, pa.Scalar]
    row_column: str | None = None

    def __call__(self, made: Decoded, rows_before: int) -> Decoded:
        """Return what a block decodes to as it comes out, behind so many rows of its file."""
        data = made.data.select([])
        if self.schema.names:
            columns = [self._column(field, made, rows_before) for field in self.schema]
            data = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        return made._replace(data=data)

    def _column(self, field: pa.Field, made: Decoded, rows_before: int) -> pa.Array:
        data = made.data
        if field.name in self.constants:
            return pa.repeat(self.constants[field.name], data.num_rows)
        if field.name == self.row_column:
            if made.places is not None:
                return pc.add(made.places, pa.scalar(rows_before + 1))
            return pa.arange(rows_before + 1, rows_before + data.num_rows + 1)
        if field.name not in data.schema.names:
            return pa.nulls(data.num_rows, field.type)
        found = data.column(field.name)
        if found.type == field.type:
            return found
        try:
            return found.cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DecodeError(
                f"column {field.name!r} is {dtype_name(found.type)} here and {dtype_name(field.type)} over all files, "
                f"but a value does not fit: {error}",
                column=field.name,
                hint="read the files apart, cast, and concat them.",
            ) from error


class FittedReader(BlockReader):
    """The blocks of a file, made to fit."""

    def __init__(self, reader: BlockReader, fit: Fit, rows: RowsBefore) -> None:
        self._reader = reader
        self._fit = fit
        self._rows = rows if fit.row_column is not None else None

    @property
    def bytes_read(self) -> int:
        return self._reader.bytes_read

    @property
    def bytes_total(self) -> int | None:
        return self._reader.bytes_total

    @property
    def retries(self) -> int:
        return self._reader.retries

    @property
    def completeness(self) -> Completeness:
        return self._reader.completeness

    @property
    def pending(self) -> bool:
        return self._reader.pending

    def next_bytes(self) -> int:
        return self._reader.next_bytes()

    def next_block(self) -> Block | None:
        block = self._reader.next_block()
        return None if block is None else _FittedBlock(block, self._fit, self._rows)

    def close(self) -> None:
        self._reader.close()


class RowsBefore:
    """How many rows of a file lie before the block whose turn it is; shared by all files of a run."""

    def __init__(self, start: Mark | None = None) -> None:
        self._turn = threading.Condition()
        self._numbered = 0
        self._block = 0
        self._part = -1 if start is None else start.part
        self._rows = 0 if start is None else start.rows
        # The first block that failed: those before it are decoded all the same.
        self._failed: float = math.inf

    def number(self) -> int:
        """Return the number of the next block; the reader thread calls this, in order."""
        self._numbered += 1
        return self._numbered - 1

    def take(self, block: int, part: int, rows: int, *, more: bool) -> int:
        """Wait for the turn of a block, count its rows, and return how many of its file were before them."""
        with self._turn:
            # Those before were handed to the pool earlier, so one of them is always at work.
            self._turn.wait_for(lambda: self._block == block or self._failed < block)
            if self._failed < block:
                raise DecodeError("a block before this one could not be decoded")
            if part != self._part:
                self._part, self._rows = part, 0
            before = self._rows
            self._rows += rows
            self._block += 0 if more else 1
            self._turn.notify_all()
        return before

    def fail(self, block: int) -> None:
        """Let the blocks behind this one fail: its rows cannot be counted."""
        with self._turn:
            self._failed = min(self._failed, block)
            self._turn.notify_all()

    def give_up(self) -> None:
        """Let all blocks fail that wait for their turn: those before them may have been cancelled."""
        self.fail(-1)


class _FittedBlock(Block):
    def __init__(self, block: Block, fit: Fit, rows: RowsBefore | None) -> None:
        self._block = block
        self._fit = fit
        self._rows = rows
        self._number = rows.number() if rows is not None else 0
        self.nbytes = block.nbytes
        self.part = block.part
        self.label = block.label

    def decode(self) -> Decoded:
        try:
            made = self._block.decode()
        except BaseException:
            if self._rows is not None:
                self._rows.fail(self._number)
            raise
        before = 0
        if self._rows is not None:
            before = self._rows.take(self._number, self.part, made.records, more=made.more)
        return self._fit(made, before)

    def mark(self, rows: int) -> Mark:
        return self._block.mark(rows)

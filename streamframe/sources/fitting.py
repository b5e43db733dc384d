"""Rows of one file made rows of all files: columns in one order, of one type, with what only the source knows.

Rule: a cast loses nothing, or is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamframe.errors import DecodeError
from streamframe.plain_values import plain_array, plain_scalar
from streamframe.plan.source import Block, BlockReader, Decoded, Joined
from streamframe.schema import dtype_name
from streamframe.sources.wrapped import RowsBefore, WrappedBlock, WrappedReader


@dataclass(frozen=True)
class Fit:
    """What the rows of one file become.

    Attributes
    ----------
    schema : pyarrow.Schema
        The columns that come out. One that the file does not have is null.
    constants : mapping of str to pyarrow.Array
        Columns that have one value in the whole file: that.
    row_column : str or None
        The column that takes the rows' numbers in the file, from 1.
    """

    schema: pa.Schema
    constants: Mapping[str, pa.Array]
    row_column: str | None = None

    def __call__(self, made: Decoded, rows_before: int) -> Decoded:
        """Return what a block decodes to as it comes out, behind so many rows of its file."""
        rows = made.data.num_rows
        known = {name: pa.repeat(value[0], rows) for name, value in self.constants.items()}
        if self.row_column is not None:
            numbers = pa.arange(1, rows + 1) if made.places is None else pc.add(made.places, plain_scalar(1))
            known[self.row_column] = pc.add(numbers, plain_scalar(rows_before))
        return made._replace(data=self.columns(made.data, known))

    def columns(self, data: pa.RecordBatch, known: Mapping[str, pa.Array]) -> pa.RecordBatch:
        """Return rows with the columns that come out; those that are known already are no columns of the file."""
        if not self.schema.names:
            return data.select([])
        columns = [known[field.name] if field.name in known else self._column(field, data) for field in self.schema]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _column(self, field: pa.Field, data: pa.RecordBatch) -> pa.Array:
        place = data.schema.get_field_index(field.name)
        if place < 0:
            return pa.nulls(data.num_rows, field.type)
        found = data.column(place)
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


def fitted(reader: BlockReader, fit: Fit, rows: RowsBefore) -> BlockReader:
    """Return the blocks of a file, made to fit."""
    return _Fitted(reader, fit) if fit.row_column is None else WrappedReader(reader, fit, rows)


class _Fitted(WrappedReader):
    def __init__(self, reader: BlockReader, fit: Fit) -> None:
        super().__init__(reader, fit, None)
        self._fit = fit

    def next_block(self) -> Block | None:
        block = self._reader.next_block()
        return None if block is None else _FittedBlock(block, self._fit)


class _FittedBlock(WrappedBlock):
    def __init__(self, block: Block, fit: Fit) -> None:
        super().__init__(block, fit, None)
        self.fit = fit

    def decode_with(self, following: Sequence[Block]) -> Joined | None:
        alike = [block for block in following if isinstance(block, _FittedBlock)]
        if len(alike) < len(following) or any(block.fit.schema is not self.fit.schema for block in alike):
            return None
        made = self.block.decode_with([block.block for block in alike])
        if made is None:
            return None
        fits = [block.fit for block in (self, *alike)]
        which = plain_array(np.repeat(np.arange(len(fits)), made.rows))
        constants = {
            name: pa.concat_arrays([fit.constants[name] for fit in fits]).take(which) for name in self.fit.constants
        }
        return Joined(self.fit.columns(made.data, constants), made.rows)

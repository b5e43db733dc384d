"""Rows of one file made rows of all files: columns in one order, of one type, with what only the source knows.

Rule: a cast loses nothing, or is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from streamframe.errors import DecodeError
from streamframe.plain_values import plain_scalar
from streamframe.plan.source import BlockReader, Decoded
from streamframe.schema import dtype_name
from streamframe.sources.wrapped import RowsBefore, WrappedReader


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
                return pc.add(made.places, plain_scalar(rows_before + 1))
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


def fitted(reader: BlockReader, fit: Fit, rows: RowsBefore) -> BlockReader:
    """Return the blocks of a file, made to fit."""
    return WrappedReader(reader, fit, rows if fit.row_column is not None else None)

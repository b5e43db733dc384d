"""A batch as a pandas DataFrame, with the same dtypes in every chunk of a stream.

Rule: the dtype follows from the schema alone, never from the values. pandas' own rule (int64, but
float64 where a null occurs) would change types from chunk to chunk and round large integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from streamframe.errors import DecodeError, PlanError

if TYPE_CHECKING:
    import pandas as pd

DtypeBackend = Literal["numpy", "pyarrow"]


def to_chunk(batch: pa.RecordBatch, backend: DtypeBackend = "numpy") -> pd.DataFrame:
    """Return a batch as a DataFrame whose dtypes depend on its schema only.

    Parameters
    ----------
    batch
        The rows.
    backend
        ``"numpy"``: pandas' default dtypes; columns of integers and booleans become pandas'
        nullable ``Int64``, ``boolean`` and so on, the only ones that hold a null in a later chunk
        without changing type. ``"pyarrow"``: an Arrow dtype for every column.
    """
    import pandas as pd

    if batch.num_columns == 0:
        return pd.DataFrame(index=pd.RangeIndex(batch.num_rows))
    if backend == "pyarrow":
        return batch.to_pandas(types_mapper=pd.ArrowDtype)
    try:
        return _decategorized(batch).to_pandas(types_mapper=_nullable().get)
    except (ValueError, OverflowError) as error:
        raise outside_python(batch, error) from error


def _nullable() -> dict[pa.DataType, Any]:
    import pandas as pd

    return {
        pa.int8(): pd.Int8Dtype(), pa.int16(): pd.Int16Dtype(),
        pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype(),
        pa.uint8(): pd.UInt8Dtype(), pa.uint16(): pd.UInt16Dtype(),
        pa.uint32(): pd.UInt32Dtype(), pa.uint64(): pd.UInt64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }  # fmt: skip


def _decategorized(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Spell dictionaries out: each batch has its own, and so would each chunk's categories."""
    arrays = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def to_frame(table: pa.Table, backend: DtypeBackend = "numpy") -> pd.DataFrame:
    """Return a whole table as a DataFrame: pandas' own choice of dtypes, or Arrow's."""
    import pandas as pd

    if table.num_columns == 0:
        return pd.DataFrame(index=pd.RangeIndex(table.num_rows))
    try:
        return table.to_pandas(types_mapper=pd.ArrowDtype if backend == "pyarrow" else None)
    except (ValueError, OverflowError) as error:
        raise outside_python(table, error) from error


def outside_python(data: pa.RecordBatch | pa.Table, error: Exception) -> DecodeError:
    """Return the error for a value that Arrow can hold and Python's own types cannot, such as a day in year 10000."""
    for name, column in zip(data.schema.names, data.columns, strict=True):
        try:
            column.to_pylist()
        except (ValueError, OverflowError):
            return DecodeError(
                f"column {name!r} holds a {column.type} that Python has no object for: {error}",
                column=name,
                hint=f'cast it first: .cast({{{name!r}: "string"}}).',
            )
    return DecodeError(f"these rows cannot be given as Python objects: {error}")


def checked_backend(backend: str) -> DtypeBackend:
    """Return a known dtype backend, or raise `PlanError`."""
    if backend not in ("numpy", "pyarrow"):
        raise PlanError(f"dtype_backend={backend!r} is not known", hint='use "numpy" (the default) or "pyarrow".')
    return backend  # type: ignore[return-value]

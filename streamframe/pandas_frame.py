"""A batch as a pandas DataFrame, with the same dtypes in every chunk of a stream.

Rule: the dtype follows from the schema alone, never from the values. pandas' own rule (int64, but
float64 where a null occurs) would change types from chunk to chunk and round large integers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from streamframe.errors import DecodeError, PlanError

if TYPE_CHECKING:
    import pandas as pd

DtypeBackend = Literal["numpy", "pyarrow"]


def to_chunk(batch: pa.RecordBatch, backend: DtypeBackend = "numpy", *, owned: bool = False) -> pd.DataFrame:
    """Return a batch as a DataFrame whose dtypes depend on its schema only.

    Parameters
    ----------
    batch
        The rows.
    backend
        ``"numpy"``: pandas' default dtypes; columns of integers and booleans become pandas'
        nullable ``Int64``, ``boolean`` and so on, the only ones that hold a null in a later chunk
        without changing type. ``"pyarrow"``: an Arrow dtype for every column.
    owned
        Nobody else holds the batch or its buffers: integers are not copied, and writing into the DataFrame
        writes into them.
    """
    import pandas as pd

    if batch.num_columns == 0:
        return pd.DataFrame(index=pd.RangeIndex(batch.num_rows))
    if backend == "pyarrow":
        return batch.to_pandas(types_mapper=pd.ArrowDtype)
    try:
        return _decategorized(batch).to_pandas(types_mapper=_nullable(_Owned if owned else None).get)
    except (ValueError, OverflowError) as error:
        raise outside_python(batch, error) from error


def _nullable(wrapped: Callable[[Any], Any] | None) -> dict[pa.DataType, Any]:
    import pandas as pd

    dtypes = {
        pa.int8(): pd.Int8Dtype(), pa.int16(): pd.Int16Dtype(),
        pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype(),
        pa.uint8(): pd.UInt8Dtype(), pa.uint16(): pd.UInt16Dtype(),
        pa.uint32(): pd.UInt32Dtype(), pa.uint64(): pd.UInt64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }  # fmt: skip
    return dtypes if wrapped is None else {kind: wrapped(dtype) for kind, dtype in dtypes.items()}


class _Owned:
    """A nullable dtype of pandas, for columns that nobody else holds: their values are not copied."""

    def __init__(self, dtype: Any) -> None:
        self._dtype = dtype

    def __from_arrow__(self, column: pa.ChunkedArray) -> Any:
        """Return a column as pandas' array; Arrow calls this."""
        import numpy as np

        (values,) = column.chunks or [pa.array([], column.type)]
        mask = np.zeros(len(values), bool)
        if values.null_count:
            mask = _viewed(values.is_null().cast(pa.uint8()), bool)
        if pa.types.is_boolean(values.type):
            # As bytes, like those that are missing.
            values = values.fill_null(fill_value=False).cast(pa.uint8())
        return self._dtype.construct_array_type()(_viewed(values, self._dtype.numpy_dtype), mask)


def _viewed(values: pa.Array, dtype: Any) -> Any:
    import numpy as np

    return np.frombuffer(values.buffers()[1] or bytearray(), dtype)[values.offset : values.offset + len(values)]


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

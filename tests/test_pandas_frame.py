"""Values that Arrow holds and Python does not are told with their column."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest

import streamframe as sf
from streamframe.pandas_frame import to_chunk

YEAR_29349 = pa.array([10**7], pa.date32())


@pytest.mark.parametrize(
    "end",
    [lambda frame: frame.to_pandas(), lambda frame: list(frame.iter_pandas()), lambda frame: list(frame.iter_rows())],
    ids=["to_pandas", "iter_pandas", "iter_rows"],
)
def test_a_date_that_python_has_not_is_told_with_column_and_remedy(end):
    frame = sf.from_arrow({"n": [1], "day": YEAR_29349})
    with pytest.raises(sf.DecodeError, match="column 'day'") as raised:
        end(frame)
    assert raised.value.column == "day"
    assert raised.value.hint == """cast it first: .cast({'day': "string"})."""
    assert len(frame.to_pandas(dtype_backend="pyarrow")) == 1


KINDS = [pa.int8(), pa.uint16(), pa.int64(), pa.uint64(), pa.bool_()]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("values", [[None, None], [1, None, 0], [1, 1, 0]], ids=str)
@pytest.mark.parametrize("chunksize", [1, 2, 3, 5, None])
def test_chunks_hold_the_rows_and_writing_into_one_changes_no_source(kind, values, chunksize):
    column = pa.array(values, pa.int8()).cast(kind)
    table = pa.table({"x": pa.chunked_array([column, column])})
    before = table.to_pylist()
    found = []
    for chunk in sf.from_arrow(table).iter_pandas(chunksize):
        array = chunk["x"].array
        found += array.to_numpy(object, na_value=None).tolist()
        array[:] = pd.NA
        assert array.isna().all()
        array[:] = array.dtype.type(1)
        assert array.all()
    assert found == [row["x"] for row in before]
    assert table.to_pylist() == before


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_an_empty_chunk_has_the_dtypes_of_the_others(kind):
    empty = pa.record_batch({"x": pa.array([], kind)})
    full = pa.record_batch({"x": pa.array([1]).cast(kind)})
    assert to_chunk(empty, owned=True).dtypes.equals(to_chunk(full, owned=True).dtypes)
    assert to_chunk(full, owned=True).equals(to_chunk(full))

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


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint16(), pa.int64(), pa.uint64(), pa.bool_()], ids=str)
@pytest.mark.parametrize("values", [[], [None, None], [1, None, 0], [1, 1, 0]], ids=str)
def test_integers_and_booleans_are_as_arrow_gives_them_and_may_be_written_over(kind, values):
    column = pa.array(values, pa.int8()).cast(kind)
    twice = pa.concat_arrays([column, column])
    dtype = to_chunk(pa.record_batch({"x": column}))["x"].dtype
    for given in (column, twice[1:]):
        chunk = to_chunk(pa.record_batch({"x": given}))
        expected = given.to_pandas(types_mapper={kind: dtype}.get)
        pd.testing.assert_series_equal(chunk["x"], expected, check_names=False)
        before = given.to_pylist()
        array = chunk["x"].array
        array[:] = pd.NA
        assert array.isna().all()
        array[:] = dtype.type(1)
        assert array.all()
        assert given.to_pylist() == before

"""Values that Arrow holds and Python does not are told with their column."""

from __future__ import annotations

import pyarrow as pa
import pytest

import streamframe as sf

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

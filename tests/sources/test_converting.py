"""Data that cannot become batches is told with the call it was given to, as an error of ours."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import streamframe as sf

TWICE = pa.record_batch([pa.array([1]), pa.array([2])], names=["a", "a"])


@pytest.mark.parametrize("columns", [{"a": [1], "b": [1, 2]}, {"a": [1, "x"]}, {"a": 1}])
def test_a_dict_that_makes_no_table_is_told_at_the_call(columns):
    with pytest.raises(sf.SchemaError, match="from_arrow: the columns make no table"):
        sf.from_arrow(columns)


def test_a_stream_without_columns_is_told():
    with pytest.raises(sf.SchemaError, match="is no table"):
        sf.from_arrow(pl.Series("x", [1])).count()


@pytest.mark.parametrize(
    "frame", [pd.DataFrame([[1, 2]], columns=["a", "a"]), pd.DataFrame({"a": [1 + 2j]})], ids=["names", "dtype"]
)
def test_a_frame_that_arrow_does_not_hold_is_told(frame):
    with pytest.raises(sf.SchemaError, match="from_pandas"):
        sf.from_pandas(frame).count()


@pytest.mark.parametrize("frame", [sf.from_arrow(pa.table(TWICE)), sf.from_arrow(TWICE), sf.from_batches([TWICE])])
def test_two_columns_of_one_name_are_told_before_one_hides_the_other(frame):
    with pytest.raises(sf.SchemaError, match="more than one column named 'a'"):
        frame.to_pandas()


def test_nothing_at_all_has_no_columns_and_says_so():
    with pytest.raises(sf.SchemaError, match="yields nothing") as raised:
        sf.from_pandas([]).count()
    assert "be it without rows" in raised.value.hint


def test_a_schema_that_is_none_is_refused_at_the_call():
    with pytest.raises(sf.PlanError, match=r"pyarrow\.Schema"):
        sf.from_batches([TWICE], schema={"a": "int64"})

"""What a user's function may return, and what it is told about the rest."""

from __future__ import annotations

import pandas as pd
import pytest

import streamframe as sf


@pytest.fixture
def frame():
    return sf.from_arrow({"a": [1, 2]})


@pytest.mark.parametrize(
    "function",
    [lambda chunk: pd.concat([chunk, chunk], axis=1), lambda chunk: pd.DataFrame({"a": [1, "x"]})],
    ids=["one name twice", "two types"],
)
def test_a_dataframe_that_makes_no_batch_is_told_with_the_step(frame, function):
    with pytest.raises(sf.SchemaError, match="make no batch") as raised:
        frame.map_pandas(function).to_arrow()
    assert raised.value.step == "step 2 of 2: map_pandas"


def test_a_dict_that_makes_no_batch_is_told_with_the_step(frame):
    with pytest.raises(sf.SchemaError, match="make no batch") as raised:
        frame.map_batches(lambda batch: {"a": [1], "b": [1, 2]}).to_arrow()
    assert raised.value.step == "step 2 of 2: map_batches"


@pytest.mark.parametrize("verb", ["map_batches", "map_pandas"])
def test_a_schema_that_is_none_is_refused_at_the_call(frame, verb):
    with pytest.raises(sf.PlanError, match=r"needs a pyarrow\.Schema"):
        getattr(frame, verb)(lambda data: data, schema={"a": "int64"})

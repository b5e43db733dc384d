"""What a user's function may return, and what it is told about the rest."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
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


def test_a_dataframe_of_pieces_of_text_is_taken():
    """What `pd.concat` returns: its text columns are not one array."""
    frame = sf.from_arrow({"t": ["x", "y"]})
    made = frame.map_pandas(lambda chunk: pd.concat([chunk, chunk], ignore_index=True)).to_arrow()
    assert made.to_pydict() == {"t": ["x", "y", "x", "y"]}


@pytest.mark.soak
def test_a_table_with_more_text_than_a_batch_can_hold_is_refused(frame):
    """Its first two gigabytes passed for all of it."""
    half = pa.chunked_array([pa.repeat(pa.scalar("x" * (1 << 20)), 1025)])
    table = pa.table({"t": pa.chunked_array([*half.chunks, *half.chunks])})
    with pytest.raises(sf.SchemaError, match="more than a batch can hold"):
        frame.map_batches(lambda batch: table).count()


@pytest.mark.parametrize("verb", ["map_batches", "map_pandas"])
def test_a_schema_that_is_none_is_refused_at_the_call(frame, verb):
    with pytest.raises(sf.PlanError, match=r"needs a pyarrow\.Schema"):
        getattr(frame, verb)(lambda data: data, schema={"a": "int64"})


def shouted(chunk):
    return chunk.assign(a=chunk["a"] * 2, b="ever")


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (lambda frame: frame.to_arrow().to_pydict(), {"a": [], "b": []}),
        (lambda frame: frame.limit(0).columns, ["a", "b"]),
        (lambda frame: frame.count(), 0),
        (
            lambda frame: frame.group_by().agg(n=sf.count(), most=("a", "max")).to_arrow().to_pylist(),
            [{"n": 0, "most": None}],
        ),
        (lambda frame: frame.map_pandas(shouted).to_arrow().to_pydict(), {"a": [], "b": []}),
        (lambda frame: list(frame.head().columns), ["a", "b"]),
    ],
)
def test_a_function_without_a_row_is_tried_on_none(frame, end, expected):
    """A filter that lets no row through made an error of what is a result like any other."""
    assert end(frame.filter(sf.col("a") > 2).map_pandas(shouted)) == expected


def test_a_tee_of_no_rows_behind_a_function_writes_its_columns(frame, tmp_path):
    frame.filter(sf.col("a") > 2).map_pandas(shouted).tee(tmp_path / "all.parquet").to_arrow()
    assert sf.read_parquet(tmp_path / "all.parquet").columns == ["a", "b"]


@pytest.mark.parametrize("function", [lambda batch: {"a": [batch["a"][0]]}, lambda batch: {"a": [], "b": [None]}])
def test_a_function_that_cannot_tell_its_columns_by_no_rows_needs_a_schema(frame, function):
    empty = frame.filter(sf.col("a") > 2)
    with pytest.raises(sf.PlanError, match=r"no row came out[\s\S]*pass schema="):
        empty.map_batches(function).to_arrow()
    schema = pa.schema({"a": pa.int64()})
    assert empty.map_batches(function, schema=schema).to_arrow().schema == schema


@pytest.mark.parametrize("step", [lambda frame: frame.drop("b"), lambda frame: frame.rename({"b": "c"}).select("a")])
def test_no_rows_behind_steps_whose_columns_the_optimizer_leaves_out_are_counted(frame, step):
    none = frame.filter(sf.col("a") > 2).group_by("a").agg(b=sf.count(), d=("a", "max"))
    counted = step(none).map_batches(lambda batch: batch).group_by().agg(n=sf.count(), most=("a", "max"))
    assert counted.to_arrow().to_pylist() == [{"n": 0, "most": None}]


def test_no_rows_of_frames_that_are_filtered_apart_are_counted():
    frame = sf.from_arrow({"a": [1], "b": [2]})
    none = sf.concat([frame.filter(sf.col("b") > 5), frame.limit(0)]).select("a")
    counted = none.map_batches(lambda batch: batch).group_by().agg(n=sf.count(), most=("a", "max"))
    assert counted.to_arrow().to_pylist() == [{"n": 0, "most": None}]

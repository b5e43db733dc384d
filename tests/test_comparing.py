"""What is compared without Arrow's engine comes out as the engine has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import streamframe as sf
from streamframe.expr import Expr, evaluate, evaluate_mask, result_type
from streamframe.expr.comparing import compares_directly
from streamframe.formats.parquet.footer import footer_of
from streamframe.formats.parquet.pruning import matching_row_groups
from streamframe.io.local import LocalLocation

COMPARE: dict[str, Callable[[Any, Any], Expr]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
DATA = pa.record_batch(
    {
        "small": pa.array([1, None, -128, 127, 5], pa.int8()),
        "long": pa.array([-(2**63), 2**63 - 1, None, 5, 0], pa.int64()),
        "real": pa.array([0.0, -0.0, float("nan"), None, 5.0]),
        "unsigned": pa.array([2**64 - 1, 0, None, 5, 6], pa.uint64()),
        "text": ["a", None, "5", "b", ""],
    }
)


@pytest.mark.parametrize("operator", COMPARE)
@pytest.mark.parametrize("column", ["small", "long"])
@pytest.mark.parametrize("value", [5, -129, 2**62, -(2**63), 2**63 - 1])
def test_whole_numbers_compare_as_in_the_engine(column, value, operator):
    condition = COMPARE[operator](sf.col(column), value)
    assert compares_directly(condition, DATA.schema)
    assert evaluate_mask(condition, DATA).equals(evaluate(condition, DATA))
    mirrored = COMPARE[operator](value, sf.col(column))
    assert evaluate_mask(mirrored, DATA).equals(evaluate(mirrored, DATA))


@pytest.mark.parametrize("operator", COMPARE)
@pytest.mark.parametrize("value", [0.0, 5.0, float("nan"), float("inf")])
def test_floats_compare_as_in_the_engine(value, operator):
    condition = COMPARE[operator](sf.col("real"), value) & (sf.col("small") > 0)
    assert compares_directly(condition, DATA.schema)
    assert result_type(condition, DATA.schema) == pa.bool_()
    assert evaluate_mask(condition, DATA).equals(evaluate(condition, DATA))


def test_what_takes_a_cast_is_left_to_the_engine():
    for condition in (sf.col("unsigned") > 1, sf.col("real") > 1, sf.col("small") > 1.5, sf.col("text") == "a"):
        assert not compares_directly(condition, DATA.schema)
    assert not compares_directly(sf.col("none") > 1, DATA.schema)
    assert not compares_directly((sf.col("small") > 1) | (sf.col("long") > 1), DATA.schema)


@pytest.mark.parametrize("operator", COMPARE)
@pytest.mark.parametrize("value", [-1, 0, 9, 10, 15, 29, 30])
def test_no_row_group_is_passed_over_that_has_a_row_that_matches(tmp_path, value, operator):
    path = tmp_path / "x.parquet"
    table = pa.table({"n": pa.array([*range(30), *([None] * 10)], pa.int16()), "m": range(40)})
    pq.write_table(table, path, row_group_size=10)
    condition = COMPARE[operator](sf.col("n"), value)
    with LocalLocation(label="x", path=str(path)).open_ranged() as file:
        footer = footer_of(file)
        kept = matching_row_groups(footer, table.schema, condition & (sf.col("m") >= 0))
    groups = {row // 10 for row, true in enumerate(evaluate(condition, table.to_batches()[0]).to_pylist()) if true}
    # Of nothing but nulls, no bounds are told.
    assert set(kept) - {3} == groups - {3}

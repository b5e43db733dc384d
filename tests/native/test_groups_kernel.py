"""The kernels of group_by make what Arrow's groups make, or leave it to Arrow."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamframe.native.groups import Groups
from tests.native.test_csv_kernel import EXAMPLES

KEYS = {
    "text": (pa.string(), st.sampled_from(["", "a", "b", "abcdefgh", "abcdefgi", "abcdefghi", "é" * 9, "a\0", "\0a"])),
    "int8": (pa.int8(), st.integers(-2, 2)),
    "uint64": (pa.uint64(), st.sampled_from([0, 1, 2**63, 2**64 - 1])),
    "day": (pa.date32(), st.dates(dt.date(2024, 1, 1), dt.date(2024, 1, 4))),
}
VALUES = {
    "int64": (pa.int64(), st.integers(-(2**40), 2**40)),
    "int16": (pa.int16(), st.integers(-(2**15), 2**15 - 1)),
    "double": (pa.float64(), st.floats(allow_nan=False)),
    "moment": (pa.timestamp("us"), st.datetimes()),
}
FUNCTIONS = ["count", "sum", "min", "max"]


@st.composite
def table(draw: st.DrawFn) -> tuple[pa.Table, list[str], str]:
    keys = draw(st.lists(st.sampled_from(sorted(KEYS)), min_size=1, unique=True))
    value = draw(st.sampled_from(sorted(VALUES)))
    rows, skipped = draw(st.integers(1, 60)), draw(st.integers(0, 9))
    times = draw(st.sampled_from([1, 1, 30]))
    columns = {}
    for name in [*keys, value]:
        kind, values = {**KEYS, **VALUES}[name]
        drawn = draw(st.lists(values | st.none() if draw(st.booleans()) else values, min_size=rows, max_size=rows))
        columns[name] = pa.array([None] * skipped + drawn * times, kind).slice(skipped)
    return pa.table(columns), keys, value


@settings(max_examples=EXAMPLES, deadline=None)
@given(table(), st.sampled_from(FUNCTIONS))
def test_groups_are_those_of_arrow(case: tuple[pa.Table, list[str], str], function: str) -> None:
    data, keys, value = case
    columns = [data.column(name).chunk(0) for name in keys]
    groups = Groups.of(columns)
    assert groups is not None
    assert list(groups.firsts) == sorted(groups.firsts)
    found = groups.reduce(function, data.column(value).chunk(0))
    if found is None:
        known = value in ("int64", "int16") or function == "count" or (value, function) == ("double", "sum")
        assert not known
        assert (value, function) != ("moment", "min")
        return
    kept = {name: column.take(pa.array(groups.firsts)) for name, column in zip(keys, columns, strict=True)}
    made = pa.table({**kept, "made": found}).to_pylist()
    expected = data.group_by(keys, use_threads=False).aggregate([(value, function)]).to_pylist()
    assert {row[keys[0]] for row in made} == {row[keys[0]] for row in expected}
    by_key = {tuple(row[key] for key in keys): row[f"{value}_{function}"] for row in expected}
    assert len(made) == len(by_key)
    for row in made:
        assert repr(row["made"]) == repr(by_key[tuple(row[key] for key in keys)])
    assert found.type == data.group_by(keys).aggregate([(value, function)]).column(f"{value}_{function}").type


def test_many_groups_are_told_apart() -> None:
    """The table of groups grows many times."""
    numbers = [(row * 7919) % 100_000 for row in range(200_000)]
    groups = Groups.of([pa.array(numbers), pa.array([f"key {number}" for number in numbers])])
    assert groups is not None
    assert len(groups.firsts) == 100_000
    assert groups.reduce("count", None).to_pylist() == [2] * 100_000
    assert [numbers[first] for first in groups.firsts] == list(dict.fromkeys(numbers))


@pytest.mark.parametrize("values", [[2**62, 2**62], [-(2**63), -1]])
def test_a_sum_that_overflows_is_left_to_arrow(values: list[int]) -> None:
    groups = Groups.of([pa.array([1, 1])])
    assert groups is not None
    assert groups.reduce("sum", pa.array(values)) is None


@pytest.mark.parametrize("kind", [pa.float64(), pa.bool_(), pa.large_string(), pa.decimal128(5, 2)])
def test_keys_that_are_not_compared_by_bits_are_left_to_arrow(kind: pa.DataType) -> None:
    assert Groups.of([pa.nulls(3, kind)]) is None

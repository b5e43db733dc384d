"""The kernels of group_by make what Arrow's groups make, or leave it to Arrow."""

from __future__ import annotations

import datetime as dt
import random

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


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(table(), st.lists(st.sampled_from(FUNCTIONS), min_size=1), st.data())
def test_rows_that_are_left_out_are_as_if_they_were_not_there(
    case: tuple[pa.Table, list[str], str], functions: list[str], draw: st.DataObject
) -> None:
    data, keys, value = case
    share = draw.draw(st.sampled_from([0.02, 0.5, 0.98, 1]))
    # Of its own: each number that hypothesis draws takes a thousand times as long.
    rng = random.Random(draw.draw(st.integers(0, 2**32)))
    skipped = rng.randrange(9)
    passing = [None if rng.random() < 0.1 * (share < 1) else rng.random() < share for _ in range(data.num_rows)]
    kept = pa.array([None] * skipped + passing, pa.bool_()).slice(skipped)
    left = data.filter(kept)
    columns = [data.column(name).chunk(0) for name in keys]
    made = Groups.of(columns, kept)
    if not left.num_rows:
        assert made is None
        return
    alone = Groups.of([left.column(name).combine_chunks() for name in keys])
    assert made is not None
    assert alone is not None
    assert list(made.number_of) == list(alone.number_of)
    places = pa.array(range(data.num_rows)).filter(kept)
    assert list(made.firsts) == places.take(pa.array(alone.firsts)).to_pylist()
    wanted = [(function, data.column(value).chunk(0)) for function in functions]
    expected = alone.reduce([(function, left.column(value).combine_chunks()) for function in functions])
    found = made.reduce([*wanted, ("count", None)])
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert repr([each.to_pylist() for each in found[:-1]]) == repr([each.to_pylist() for each in expected])
        assert found[-1] == alone.reduce([("count", None)])[0]


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(table(), st.sampled_from(FUNCTIONS))
def test_groups_are_those_of_arrow(case: tuple[pa.Table, list[str], str], function: str) -> None:
    data, keys, value = case
    columns = [data.column(name).chunk(0) for name in keys]
    groups = Groups.of(columns)
    assert groups is not None
    assert list(groups.firsts) == sorted(groups.firsts)
    reduced = groups.reduce([(function, data.column(value).chunk(0))])
    if reduced is None:
        known = value in ("int64", "int16") or function == "count" or (value, function) == ("double", "sum")
        assert not known
        assert (value, function) != ("moment", "min")
        return
    (found,) = reduced
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
    assert groups.reduce([("count", None)]) == [pa.array([2] * 100_000)]
    assert [numbers[first] for first in groups.firsts] == list(dict.fromkeys(numbers))


@pytest.mark.parametrize("values", [[2**62, 2**62], [-(2**63), -1]])
def test_a_sum_that_overflows_is_left_to_arrow(values: list[int]) -> None:
    groups = Groups.of([pa.array([1, 1])])
    assert groups is not None
    assert groups.reduce([("sum", pa.array(values))]) is None


@pytest.mark.parametrize("kind", [pa.float64(), pa.bool_(), pa.large_string(), pa.decimal128(5, 2)])
def test_keys_that_are_not_compared_by_bits_are_left_to_arrow(kind: pa.DataType) -> None:
    assert Groups.of([pa.nulls(3, kind)]) is None


@pytest.mark.parametrize(
    "values",
    [
        pa.StructArray.from_arrays([pa.array([1, 2, 3, 4])], ["a"], mask=pa.array([True, False, True, False])),
        pa.array([None, [1], None, []]),
        pa.array([None, True, None, False]),
        pa.array([None, "a", None, "b"]).dictionary_encode(),
        pa.array([None, "a", None, "b"], pa.string_view()),
    ],
    ids=lambda values: str(values.type),
)
def test_values_of_any_type_are_counted(values: pa.Array) -> None:
    groups = Groups.of([pa.array([1, 1, 1, 2])], pa.array([True, True, False, True]))
    assert groups is not None
    assert groups.reduce([("count", values), ("count", None)]) == [pa.array([1, 1]), pa.array([2, 1])]

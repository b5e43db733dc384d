"""What is written as NDJSON is JSON, for every type, and reads back as what it was."""

from __future__ import annotations

import datetime
import decimal
import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamframe.errors import PlanError, SchemaError
from streamframe.formats.ndjson import NdjsonEncoding, NdjsonFormat, NdjsonWriter
from tests.formats.scripted import read_table, text_of

DAY = datetime.datetime(2013, 1, 1, 5)
LATE = datetime.datetime(2013, 7, 1, 5, 0, 0, 250_000, tzinfo=datetime.UTC)


def values(array: pa.Array) -> list[object]:
    batch = pa.RecordBatch.from_arrays([array], ["a"])
    return [json.loads(line)["a"] for line in text_of(NdjsonWriter(batch.schema), batch).splitlines()]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array(['a"b\\c\n\t\0\x1f é😀\x7f', None, ""]), ['a"b\\c\n\t\0\x1f é😀\x7f', None, ""]),
        (pa.array(["x", None], pa.large_string()), ["x", None]),
        (pa.array(["x", None], pa.string_view()), ["x", None]),
        (pa.array([2**64 - 1, None], pa.uint64()), [2**64 - 1, None]),
        (pa.array([0.1, 1e300, None, float("nan"), float("-inf")]), [0.1, 1e300, None, None, None]),
        (pa.array([0.1, None], pa.float32()), [0.1, None]),
        (pa.array([1.5, None], pa.float16()), [1.5, None]),
        (pa.array([True, False, None]), [True, False, None]),
        (pa.nulls(2), [None, None]),
        (pa.array([DAY, None], pa.timestamp("s")), ["2013-01-01T05:00:00", None]),
        (pa.array([LATE, None], pa.timestamp("ms", "Europe/Paris")), ["2013-07-01T05:00:00.250Z", None]),
        (pa.array([DAY.date(), None]), ["2013-01-01", None]),
        (pa.array([86_400_000, None], pa.date64()), ["1970-01-02", None]),
        (pa.array([LATE.time(), None], pa.time64("us")), ["05:00:00.250000", None]),
        (pa.array([1500, None], pa.duration("ms")), [1500, None]),
        (pa.array([decimal.Decimal("1.50"), None]), ["1.50", None]),
        (pa.array([b"\xff\0", None, b""]), ["/wA=", None, ""]),
        (pa.array([b"ab", None], pa.binary(2)), ["YWI=", None]),
        (pa.array([[1, None], None, []]), [[1, None], None, []]),
        (pa.array([[["x"], None], None], pa.large_list(pa.list_(pa.string()))), [[["x"], None], None]),
        (pa.array([[1.0, None], None], pa.list_(pa.float64(), 2)), [[1.0, None], None]),
        (pa.array([{"x": 1, 'y"': "z"}, None, {"x": None}]), [{"x": 1, 'y"': "z"}, None, {"x": None, 'y"': None}]),
        (pa.array([{}, None], pa.struct([])), [{}, None]),
        (pa.array([[{"x": [1]}], None, [None]]), [[{"x": [1]}], None, [None]]),
        (
            pa.array([[('"', 1), ("b", None)], [("c", 2)], None, []], pa.map_(pa.string(), pa.int8())),
            [{'"': 1, "b": None}, {"c": 2}, None, {}],
        ),
        (
            pa.array([[(DAY, "x")], None], pa.map_(pa.timestamp("s", "UTC"), pa.string())),
            [{"2013-01-01T05:00:00Z": "x"}, None],
        ),
        (pa.array(["x", None, "x"]).dictionary_encode(), ["x", None, "x"]),
        (pa.RunEndEncodedArray.from_arrays([2, 3], ["x", None]), ["x", "x", None]),
    ],
)
def test_every_type_is_json_also_in_a_slice(array, expected):
    assert values(array) == expected
    for start in range(len(expected)):
        assert values(array.slice(start, 2)) == expected[start : start + 2]


def test_whole_floats_stay_floats():
    batch = pa.RecordBatch.from_pydict({"a": [1.0, -0.0, 1e16, 1e-7, 123456789.0]})
    written = text_of(NdjsonWriter(batch.schema), batch)
    assert written.split()[0] == b'{"a":1.0}'
    assert read_table(NdjsonFormat(), written).to_pydict() == batch.to_pydict()


@pytest.mark.parametrize(
    "kind", [pa.month_day_nano_interval(), pa.map_(pa.list_(pa.int8()), pa.int8()), pa.list_view(pa.int8())]
)
def test_a_column_json_has_nothing_for_is_refused_by_name(kind):
    with pytest.raises(SchemaError, match=r"column 'when' of type .* cannot be written as NDJSON") as caught:
        NdjsonWriter(pa.schema({"a": pa.int64(), "when": kind}))
    assert caught.value.column == "when"


def test_columns_of_one_name_and_no_columns_are_refused():
    with pytest.raises(SchemaError, match="two columns are named 'a'"):
        NdjsonWriter(pa.schema([("a", pa.int64()), ("a", pa.int64())]))
    with pytest.raises(SchemaError, match="no columns"):
        NdjsonWriter(pa.schema([]))


def test_an_unknown_compression_is_named_at_the_call():
    with pytest.raises(PlanError, match="rar"):
        NdjsonEncoding(compression="rar")


COMMON = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False, allow_infinity=False),
    pa.bool_(): st.booleans(),
    pa.string(): st.text(),
    pa.timestamp("us"): st.datetimes(),
    pa.timestamp("us", "UTC"): st.datetimes(timezones=st.just(datetime.UTC)),
    pa.date32(): st.dates(),
    pa.time64("us"): st.times(),
    pa.duration("us"): st.timedeltas(-datetime.timedelta(10_000), datetime.timedelta(10_000)),
    pa.decimal128(12, 3): st.decimals(-(10**8), 10**8, places=3),
    pa.list_(pa.string()): st.lists(st.none() | st.text()),
    pa.struct({"x": pa.int64(), "y": pa.list_(pa.timestamp("s"))}): st.fixed_dictionaries(
        {
            "x": st.none() | st.integers(0, 9),
            "y": st.lists(st.datetimes().map(lambda time: time.replace(microsecond=0))),
        }
    ),
}


@st.composite
def tables(draw):
    rows = draw(st.integers(1, 8))
    kinds = draw(st.lists(st.sampled_from(list(COMMON)), min_size=1, max_size=4))
    names = draw(st.lists(st.text(), min_size=len(kinds), max_size=len(kinds), unique=True))
    column = lambda kind: draw(st.lists(st.none() | COMMON[kind], min_size=rows, max_size=rows))  # noqa: E731
    return pa.table([pa.array(column(kind), kind) for kind in kinds], names=names)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(tables(), st.integers(1, 3))
def test_what_is_written_reads_back_as_it_was(table, rows):
    writer = NdjsonWriter(table.schema)
    text = text_of(writer, *table.to_batches(max_chunksize=rows))
    dtype = dict(zip(table.schema.names, table.schema.types, strict=True))
    assert read_table(NdjsonFormat(dtype=dtype), text, expected=table.schema).equals(table)

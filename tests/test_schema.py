"""Types by their names, and checks of columns."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import streamframe as sf
from streamframe.errors import ColumnNotFoundError, SchemaError
from streamframe.schema import check_columns, describe_schema, dtype_name, parse_dtype, require_same

CATEGORY = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema([("fare", pa.float64()), ("id", pa.int64()), ("zip", pa.string())])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (pa.int8(), pa.int8()),
        # Arrow
        ("int64", pa.int64()),
        ("string", pa.string()),
        ("large_string", pa.large_string()),
        ("timestamp[us]", pa.timestamp("us")),
        ("timestamp[ns, UTC]", pa.timestamp("ns", "UTC")),
        ("timestamp[ms, tz=Europe/Paris]", pa.timestamp("ms", "Europe/Paris")),
        ("duration[s]", pa.duration("s")),
        ("date32", pa.date32()),
        ("date32[day]", pa.date32()),
        ("time64[us]", pa.time64("us")),
        ("decimal128(10,2)", pa.decimal128(10, 2)),
        ("decimal256(50, 4)", pa.decimal256(50, 4)),
        ("bool", pa.bool_()),
        ("double", pa.float64()),
        ("list<item: timestamp[us, tz=UTC]>", pa.list_(pa.timestamp("us", "UTC"))),
        # pandas and numpy
        ("Int64", pa.int64()),
        ("UInt8", pa.uint8()),
        ("object", pa.string()),
        ("str", pa.string()),
        ("category", CATEGORY),
        ("boolean", pa.bool_()),
        ("float", pa.float64()),
        ("float[pyarrow]", pa.float32()),
        ("float32", pa.float32()),
        ("datetime64[ns]", pa.timestamp("ns")),
        ("datetime64[ns, UTC]", pa.timestamp("ns", "UTC")),
        ("timedelta64[ms]", pa.duration("ms")),
        ("int64[pyarrow]", pa.int64()),
        ("string[pyarrow]", pa.string()),
        ("timestamp[us, tz=UTC][pyarrow]", pa.timestamp("us", "UTC")),
        (np.dtype("float32"), pa.float32()),
        (np.dtype("datetime64[us]"), pa.timestamp("us")),
        (np.dtype("U5"), pa.string()),
        (np.int32, pa.int32()),
        (np.longlong, pa.int64()),
        ("uint", pa.uint64()),
        ("short", pa.int16()),
        ("half", pa.float16()),
        (np.bool_, pa.bool_()),
        (pd.Int16Dtype(), pa.int16()),
        (pd.StringDtype(), pa.string()),
        (pd.CategoricalDtype(), CATEGORY),
        (pd.ArrowDtype(pa.date64()), pa.date64()),
        (pd.DatetimeTZDtype("us", "Asia/Tokyo"), pa.timestamp("us", "Asia/Tokyo")),
        # Python
        ("time", pa.time64("us")),
        (int, pa.int64()),
        (float, pa.float64()),
        (str, pa.string()),
        (bool, pa.bool_()),
        (bytes, pa.binary()),
        (datetime.datetime, pa.timestamp("us")),
        (datetime.date, pa.date32()),
        (decimal.Decimal, pa.decimal128(38, 9)),
    ],
    ids=repr,
)
def test_a_type_may_be_named_as_in_arrow_pandas_numpy_or_python(value: Any, expected: pa.DataType) -> None:
    assert parse_dtype(value) == expected


@pytest.mark.parametrize(
    "dtype",
    [
        *(pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.bool_(), pa.null()),
        *(pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.string_view(), CATEGORY),
        *(pa.date32(), pa.date64(), pa.time32("ms"), pa.time64("ns"), pa.duration("us")),
        *(pa.timestamp("s"), pa.timestamp("ns", "America/New_York"), pa.decimal128(38, -2), pa.decimal256(76, 3)),
        *(pa.list_(pa.float32()), pa.large_list(pa.list_(pa.decimal128(5, 1)))),
    ],
    ids=str,
)
def test_the_name_of_a_type_can_be_pasted_back(dtype: pa.DataType) -> None:
    assert parse_dtype(dtype_name(dtype)) == dtype


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("int46", "did you mean 'int64'?"),
        ("strin", "did you mean 'string'?"),
        ("decimal", "decimal128(10, 2)"),
        ("decimal128(99, 2)", "decimal128(10, 2)"),
        ("timestamp[weeks]", "use a name|did you mean 'timestamp'"),
        ("list<strng>", "did you mean 'string'?"),
        (None, "use a name"),
        (dict, "use a name"),
        (3, "use a name"),
    ],
)
def test_an_unknown_type_is_refused_with_the_nearest_one(value: Any, hint: str) -> None:
    with pytest.raises(SchemaError, match="is not known") as caught:
        parse_dtype(value)
    assert any(each in str(caught.value.hint) for each in hint.split("|"))


def test_the_first_missing_column_is_named_with_the_nearest_one() -> None:
    check_columns(["zip", "fare"], SCHEMA)
    with pytest.raises(ColumnNotFoundError, match="did you mean 'fare'") as caught:
        check_columns(["id", "fair", "nope"], SCHEMA)
    assert caught.value.column == "fair"


def test_a_schema_is_described_in_aligned_lines() -> None:
    assert describe_schema(SCHEMA) == "fare  float64\nid    int64\nzip   string"
    assert describe_schema(pa.schema([])) == ""


def test_schemas_that_differ_in_metadata_only_are_the_same() -> None:
    require_same(SCHEMA, SCHEMA.with_metadata({"made": "elsewhere"}))


@pytest.mark.parametrize(
    ("other", "column", "message"),
    [
        (SCHEMA.remove(1), "id", "column 'id' is missing in one of the frames; that one has: fare, zip"),
        (SCHEMA.append(pa.field("tip", pa.float64())), "tip", "column 'tip' is in one of the frames only"),
        (pa.schema([SCHEMA.field(i) for i in (0, 2, 1)]), "id", "'zip' is where 'id' should be"),
        (SCHEMA.set(1, pa.field("id", pa.string())), "id", "column 'id' is int64 in one frame and string in another"),
    ],
)
def test_the_first_column_that_differs_is_named_with_both_types(other: pa.Schema, column: str, message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        require_same(SCHEMA, other)
    assert caught.value.column == column
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris", "Etc/GMT+5", "+01:00", "-0330"])
def test_a_time_zone_that_there_is_is_taken(zone):
    assert parse_dtype(f"timestamp[us, tz={zone}]") == pa.timestamp("us", zone)
    assert parse_dtype(f"list<datetime64[ns, {zone}]>") == pa.list_(pa.timestamp("ns", zone))


@pytest.mark.parametrize("zone", ["Mars/Phobos", "+25:00", "UTC+1", "../../etc/passwd", "/etc/passwd", "Europe"])
def test_a_time_zone_that_there_is_not_is_told_at_the_call(zone):
    with pytest.raises(sf.SchemaError, match="the time zone "):
        sf.read_csv("a.csv", dtype={"t": f"timestamp[us, tz={zone}]"})
    with pytest.raises(sf.SchemaError, match="is not known"):
        sf.from_arrow({"t": ["2024-01-01"]}).cast({"t": f"datetime64[ns, {zone}]"})


def test_a_time_zone_is_told_the_nearest_name():
    for wrong, right in (("Europe/Pariss", "Europe/Paris"), ("america/new_york", "America/New_York"), ("utc", "UTC")):
        with pytest.raises(sf.SchemaError) as caught:
            parse_dtype(f"timestamp[us, {wrong}]")
        assert right in caught.value.hint


def test_where_no_time_zones_are_installed_any_name_is_taken(monkeypatch):
    monkeypatch.setattr("zoneinfo.available_timezones", set)
    assert parse_dtype("timestamp[us, Mars/Phobos]") == pa.timestamp("us", "Mars/Phobos")

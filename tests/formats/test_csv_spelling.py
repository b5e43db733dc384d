"""Numbers and times as people write them elsewhere."""

from __future__ import annotations

import datetime
import io

import pyarrow as pa
import pytest

import streamframe as sf

GERMAN = b"n;x;day\n1.234;3,5;31.12.2024\n-1.234.567;-0,25;01.02.2023\n;;\n"
OPTIONS = {"sep": ";", "decimal": ",", "thousands": ".", "date_format": "%d.%m.%Y"}


def read(data, **options):
    return sf.read_csv(io.BytesIO(data), **options)


def test_types_are_found_in_numbers_with_groups_and_in_dates():
    found = read(GERMAN, **OPTIONS).to_arrow()
    assert found.schema.types == [pa.int64(), pa.float64(), pa.timestamp("s")]
    assert found.to_pylist() == [
        {"n": 1234, "x": 3.5, "day": datetime.datetime(2024, 12, 31)},
        {"n": -1234567, "x": -0.25, "day": datetime.datetime(2023, 2, 1)},
        {"n": None, "x": None, "day": None},
    ]


def test_groups_in_quotes_are_numbers_where_the_comma_separates_fields():
    found = read(b'a,b\n"1,234.5",x\n12,y\n', thousands=",").to_arrow().to_pydict()
    assert found == {"a": [1234.5, 12.0], "b": ["x", "y"]}


@pytest.mark.parametrize("thousands", ["\u202f", "\u00a0", "\u2009", "\u2019", "\u066c", "'", " "])
@pytest.mark.parametrize("errors", ["raise", "quarantine"])
def test_groups_may_be_told_by_signs_beyond_ascii(thousands, errors):
    text = "n;x\n1_234;12_345,5\n-1_234_567;_1,0\n12;\n".replace("_", thousands)
    options = {"sep": ";", "decimal": ",", "thousands": thousands, "errors": errors}
    for encoding in {"utf-8", "cp1252" if thousands in "\u00a0\u2019' " else "utf-16"}:
        found = read(text.encode(encoding), encoding=encoding, **options).to_arrow()
        assert found.to_pydict() == {"n": [1234, -1234567, 12], "x": [12345.5, 1.0, None]}
    bad = text + "12z;1\n"
    told = read(bad.encode(), **options | {"errors": "quarantine"}, dtype={"n": "int64"})
    assert told.to_arrow()["n"].to_pylist() == [1234, -1234567, 12]
    assert told.rejects().to_arrow()["column"].to_pylist() == ["n"]


def test_text_stays_text():
    assert read(b'a\n"1,234"\nx\n', thousands=",").to_arrow()["a"].to_pylist() == ["1,234", "x"]
    assert read(b'a\n"1,234"\n', thousands=",", dtype={"a": "string"}).to_arrow()["a"].to_pylist() == ["1,234"]


def test_iso_times_are_read_beside_the_format():
    found = read(b"t\n12/31/2024 11:59 PM\n2024-12-31 23:59:00\n", date_format="%m/%d/%Y %I:%M %p").to_arrow()
    assert found["t"].to_pylist() == [datetime.datetime(2024, 12, 31, 23, 59)] * 2


def test_an_offset_makes_an_instant():
    found = read(b"t\n31.12.2024 +0200\n", date_format="%d.%m.%Y %z").to_arrow()["t"][0].as_py()
    assert found == datetime.datetime(2024, 12, 30, 22, tzinfo=datetime.UTC)


BAD = b'a,b\n"1,234",x\n"1,2z",y\n7,z\n'


def test_a_number_that_is_none_is_told_with_its_place():
    with pytest.raises(sf.DecodeError, match="'a': cannot read '1,2z' as int64") as caught:
        read(BAD, thousands=",", dtype={"a": "int64"}).to_arrow()
    assert (caught.value.row, caught.value.byte_offset) == (2, 14)


@pytest.mark.parametrize(
    ("errors", "left"), [("null", [1234, None, 7]), ("skip", [1234, 7]), ("quarantine", [1234, 7])]
)
def test_a_number_that_is_none_can_be_null_or_left_out(errors, left):
    frame = read(BAD, thousands=",", dtype={"a": "int64"}, errors=errors)
    assert frame.to_arrow()["a"].to_pylist() == left


def test_only_one_column_of_many_is_read():
    assert read(GERMAN, **OPTIONS).select("x").to_arrow()["x"].to_pylist() == [3.5, -0.25, None]
    assert read(GERMAN, **OPTIONS).count() == 3


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"decimal": ",,"}, "decimal needs one character"),
        ({"thousands": "1"}, "thousands needs one character"),
        ({"thousands": "é"}, "thousands needs one character"),
        ({"decimal": "\u066b"}, "decimal needs one character"),
        ({"thousands": "."}, "decimal and thousands are both"),
        ({"date_format": "day"}, "date_format needs a format"),
        ({"date_format": {"a": "%d"}}, "single columns"),
        ({"date_format": "%H:%M %Z"}, r"%Z is not read(.|\n)*%z"),
        ({"date_format": "%Q"}, "%Q is not known"),
        ({"date_format": "%H:%M:%S.%f"}, "%f is not known"),
        ({"dtype": {0: "string"}}, "0 is no name of a column"),
        ({"decimal": ",", "quotechar": None}, "stands in numbers"),
    ],
)
def test_what_cannot_be_meant_is_told_at_the_call(options, told):
    with pytest.raises(sf.PlanError, match=told):
        sf.read_csv("a.csv", **options)


@pytest.mark.parametrize("options", [{}, {"thousands": ","}, {"errors": "skip"}])
def test_hexadecimal_numbers_are_text_unless_a_type_is_given(options):
    data = b"id,at,n\n1,0x10,\n2,0XfF,7\n"
    found = read(data, **options).to_arrow()
    assert found.schema.types == [pa.int64(), pa.string(), pa.int64()]
    assert found["at"].to_pylist() == ["0x10", "0XfF"]
    assert read(data, dtype={"at": "int64"}, **options).to_arrow()["at"].to_pylist() == [16, 255]


def test_one_hexadecimal_number_at_the_end_of_a_file_makes_its_column_text(tmp_path):
    (tmp_path / "a.csv").write_text("n\n" + "1234567\n" * 100_000 + "0x10\n")
    assert sf.read_csv(tmp_path / "a.csv").schema.field("n").type == pa.string()

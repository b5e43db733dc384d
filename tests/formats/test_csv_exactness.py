"""Whole numbers behind the sample of a column of floats keep their digits, or somebody is told."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamframe as sf
from tests.formats.dirty_text import keeps_digits

LOST = 2**53 + 1
# What a float is written as: with all its digits, by "%.0f", and by JavaScript; or no whole number.
SAME = ["-9007199254740992", "18014398509481984", "110000000000000016", "100000000000000000000", "1e300", f"{LOST}.0"]
# The start, the middle and the end are looked at before the first row.
SAMPLED, FURTHER = 60_000, 90_000


def rows(*values, first="1.5", sep=","):
    lines = [f"{at}{sep}{first}" for at in range(SAMPLED)]
    lines += [f"{SAMPLED + at}{sep}{value}" for at, value in enumerate(values)]
    lines += [f"-{at}{sep}{first}" for at in range(FURTHER)]
    return f"id{sep}x\n".encode() + "\n".join(lines).encode() + b"\n"


def read(data, **options):
    return sf.read_csv(io.BytesIO(data), **options)


def behind(frame):
    return frame.to_arrow()["x"].to_pylist()[SAMPLED:-FURTHER]


@pytest.mark.parametrize("text", [f"{LOST}", f"-{LOST}", f" {LOST}\t", f'"{LOST}"', "18446744073709551615", "1" * 400])
def test_a_number_that_would_lose_digits_is_an_error_with_its_place_and_both_remedies(text):
    data = rows(2.5, text, LOST)
    with pytest.raises(sf.DecodeError, match=r"column 'x': cannot read .* as float64 without losing digits") as caught:
        read(data).to_arrow()
    place = data.index(f"{SAMPLED + 1},".encode())
    assert (caught.value.row, caught.value.column, caught.value.byte_offset) == (SAMPLED + 2, "x", place)
    assert 'dtype={"x": "string"}, which keeps all digits, or "float64", which rounds' in caught.value.hint


@pytest.mark.parametrize("value", SAME)
def test_a_number_that_a_float_is_written_as_is_that_float(value):
    assert behind(read(rows(value))) == [float(value)]


def test_who_asks_for_floats_or_text_gets_them():
    data = rows(LOST)
    assert behind(read(data, dtype={"x": "float64"})) == [float(LOST)]
    assert behind(read(data, dtype={"x": "string"})) == behind(read(data, on_widen="string")) == [str(LOST)]


def test_who_does_not_want_the_column_is_not_told():
    assert len(read(rows(LOST)).select("id").to_arrow()) == SAMPLED + 1 + FURTHER


@pytest.mark.parametrize(("errors", "expected"), [("null", [None, 2.5]), ("skip", [2.5])])
def test_such_a_record_is_treated_as_one_that_cannot_be_read(errors, expected):
    assert behind(read(rows(LOST, 2.5), errors=errors)) == expected


def test_such_a_record_goes_into_quarantine_with_its_reason():
    frame = read(rows(LOST, 2.5), errors="quarantine")
    assert behind(frame) == [2.5]
    (reject,) = frame.rejects().to_arrow().to_pylist()
    assert (reject["row"], reject["column"]) == (SAMPLED + 1, "x")
    assert reject["record"] == f"{SAMPLED},{LOST}".encode()
    assert "without losing digits" in reject["reason"]


def test_between_other_faults_the_first_one_is_told():
    data = rows(2.5, LOST, "oops", first="1.5")
    with pytest.raises(sf.DecodeError, match=f"cannot read '{LOST}'"):
        read(data).to_arrow()
    with pytest.raises(sf.DecodeError, match="cannot read 'oops'"):
        read(rows(2.5, "oops", LOST)).to_arrow()
    assert behind(read(data, errors="null")) == [2.5, None, None]


@pytest.mark.parametrize("options", [{"escapechar": "\\"}, {"decimal": ",", "thousands": ".", "sep": ";"}])
def test_whatever_the_dialect_no_digit_is_lost(options):
    grouped = "thousands" in options
    one, lost = ("1,5", f"{LOST:,}".replace(",", ".")) if grouped else ("1.5", str(LOST))
    data = rows("7", lost, first=one, sep=options.get("sep", ","))
    with pytest.raises(sf.DecodeError, match="without losing digits") as caught:
        read(data, **options).to_arrow()
    assert caught.value.row == SAMPLED + 2
    assert "which keeps all digits" in caught.value.hint
    assert behind(read(data, errors="null", **options)) == [7.0, None]
    assert behind(read(data, on_widen="string", **options)) == ["7", lost]


@pytest.mark.parametrize("text", [f" {LOST}", "9.007.199.254.740.993"])
def test_in_the_sample_too_numbers_count_without_what_is_around_and_between_their_digits(text):
    with pytest.warns(UserWarning, match="read as text"):
        table = read(f"x;y\n1,5;1\n{text};2\n".encode(), sep=";", decimal=",", thousands=".").to_arrow()
    assert table["x"].to_pylist() == ["1,5", text]


def test_where_one_sample_has_whole_numbers_and_another_one_fractions_neither_loses_a_digit(tmp_path):
    def written(first):
        path = tmp_path / "mixed.csv"
        path.write_text("x\n" + f"{first}\n" * 200_000 + "0.5\n" * 600_000)
        return path

    with pytest.warns(UserWarning, match="read as text"):
        assert sf.read_csv(written(LOST)).schema.field("x").type == pa.string()
    assert sf.read_csv(written(LOST + 1)).schema.field("x").type == pa.float64()


numbers = (
    st.integers(-(2**70), 2**70) | st.integers(2**53 - 4, 2**53 + 4) | st.floats(allow_nan=False, allow_infinity=False)
)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(numbers, min_size=1, max_size=8))
def test_every_number_comes_as_python_reads_it_or_is_refused(values):
    data = rows(*values)
    kept = [isinstance(value, float) or keeps_digits(value) for value in values]
    if all(kept):
        assert behind(read(data)) == [*map(float, values)]
    else:
        with pytest.raises(sf.DecodeError, match="without losing digits") as caught:
            read(data).to_arrow()
        assert caught.value.row == SAMPLED + 1 + kept.index(False)
    assert behind(read(data, errors="skip")) == [
        float(value) for value, keeps in zip(values, kept, strict=True) if keeps
    ]

"""Whole numbers among floats keep their digits, or somebody is told."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamframe as sf
from tests.formats.dirty_text import keeps_digits

LOST = 2**53 + 1
# What a float is written as: by JavaScript, by "%.0f", and by itself.
SAME = ["100000000000000000000", "110000000000000016", "9007199254740994", "-9007199254740992", "1e300"]


def lines(*values):
    return b"".join(b'{"id":%d,"x":%s}\n' % (at, str(value).encode()) for at, value in enumerate(values))


def read(data, **options):
    return sf.read_ndjson(io.BytesIO(data), **options)


def test_a_number_that_would_lose_digits_is_an_error_with_its_place_and_both_remedies():
    with pytest.raises(sf.DecodeError, match=f"'x': cannot read {LOST} as float64 without losing digits") as caught:
        read(lines(1.5, 2, LOST)).to_arrow()
    assert (caught.value.row, caught.value.column) == (3, "x")
    assert 'dtype={"x": "string"}, which keeps all digits, or "float64", which rounds' in caught.value.hint


@pytest.mark.parametrize("value", SAME)
def test_a_number_that_a_float_is_written_as_is_that_float(value):
    assert read(lines(1.5, value)).to_arrow()["x"].to_pylist() == [1.5, float(value)]


def test_who_asks_for_floats_or_text_gets_them():
    data = lines(1.5, LOST)
    assert read(data, dtype={"x": "float64"}).to_arrow()["x"].to_pylist() == [1.5, float(LOST)]
    assert read(data, dtype={"x": "string"}).to_arrow()["x"].to_pylist() == ["1.5", str(LOST)]
    assert read(data, on_widen="string").to_arrow()["x"].to_pylist() == ["1.5", str(LOST)]


def test_who_does_not_want_the_column_is_not_told():
    assert read(lines(1.5, LOST)).select("id").to_arrow()["id"].to_pylist() == [0, 1]


@pytest.mark.parametrize(("errors", "expected"), [("null", [1.5, None, 2.5]), ("skip", [1.5, 2.5])])
def test_such_a_record_is_treated_as_one_that_cannot_be_read(errors, expected):
    assert read(lines(1.5, LOST, 2.5), errors=errors).to_arrow()["x"].to_pylist() == expected


def test_such_a_record_goes_into_quarantine_with_its_reason():
    frame = read(lines(1.5, LOST, 2.5), errors="quarantine")
    assert len(frame.to_arrow()) == 2
    (reject,) = frame.rejects().to_arrow().to_pylist()
    assert (reject["row"], reject["column"]) == (2, "x")
    assert "without losing digits" in reject["reason"]


@pytest.mark.parametrize(
    ("value", "place"), [('{"c":%d}', "x.c"), ("[0,%d]", "x[]"), ('{"c":[{"d":1},{"d":%d}]}', "x.c[].d")]
)
def test_inside_of_values_the_place_is_named(value, place):
    first = value.replace("%d", "0.5")
    with pytest.raises(sf.DecodeError, match=f"(?s)field '{place}': cannot read {LOST}".replace("[]", r"\[\]")):
        read(lines(first, value % LOST)).to_arrow()
    assert read(lines(first, value % 7)).count() == 2


def test_a_long_number_in_a_text_or_a_column_of_whole_numbers_is_nobody_s_business():
    data = b'{"id":%d,"x":1e300,"note":"a,%d,"}\n' % (LOST, LOST)
    (row,) = read(data).to_arrow().to_pylist()
    assert row == {"id": LOST, "x": 1e300, "note": f"a,{LOST},"}


def test_far_behind_the_sample_the_first_such_record_is_told():
    values = [0.5] * 300_000
    values[250_000] = LOST
    with pytest.raises(sf.DecodeError, match="without losing digits") as caught:
        read(lines(*values)).to_arrow()
    assert caught.value.row == 250_001


numbers = (
    st.integers(-(2**70), 2**70) | st.integers(2**53 - 4, 2**53 + 4) | st.floats(allow_nan=False, allow_infinity=False)
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(numbers, min_size=1, max_size=8))
def test_every_number_comes_as_python_reads_it_or_is_refused(values):
    data = lines(0.5, *(json.dumps(value) for value in values))
    kept = [isinstance(value, float) or keeps_digits(value) for value in values]
    if all(kept):
        assert read(data).to_arrow()["x"].to_pylist() == [0.5, *map(float, values)]
    else:
        with pytest.raises(sf.DecodeError, match="without losing digits") as caught:
            read(data).to_arrow()
        assert caught.value.row == 2 + kept.index(False)
    assert read(data, errors="skip").to_arrow()["x"] == pa.chunked_array(
        [[0.5, *(float(value) for value, keeps in zip(values, kept, strict=True) if keeps)]]
    )

"""`date_format` and columns of days."""

from __future__ import annotations

import datetime as dt
import io

import pyarrow as pa
import pytest

import streamframe as sf

DATA = b"day,n\n31.01.2024,1\n2024-02-29,2\n,3\n"
DAYS = [dt.date(2024, 1, 31), dt.date(2024, 2, 29), None]


def read(data, **options):
    return sf.read_csv(io.BytesIO(data), dtype={"day": "date32"}, date_format="%d.%m.%Y", **options)


@pytest.mark.parametrize("thousands", [None, "'"])
def test_days_are_read_in_the_format_given_and_in_iso_8601(thousands):
    found = read(DATA, thousands=thousands).to_arrow()
    assert found.schema.field("day").type == pa.date32()
    assert found["day"].to_pylist() == DAYS


def test_the_dots_of_days_are_no_thousands():
    frame = read(DATA + b"x,4\n", thousands=".", decimal=",", errors="null")
    assert frame.to_arrow()["day"].to_pylist() == [*DAYS, None]


@pytest.mark.parametrize("bad", [b"32.01.2024", b"01/02/2024", b"2024-02-30", b"\xff"])
def test_what_is_no_day_is_told_with_its_row(bad):
    with pytest.raises(sf.DecodeError) as caught:
        read(DATA + bad + b",4\n").to_arrow()
    assert (caught.value.row, caught.value.column) == (4, "day")


def test_a_time_of_day_is_not_cut_off():
    data = b"day\n31.01.2024 00:00\n31.01.2024 12:30\n"
    frame = sf.read_csv(io.BytesIO(data), dtype={"day": "date32"}, date_format="%d.%m.%Y %H:%M", errors="quarantine")
    assert frame.to_arrow()["day"].to_pylist() == [dt.date(2024, 1, 31)]
    assert frame.rejects().to_arrow()["row"].to_pylist() == [2]

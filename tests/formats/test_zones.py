"""A time without a zone is not taken for one in a zone, nor the other way round; what to do is told, and works."""

from __future__ import annotations

import datetime as dt
import io
import json
from zoneinfo import ZoneInfo

import pytest

import streamframe as sf

NAIVE, ZONED = "2024-07-01 10:00:00", "2024-07-01T10:00:00+02:00"
BERLIN = dt.datetime(2024, 7, 1, 10, tzinfo=ZoneInfo("Europe/Berlin"))


def csv(name, value, **options):
    return sf.read_csv(io.BytesIO(f"{name}\n{value}\n".encode()), **options)


def ndjson(name, value, **options):
    return sf.read_ndjson(io.BytesIO(json.dumps({name: value}).encode()), **options)


@pytest.mark.parametrize("read", [csv, ndjson])
@pytest.mark.parametrize("name", ["at", "when it was"])
@pytest.mark.parametrize("unit", ["s", "us"])
def test_of_a_time_without_a_zone_the_hint_can_be_pasted(read, name, unit):
    with pytest.raises(sf.DecodeError) as caught:
        read(name, NAIVE, dtype={name: f"timestamp[{unit}, Europe/Berlin]"}).to_arrow()
    dtype, verb = caught.value.hint.removeprefix("pass ").split(", and say which zone its times are in: ")
    frame = eval(f"read(name, NAIVE, {dtype}){verb.removesuffix('.')}")
    assert frame.to_arrow()[name].to_pylist() == [BERLIN]


@pytest.mark.parametrize("read", [csv, ndjson])
def test_of_a_time_with_a_zone_the_hint_can_be_pasted(read):
    with pytest.raises(sf.DecodeError) as caught:
        read("at", ZONED, dtype={"at": "timestamp[us]"}).to_arrow()
    frame = eval(f"read('at', ZONED, {caught.value.hint.removeprefix('pass ').removesuffix('.')})")
    assert frame.to_arrow()["at"].to_pylist() == [BERLIN]


@pytest.mark.parametrize("read", [csv, ndjson])
@pytest.mark.parametrize("value", ["soon", "2024-13-01 10:00:00"])
@pytest.mark.parametrize("kind", ["timestamp[us, UTC]", "timestamp[us]"])
def test_of_what_is_no_time_nothing_is_said_of_zones(read, value, kind):
    with pytest.raises(sf.DecodeError) as caught:
        read("at", value, dtype={"at": kind}).to_arrow()
    assert caught.value.hint.startswith('pass dtype={"at": "string"}')

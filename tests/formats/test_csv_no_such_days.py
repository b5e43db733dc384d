"""Days that are in no calendar, in a format of the user's: C's strptime makes others of them, and says nothing."""

from __future__ import annotations

import datetime as dt
import io

import pytest

import streamframe as sf
from streamframe.errors import DecodeError, PlanError

TYPES = ["timestamp[us]", "timestamp[s]", "timestamp[ns]", "date", "date64"]


def read(texts, date_format, **options):
    return sf.read_csv(
        io.BytesIO("\n".join(["at,n", *(f'"{text}",1' for text in texts), ""]).encode()),
        date_format=date_format,
        **options,
    )


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("bad", ["31.02.2024", "29.02.2023", "31.04.2024", "30.2.2024", "29.02.1900"])
def test_a_day_that_no_month_has_is_no_time(bad, kind):
    with pytest.raises(DecodeError, match=rf"column 'at': cannot read '{bad}'") as caught:
        read(["01.03.2024", bad], "%d.%m.%Y", dtype={"at": kind}).to_arrow()
    assert caught.value.row == 2


@pytest.mark.parametrize(
    ("date_format", "text"),
    [
        ("%Y%m%d", "20230229"),
        ("%d %b %Y", "31 Nov 2024"),
        ("%d %B %Y %H:%M", "31 june 2024 10:00"),
        ("%m/%d/%y", "02/29/23"),
        ("%D", "02/29/23"),
        ("%F %T", "2023-02-29 10:00:00"),
        ("%c", "Thu Feb 30 10:00:00 2024"),
        ("%e.%m", "29.02"),
        ("%d.%m.%Y %I:%M %p", "31.09.2024 11:00 PM"),
        ("%d.%m.%Y %H:%M %z", "31.09.2024 11:00 +1300"),
        ("%Y-%j", "2023-366"),
    ],
)
def test_it_is_none_however_it_is_written(date_format, text):
    kind = "timestamp[us, UTC]" if "%z" in date_format else "timestamp[us]"
    frame = read([text], date_format, dtype={"at": kind}, errors="quarantine")
    assert frame.to_arrow().num_rows == 0
    assert frame.rejects().to_arrow()["column"].to_pylist() == ["at"]
    # A type that is found fits the sample.
    found = sf.infer_schema(io.BytesIO(f"at\n{text}\n".encode()), format="csv", date_format=date_format)
    assert found["at"] in ("string", "int64")


@pytest.mark.parametrize("kind", TYPES)
def test_all_days_of_five_years_are_read_and_no_others(kind):
    texts = [f"{day}.{month:02}.{year}" for year in range(2020, 2025) for month in range(1, 13) for day in range(1, 32)]
    frame = read(texts, "%d.%m.%Y", dtype={"at": kind}, errors="quarantine")
    found = [getattr(each, "date", lambda each=each: each)() for each in frame.to_arrow()["at"].to_pylist()]
    assert found == [dt.date(2020, 1, 1) + dt.timedelta(days) for days in range(365 * 5 + 2)]
    assert frame.rejects().count() == len(texts) - len(found)
    assert read(texts, "%d.%m.%Y", dtype={"at": kind}, errors="null").to_arrow()["at"].null_count == len(texts) - len(
        found
    )


def test_such_a_day_behind_the_sample_makes_a_column_text_where_types_may_widen(tmp_path):
    days = ["01.03.2024"] * 300_000 + ["30.02.2024"] + ["01.03.2024"] * 200_000
    (tmp_path / "a.csv").write_text("at\n" + "\n".join(days) + "\n")
    frame = sf.read_csv(tmp_path / "a.csv", date_format="%d.%m.%Y", on_widen="string")
    assert frame.to_arrow()["at"].to_pylist() == days


@pytest.mark.parametrize("sign", ["%G-W%V-%u", "%g"])
def test_weeks_of_iso_8601_are_refused_since_they_would_be_passed_over(sign):
    with pytest.raises(PlanError, match="weeks of ISO 8601"):
        sf.read_csv("a.csv", date_format=sign)

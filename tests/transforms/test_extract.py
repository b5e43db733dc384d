"""`extract`: a pattern's groups become columns, and what it does not match is not passed over in silence."""

from __future__ import annotations

import datetime
import io
import re

import pandas as pd
import pyarrow as pa
import pytest

import streamframe as sf

LINES = b"""\
127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326
::1 - - [29/Feb/2024:00:00:00 +0530] "GET /a\\"b HTTP/1.1" 304 -
"""
COMBINED = b"""\
1.2.3.4 - a b [01/Jan/2024:23:59:59 +0000] "\\x16\\x03" 400 157 "-" "-"
1.2.3.4 - - [01/Jan/2024:23:59:59 +0000] "GET / HTTP/1.1" 200 0 "https://e.org/?q=\\"x\\"" "Mozilla/5.0 (X11)" "1.1.1.1"
"""


def rows(data, *args, **options):
    return sf.read_lines(io.BytesIO(data)).extract(*args, **options).to_arrow().to_pylist()


def utc(*fields):
    return datetime.datetime(*fields, tzinfo=datetime.UTC)


def test_the_common_log_comes_in_its_types():
    first, second = rows(LINES, sf.patterns.COMMON_LOG)
    assert first == {
        "host": "127.0.0.1",
        "identity": "-",
        "user": "frank",
        "time": utc(2000, 10, 10, 20, 55, 36),
        "request": "GET /apache_pb.gif HTTP/1.0",
        "status": 200,
        "bytes": 2326,
    }
    assert (second["time"], second["bytes"], second["request"]) == (
        utc(2024, 2, 28, 18, 30),
        None,
        'GET /a\\"b HTTP/1.1',
    )


def test_the_combined_log_has_referer_and_agent_whatever_follows():
    first, second = rows(COMBINED, sf.patterns.COMBINED_LOG)
    assert (first["user"], first["status"], first["user_agent"]) == ("a b", 400, "-")
    assert (second["referer"], second["user_agent"]) == ('https://e.org/?q=\\"x\\"', "Mozilla/5.0 (X11)")


@pytest.mark.parametrize("user", ["x [30/Nov/2026", "[", "] [a] [", "a [01/Jan/2000:00:00:00 +0000] x"])
def test_a_user_may_have_brackets_in_the_name(user):
    """Anybody can send such a name: it must not make a log unreadable."""
    line = LINES.split(b"\n")[0].replace(b"frank", user.encode())
    (row,) = rows(line, sf.patterns.COMMON_LOG)
    assert (row["user"], row["time"]) == (user, utc(2000, 10, 10, 20, 55, 36))


def test_a_time_that_is_none_is_no_match():
    with pytest.raises(sf.DecodeError, match="does not match"):
        rows(LINES.replace(b"29/Feb/2024", b"29/Foo/2024"), sf.patterns.COMMON_LOG)


KEYS = b"a=1\nnone\nb=2\n"
PATTERN = r"^(?P<key>\w)=(?P<value>\d)$"


def test_a_line_that_does_not_match_is_told_with_its_row():
    with pytest.raises(sf.DecodeError, match=r"(?s)does not match 'none'.*unmatched=") as caught:
        rows(KEYS, PATTERN)
    assert caught.value.row == 2


def test_a_line_that_does_not_match_can_be_null_or_left_out():
    one, two = {"key": "a", "value": "1"}, {"key": "b", "value": "2"}
    assert rows(KEYS, PATTERN, unmatched="null") == [one, {"key": None, "value": None}, two]
    assert rows(KEYS, PATTERN, unmatched="skip") == [one, two]


def test_other_columns_stay_and_filters_on_them_move_below():
    frame = sf.from_arrow({"n": [1, 2, 3], "text": ["a=1", "x", "b=2"], "m": [4, 5, 6]})
    found = frame.extract(PATTERN, column="text").filter(sf.col("n") != 2)
    assert found.columns == ["n", "key", "value", "m"]
    assert found.to_arrow().to_pylist() == [
        {"n": 1, "key": "a", "value": "1", "m": 4},
        {"n": 3, "key": "b", "value": "2", "m": 6},
    ]


def test_a_null_stays_null():
    assert sf.from_arrow({"line": ["a=1", None]}).extract(PATTERN).to_arrow()["key"].to_pylist() == ["a", None]


def test_a_compiled_pattern_will_do():
    assert rows(b"a=1\n", re.compile(PATTERN)) == [{"key": "a", "value": "1"}]


@pytest.mark.parametrize(
    ("pattern", "options", "told"),
    [
        (r"(\w)", {}, "unnamed groups"),
        (r"(?P<a>\w", {}, r"missing \)"),
        (r"\w", {}, "groups"),
        (r"(?P<a>x)(?=y)", {}, "invalid perl operator"),
        (3, {}, "needs a pattern"),
        (re.compile("(?P<a>x)", re.IGNORECASE), {}, "flags"),
        (PATTERN, {"unmatched": "ignore"}, "unmatched"),
    ],
)
def test_what_cannot_be_meant_is_told_at_the_call(pattern, options, told):
    with pytest.raises(sf.PlanError, match=told):
        sf.read_lines("a.log").extract(pattern, **options)


def test_a_column_that_is_there_already_is_not_replaced():
    with pytest.raises(sf.PlanError, match="'key'"):
        sf.from_arrow({"line": ["a=1"], "key": [1]}).extract(PATTERN).to_arrow()
    with pytest.raises(sf.SchemaError, match="needs text"):
        sf.from_arrow({"line": [1]}).extract(PATTERN).to_arrow()


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_group_that_takes_no_part_is_null_and_one_that_finds_nothing_is_empty(kind):
    lines = pa.table({"line": pa.array(["a1", "a", "b", "", None], kind)})
    found = sf.from_arrow(lines).extract(r"^(?:(?P<l>a)(?P<n>\d)?(?P<rest>x*)|(?P<b>b|))$").to_arrow().to_pydict()
    assert found == {
        "l": ["a", "a", None, None, None],
        "n": ["1", None, None, None, None],
        "rest": ["", "", None, None, None],
        "b": [None, None, "b", "", None],
    }
    # As in pandas.
    told = pd.Series(["a1", "a", "b", ""]).str.extract(r"^(?:(?P<l>a)(?P<n>\d)?(?P<rest>x*)|(?P<b>b|))$")
    assert {name: values[:4] for name, values in found.items()} == {
        name: [None if pd.isna(value) else value for value in told[name]] for name in told
    }


DIRTY = b"a=1\nnone\nb=2\n\xff=3\n\nc=4"
GOOD = [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}, {"key": "c", "value": "4"}]
NOTHING = {"key": None, "value": None}


def dirty(errors, pattern=PATTERN, **options):
    return sf.read_lines(io.BytesIO(DIRTY), errors=errors).extract(pattern, **options)


def test_right_behind_read_lines_its_errors_say_what_becomes_of_lines_that_do_not_match():
    assert dirty("skip").to_arrow().to_pylist() == dirty("quarantine").to_arrow().to_pylist() == GOOD
    assert dirty("null").to_arrow().to_pylist() == [GOOD[0], NOTHING, GOOD[1], NOTHING, NOTHING, GOOD[2]]
    with pytest.raises(sf.DecodeError, match="is not UTF-8"):
        dirty("raise").to_arrow()


def test_such_lines_are_counted_and_kept_aside_with_their_places(tmp_path):
    frame = dirty("quarantine")
    report = frame.to_parquet(tmp_path / "good.parquet", rejects=tmp_path / "bad.parquet")
    assert (report.rows, report.rejected) == (3, 3)
    told = sf.read_parquet(tmp_path / "bad.parquet").to_arrow().to_pylist()
    assert told == frame.rejects().to_arrow().to_pylist()
    assert [(each["row"], each["byte_offset"], each["column"], each["record"]) for each in told] == [
        (2, 4, None, b"none"),
        (4, 13, None, b"\xff=3"),
        (5, 17, None, b""),
    ]
    assert [each["reason"] for each in told] == [
        "the pattern does not match",
        "b'\\xff=3' is not UTF-8 text",
        "the pattern does not match",
    ]


@pytest.mark.parametrize("errors", ["skip", "quarantine"])
def test_whatever_is_wanted_of_them_such_lines_are_left_out(errors):
    assert dirty(errors).count() == 3
    assert dirty(errors).select("value").to_arrow()["value"].to_pylist() == ["1", "2", "4"]
    assert dirty(errors).with_columns(n=sf.source("row")).to_arrow()["n"].to_pylist() == [1, 3, 6]
    assert "extract(" in repr(dirty(errors))


def test_times_and_numbers_come_in_their_types_beside_lines_that_are_none():
    frame = sf.read_lines(io.BytesIO(b"x\n" + LINES), errors="quarantine").extract(sf.patterns.COMMON_LOG)
    assert frame.to_arrow().to_pylist() == rows(LINES, sf.patterns.COMMON_LOG)
    assert frame.rejects().count() == 1


def test_what_extract_is_told_of_such_lines_goes_before_what_read_lines_is():
    frame = sf.read_lines(io.BytesIO(KEYS), errors="skip")
    assert frame.extract(PATTERN, unmatched="null").count() == 3
    with pytest.raises(sf.DecodeError, match="does not match 'none'"):
        frame.extract(PATTERN, unmatched="raise").to_arrow()


def test_a_run_does_not_go_on_with_another_pattern_however_much_they_are_alike(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(KEYS.replace(b"none\n", b""))
    patterns = [rf"^(?P<a_very_long_name_of_a_column_of_text>\w)=(?P<{name}>\d)$" for name in ("one", "two")]
    first, second = (sf.read_lines(path).extract(pattern) for pattern in patterns)
    with first.iter_batches(1) as batches:
        next(batches)
        checkpoint = batches.checkpoint()
    with pytest.raises(sf.ResumeError):
        list(second.iter_batches(1, resume=checkpoint))


def test_a_day_that_is_in_no_calendar_is_no_time_of_a_log():
    """C's strptime made March 2nd of it."""
    line = b'::1 - - [%s/2023:10:00:00 +1300] "GET / HTTP/1.1" 200 5\n'
    days = [b"28/Feb", b"29/Feb", b"31/Mar", b"31/Apr", b"31/Feb"]
    frame = sf.read_lines(io.BytesIO(b"".join(line % day for day in days)), errors="quarantine")
    frame = frame.extract(sf.patterns.COMMON_LOG)
    assert [time.isoformat() for time in frame.to_arrow()["time"].to_pylist()] == [
        "2023-02-27T21:00:00+00:00",
        "2023-03-30T21:00:00+00:00",
    ]
    assert frame.rejects().to_arrow()["row"].to_pylist() == [2, 4, 5]

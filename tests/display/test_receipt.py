"""Numbers as a person reads them, and the receipt of a run."""

from __future__ import annotations

import dataclasses

import pytest

from streamframe.options import parse_bytes
from streamframe.plan.quantities import human_bytes, human_rate, human_seconds, human_share
from streamframe.plan.report import RunReport, Stats

REPORT = RunReport(336_776, 4_310_000, ("out.parquet",), 1.4, 61_200_000, 0, 31_000_000, 64_000_000, 0.085)


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (12_345_678, "12.3 MB"),
        (99_949_999, "99.9 MB"),
        (99_960_000, "100 MB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (64_000_000, "64 MB"),
        (4_000_000_000_000_000_000, "4,000 PB"),
    ],
)
def test_bytes_have_three_digits_and_a_unit(nbytes: int, text: str) -> None:
    assert human_bytes(nbytes) == text


@pytest.mark.parametrize("nbytes", [1_000_000, 64_000_000, 256_000_000, 1_500_000_000])
def test_a_size_on_the_screen_can_be_typed_back(nbytes: int) -> None:
    assert parse_bytes(human_bytes(nbytes), name="memory") == nbytes


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.0851, "85 ms"),
        (0.9996, "1.0 s"),
        (1.44, "1.4 s"),
        (59.97, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.6, "1 h 00 min"),
        (11_240, "3 h 07 min"),
    ],
)
def test_seconds_change_their_unit_without_a_60(seconds: float, text: str) -> None:
    assert human_seconds(seconds) == text


def test_a_rate_without_time_is_empty() -> None:
    assert human_rate(10, 0.0) == ""
    assert human_rate(3_100_000, 1.0) == "3.1M rows/s"


def test_a_share_is_in_the_unit_of_its_limit() -> None:
    assert human_share(12_400_000, 64_000_000) == "12/64 MB"
    assert human_share(0, 1_500_000_000) == "0/1.5 GB"


def test_a_receipt_is_aligned_and_complete() -> None:
    assert repr(REPORT).splitlines() == [
        "RunReport",
        "  rows         336,776",
        "  read         31 MB",
        "  written      4.3 MB in 1 file",
        "  to           out.parquet",
        "  time         1.4 s, 241k rows/s",
        "  first batch  after 85 ms",
        "  peak held    61.2 MB of 64 MB",
    ]


def test_a_receipt_tells_retries_where_there_were_some() -> None:
    assert "retries      3" in repr(dataclasses.replace(REPORT, retries=3))


def test_a_receipt_of_an_empty_run_has_no_first_batch() -> None:
    empty = dataclasses.replace(REPORT, rows=0, first_batch_s=None, seconds=0.0)
    assert "first batch" not in repr(empty)
    assert ("time", "0 ms") in empty.facts()


def test_a_receipt_of_many_files_stays_short() -> None:
    many = dataclasses.replace(REPORT, files=tuple(f"part-{number}.parquet" for number in range(1000)))
    assert "in 1,000 files" in repr(many)
    assert "part-2.parquet, … (997 more)" in repr(many)


def test_a_file_name_cannot_forge_a_line_or_markup() -> None:
    nasty = dataclasses.replace(REPORT, files=("a\n  rows  0\x1b[2J<b>.csv",))
    assert len(repr(nasty).splitlines()) == len(repr(REPORT).splitlines())
    assert "\x1b" not in repr(nasty)
    assert "<b>" not in nasty._repr_html_()
    assert "&lt;b&gt;" in nasty._repr_html_()


def test_text_and_html_say_the_same() -> None:
    assert all(value in REPORT._repr_html_() for _, value in REPORT.facts())


def test_snapshots_cannot_be_changed() -> None:
    stats = Stats(1, 1, 1, None, 0, 0, 1, 0, None, 1.0, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.rows = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        REPORT.rows = 2  # type: ignore[misc]
    assert ("read", "1 B") in stats.facts()
    assert ("rows", "1 in 1 batch") in stats.facts()

"""`read_lines`: each line is a row, wherever blocks are cut, and nothing of it is lost."""

from __future__ import annotations

import gzip
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamframe as sf

TEXTS = st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", "ä€".encode(), b"\0", b" ", b"long" * 50]), max_size=60)


def lines_of(data, **options):
    return sf.read_lines(io.BytesIO(data), **options).to_arrow()["line"].to_pylist()


def expected_lines(data):
    # Where nothing ends with a newline, carriage returns are what lines end with.
    lines = data.split(b"\n" if b"\n" in data else b"\r")
    # The last line may lack its newline; what is empty behind the last newline is none.
    *ended, last = lines
    found = [line.removesuffix(b"\r") for line in ended] + ([last] if last else [])
    return [line.decode() for line in found]


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_lines_are_those_between_newlines(texts):
    data = b"".join(texts)
    assert lines_of(data) == expected_lines(data)


def test_lines_cross_blocks_whole(tmp_path):
    data = b"".join(b"%d %s\r\n" % (n, b"x" * (n % 97)) for n in range(80_000))
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(data))
    with sf.options(memory="2MB"):
        found = sf.read(tmp_path / "a.log.gz").with_columns(row=sf.source("row")).to_arrow()
    assert found["line"].to_pylist() == expected_lines(data)
    assert found["row"].to_pylist() == list(range(1, 80_001))


def test_without_a_column_lines_are_only_counted():
    assert sf.read_lines(io.BytesIO(b"a\n\nb")).count() == 3
    assert sf.read_lines(io.BytesIO(b"")).count() == 0


@pytest.mark.parametrize(("encoding", "text"), [("utf-16", "ä\nb"), ("cp1252", "€\n"), ("utf-8-sig", "ä\n")])
def test_other_encodings_are_read(encoding, text):
    assert lines_of(text.encode(encoding), encoding=encoding) == text.splitlines()


BROKEN = b"a\n\xff\xfe\nb\n"


def test_what_is_no_text_is_told_with_its_place():
    with pytest.raises(sf.DecodeError, match=r"(?s)xff.xfe' is not UTF-8 text.*encoding=") as caught:
        lines_of(BROKEN)
    assert (caught.value.row, caught.value.byte_offset) == (2, 2)


def test_what_is_no_text_can_be_null_left_out_or_kept_aside():
    assert lines_of(BROKEN, errors="null") == ["a", None, "b"]
    assert lines_of(BROKEN, errors="skip") == ["a", "b"]
    frame = sf.read_lines(io.BytesIO(BROKEN), errors="quarantine")
    assert [(told["row"], told["byte_offset"], told["record"]) for told in frame.rejects().iter_rows()] == [
        (2, 2, b"\xff\xfe")
    ]


@pytest.mark.slow
def test_a_line_without_an_end_meets_the_limit(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"x" * (65 << 20))
    with pytest.raises(sf.BudgetError, match=r"(?s)64 MiB.*max_record_bytes="):
        sf.read(tmp_path / "a.txt").count()
    assert sf.read_lines(tmp_path / "a.txt", max_record_bytes="100MB").count() == 1


@pytest.mark.parametrize(
    ("read", "record"),
    [
        (sf.read_csv, b'a\n"' + b"x" * 900_000 + b'"\n'),
        (sf.read_ndjson, b'{"a": "' + b"x" * 900_000 + b'"}\n'),
        (sf.read_lines, b"x" * 900_000 + b"\n"),
    ],
)
def test_the_longest_record_is_the_users_to_say(read, record):
    assert read(io.BytesIO(record)).count() == 1
    with pytest.raises(sf.BudgetError, match=r"longer than 0\.2\d+ MiB"):
        read(io.BytesIO(record), max_record_bytes="300KB").count()
    with pytest.raises(sf.PlanError, match="max_record_bytes"):
        read("a", max_record_bytes="much")


@pytest.mark.parametrize("nbytes", [50, 300_000, 1_500_000])
@pytest.mark.parametrize(
    ("read", "before", "after"),
    [
        (sf.read_csv, "a\n1\n", ""),
        (sf.read_csv, 'a\n"x\n\n\ny"\n\n\n', ""),
        (sf.read_csv, "a\r1\r\r", "\r2"),
        (sf.read_ndjson, '{"a": "x"}\n', ""),
        (sf.read_ndjson, '[{"a": "x"},', "]"),
        (sf.read_lines, "x\n\n", "\nx\n"),
    ],
)
def test_a_record_that_fits_into_a_block_meets_the_limit_as_well(read, before, after, nbytes):
    """Only one that did not fit was counted: up to 256 KB whatever the limit was, and up to twice as much above."""

    def data(size):
        start, end = ('{"a": "', '"}') if read is sf.read_ndjson else ('"', '"')
        return io.BytesIO((before + start + "x" * (size - len(start + end)) + end + after).encode())

    assert read(data(nbytes), max_record_bytes=nbytes).count() == read(data(nbytes)).count()
    with pytest.raises(sf.BudgetError, match="a record is longer than") as caught:
        read(data(nbytes + 3), max_record_bytes=nbytes).count()
    assert caught.value.byte_offset == len(before)

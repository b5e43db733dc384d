"""Lines that end with carriage returns alone are lines; a carriage return among newlines is a character."""

from __future__ import annotations

import pytest

import streamframe as sf
from streamframe.formats.lines.format import LinesFormat
from streamframe.formats.ndjson.format import NdjsonFormat
from tests.formats.scripted import read_table, scripted

LONG = "".join(f'{{"n": {number}, "text": "{"é" * (number % 50)}"}}\r' for number in range(12_000))


def lines_of(path):
    return sf.read_lines(path).to_arrow()["line"].to_pylist()


def test_lines_of_the_first_macs_are_lines(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one\rtwo\r\rfour")
    assert lines_of(tmp_path / "a.txt") == ["one", "two", "", "four"]


def test_a_carriage_return_in_a_line_that_ends_with_a_newline_stays(tmp_path):
    (tmp_path / "a.log").write_bytes(b"1%\r50%\r100%\ndone\n")
    assert lines_of(tmp_path / "a.log") == ["1%\r50%\r100%", "done"]


def test_records_of_more_than_a_block_are_read_at_their_places(tmp_path):
    path = tmp_path / "a.ndjson"
    path.write_text(LONG, newline="")
    with sf.options(memory="4MB"):
        rows = sf.read_ndjson(path).with_columns(at=sf.source("byte_offset")).to_arrow()
    assert rows["n"].to_pylist() == list(range(12_000))
    starts, data = rows["at"].to_pylist(), path.read_bytes()
    assert all(data.startswith(f'{{"n": {number},'.encode(), start) for number, start in enumerate(starts))


def test_newlines_behind_the_start_end_one_line_each(tmp_path):
    start = ["x" * 100] * 1_000
    (tmp_path / "a.txt").write_bytes("\r".join(start).encode() + b"\rone\r\ntwo\nthree\r\r\nfive")
    assert lines_of(tmp_path / "a.txt") == [*start, "one", "two", "three", "", "five"]


def test_a_run_goes_on_in_the_middle(tmp_path):
    path = tmp_path / "a.ndjson"
    path.write_text(LONG, newline="")
    frame = sf.read_ndjson(path)
    with frame.iter_batches() as run:
        before = next(run).num_rows
        checkpoint = run.checkpoint()
    after = [number for batch in frame.iter_batches(resume=checkpoint) for number in batch["n"].to_pylist()]
    assert after == list(range(before, 12_000))


@pytest.mark.parametrize(
    ("file_format", "data", "rows"),
    [
        (LinesFormat(), b"one\rtwo\r\rfour", 4),
        (LinesFormat(), b"\r\rx\r", 3),
        (LinesFormat(), b"a\r\nb\rc\r\n", 2),
        (LinesFormat(), b"\xef\xbb\xbfa\rb", 2),
        (NdjsonFormat(), b'{"a": 1}\r{"a": 2}\r\r{"a": 3}', 3),
        (NdjsonFormat(), b'[{"a": 1},\r{"a": 2}]\r', 2),
    ],
)
def test_the_rows_are_the_same_however_the_bytes_come(file_format, data, rows):
    whole = read_table(file_format, scripted(data))
    assert whole.num_rows == rows
    for every in range(1, len(data)):
        assert read_table(file_format, scripted(data, every=every)).equals(whole)

"""`sf.source("byte_offset")`: at each offset its record starts, whatever stands between, wherever the bytes are cut.

Python's csv and json are the judges: what they read first from an offset on has to be the row that tells it.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import streamframe as sf
from streamframe.formats.csv import CsvFormat
from streamframe.formats.csv.dialect import Dialect
from streamframe.formats.csv.places import record_offsets, records_of
from streamframe.formats.ndjson import NdjsonFormat
from streamframe.formats.records import Piece
from streamframe.plan.source import fact_column
from tests.formats.dirty_text import CSV, python_row, with_nulls
from tests.formats.scripted import Scripted, open_file, scan_of
from tests.formats.test_text_cut_anywhere import CASES, SCHEMAS, data_of, format_of

PLACE = fact_column("byte_offset")


def located(file_format, chunks, schema, block_bytes):
    """Return the rows with their places, and the places of the rejects."""
    place = Scripted(chunks=tuple(chunks))
    opened = open_file(file_format, place, expected=schema, block_bytes=block_bytes)
    reader = opened.read(scan_of((*schema.names, PLACE)), part=0)
    rows, rejected = [], []
    try:
        while (block := reader.next_block()) is not None:
            made = block.decode()
            rows += made.data.to_pylist()
            rejected += [each["byte_offset"] for each in made.rejects.to_pylist()] if made.rejects is not None else []
    finally:
        reader.close()
    return [(row.pop(PLACE), row) for row in rows], rejected


def first_of(text, **dialect):
    """Return the first record that Python's reader finds."""
    dialect = {key: value for key, value in dialect.items() if key in ("sep", "quotechar", "escapechar")}
    quoting = csv.QUOTE_NONE if dialect.get("quotechar", '"') is None else csv.QUOTE_MINIMAL
    dialect["delimiter"] = dialect.pop("sep", ",")
    return next(csv.reader(io.StringIO(text.decode(), newline=""), quoting=quoting, **dialect))


def require_records_there(kind, options, data, rows, rejected):
    """Check that each row stands where it says, and that good and rejected ones do not share a place."""
    offsets = [offset for offset, _ in rows]
    assert offsets == sorted(offsets)
    assert len({*offsets, *rejected}) == len(offsets) + len(rejected)
    for offset, row in rows:
        if kind == "csv":
            assert with_nulls(row.values()) == with_nulls(first_of(data[offset:], **options))
            assert offset == 0 or data[offset - 1 : offset] in (b"\n", b"\r") or data[:offset] == b"\xef\xbb\xbf"
        else:
            assert data[offset : offset + 1] == b"{"
            assert row == python_row(data[offset:].split(b"\n")[0].rstrip())


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_dirty_records_stand_where_they_say(kind, name):
    data = data_of(kind, name, 3)
    file_format = replace(format_of(kind, name), errors="quarantine")
    options = CSV[name].options if kind == "csv" else {}
    text = data.decode(options["encoding"]).encode() if "encoding" in options else data
    kept = None
    for cut, block_bytes in ((0, 1 << 20), (len(data) // 2, 257), (len(data) // 3, 64), (len(data) - 1, 7)):
        rows, rejected = located(file_format, [data[:cut], data[cut:]] if cut else [data], SCHEMAS[kind], block_bytes)
        require_records_there(kind, options, text, rows, rejected)
        assert kept in (None, (rows, rejected))
        kept = rows, rejected


@settings(deadline=None, max_examples=150)
@given(
    st.lists(
        st.sampled_from(["a,b\n", '"x\ny",z\r\n', "\n", "\r\n", "# c,\n", "long,er\r", "1\n", 'q"r,s\n', '"",\n'])
    ),
    st.integers(1, 40),
    st.sampled_from([1 << 20, 64, 7]),
    st.sampled_from([None, "#"]),
    st.sampled_from(["", "\ufeff"]),
)
def test_records_cut_anywhere_stand_where_they_say(lines, every, block_bytes, comment, first):
    data = (first + "".join(lines)).encode()
    file_format = CsvFormat(names=["a", "b"], header=False, comment=comment, errors="quarantine")
    chunks = [data[at : at + every] for at in range(0, len(data), every)]
    rows, rejected = located(file_format, chunks, SCHEMAS["csv"], block_bytes)
    require_records_there("csv", {}, data, rows, rejected)
    good = [line for line in lines if line.strip() and "," in line and not (comment and line.startswith("#"))]
    assert len(rows) == len(good)


@example('#,"\na,b\n",a\n', {"comment": "#"})  # quotes of comments that are well-formed by chance
@settings(deadline=None, max_examples=300)
@given(
    st.text(st.sampled_from('ab,"\n\r#\\;')),
    st.sampled_from([{}, {"comment": "#"}, {"escapechar": "\\"}, {"quotechar": None}, {"sep": ";", "comment": "#"}]),
)
def test_counting_finds_the_records_that_the_grammar_finds(text, options):
    data = bytearray(b"..." + text.encode())
    dialect = Dialect(**options)
    whole = dialect.whole_records.match(data, 3, len(data))
    piece = Piece(data, 3, whole.end(), 1000)
    assert record_offsets(piece, dialect).to_pylist() == [offset for offset, _ in records_of(piece, dialect)]


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.sampled_from(['{"id":1}\n', ' \t{"id":2} \r\n', "\n", " \r\n", '{"id":"x"}\n', "[]\n", '{"s":"}{"}\n'])
    ),
    st.integers(1, 40),
    st.sampled_from([1 << 20, 64, 7]),
)
def test_lines_of_json_cut_anywhere_stand_where_they_say(lines, every, block_bytes):
    # What starts with a bracket would be an array.
    data = "".join(['{"id":0}\n', *lines]).encode()
    chunks = [data[at : at + every] for at in range(0, len(data), every)]
    rows, rejected = located(NdjsonFormat(errors="quarantine"), chunks, SCHEMAS["ndjson"], block_bytes)
    require_records_there("ndjson", {}, data, rows, rejected)
    assert len(rows) + len(rejected) == 1 + sum(bool(line.strip()) for line in lines)


@pytest.mark.parametrize("indent", [None, 2])
def test_elements_of_an_array_tell_where_they_stand(indent):
    data = json.dumps([{"id": n, "of": {"y": n}} for n in range(500)], indent=indent).encode()
    found = sf.read_ndjson(io.BytesIO(data)).with_columns(at=sf.source("byte_offset")).to_arrow().to_pylist()
    assert [json.JSONDecoder().raw_decode(data[row["at"] :].decode())[0]["id"] for row in found] == list(range(500))


def test_lines_tell_where_they_start_blank_ones_too():
    data = "\ufeffé\r\n\n日本\nend".encode()
    found = sf.read_lines(io.BytesIO(data)).select("line", sf.source("byte_offset")).to_arrow().to_pylist()
    assert [(row["line"], row["byte_offset"]) for row in found] == [("é", 3), ("", 7), ("日本", 8), ("end", 15)]


def write_two(tmp_path, suffix=".csv.gz"):
    """Write two files of records of many widths; return them uncompressed."""
    texts = {}
    for name in "ab":
        lines = [b"id,text"] + [b'%d,"%s\n%s"' % (n, name.encode() * (n % 7), b"x" * (n % 31)) for n in range(20_000)]
        texts[name] = b"\r\n".join(lines)
        (tmp_path / f"{name}{suffix}").write_bytes(gzip.compress(texts[name]))
    return texts


def test_it_is_exact_over_many_compressed_files_behind_filters_and_limits(tmp_path):
    texts = write_two(tmp_path)
    frame = sf.read_csv(tmp_path)
    late = sf.col("id") >= 19_900
    with sf.options(memory="1MB", workers=4):
        found = [
            frame.filter(late).with_columns(at=sf.source("byte_offset"), file=sf.source()).to_arrow(),
            frame.with_columns(file=sf.source(), at=sf.source("byte_offset")).filter(late).limit(150).to_arrow(),
            frame.with_columns(at=sf.source("byte_offset"), file=sf.source()).drop("text").slice(39_900).to_arrow(),
            frame.select(sf.source("byte_offset").alias("at"), "id", sf.source().alias("file")).slice(5, 3).to_arrow(),
        ]
        assert frame.select(sf.source("byte_offset")).count() == 40_000
    assert [len(each) for each in found] == [200, 150, 100, 3]
    for row in (row for each in found for row in each.to_pylist()):
        text = texts[row["file"].rpartition("/")[2][0]]
        assert text[row["at"] :].startswith(b'%d,"' % row["id"])
        assert text[row["at"] - 2 : row["at"]] == b"\r\n"


def test_headers_skipped_lines_and_an_encoding_count_as_utf_8():
    text = 'é "\n\nid,naïve\r\n\r\n1,ü\r\n"2","日\r\n本"\r\n'
    frame = sf.read_csv(io.BytesIO(text.encode("utf-16")), encoding="utf-16", skip_rows=2)
    rows = frame.with_columns(at=sf.source("byte_offset")).to_arrow().to_pylist()
    assert [row["at"] for row in rows] == [text.encode().index(b"1,"), text.encode().index(b'"2"')]


@pytest.mark.parametrize("errors", ["skip", "null", "quarantine"])
def test_good_records_that_are_left_keep_their_places(errors):
    data = b"a,b\n1,2\n1,2,3\nx,4\n5,6\n7\n8,9"
    frame = sf.read_csv(io.BytesIO(data), dtype={"a": "int64"}, errors=errors)
    rows = frame.with_columns(at=sf.source("byte_offset"), row=sf.source("row")).to_arrow().to_pylist()
    good = {b"1,2\n": 1, b"5,6\n": 4, b"8,9": 6} | ({b"x,4\n": 3} if errors == "null" else {})
    assert {row["at"]: row["row"] for row in rows} == {data.index(record): row for record, row in good.items()}


def test_places_and_those_of_rejects_are_the_same_thing(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"".join(b"%d,%d\n" % (n, n) for n in range(30_000)).replace(b"7,", b"z,"))
    options = {"names": ["a", "b"], "header": False, "errors": "quarantine"}
    frame = sf.read_csv(tmp_path / "a.csv", dtype={"a": "int64"}, **options)
    every = sf.read_csv(tmp_path / "a.csv", dtype={"a": "string"}, **options)
    with sf.options(memory="1MB"):
        places = every.select(sf.source("byte_offset")).to_arrow()["byte_offset"].to_pylist()
        good = frame.with_columns(byte_offset=sf.source("byte_offset")).to_arrow()["byte_offset"].to_pylist()
        bad = frame.rejects().to_arrow()["byte_offset"].to_pylist()
    assert len(places) == 30_000
    assert sorted(good + bad) == places


@pytest.mark.parametrize("last", ["3", 'x"3'])
def test_a_quote_that_is_never_closed_takes_no_place_from_the_others(last):
    text = f'a,b\n1,\n2,\n{last},"\n4,\n'
    frame = sf.read_csv(io.BytesIO(text.encode()), dtype={"a": "int64"}, errors="skip")
    assert frame.select(sf.source("byte_offset")).to_arrow()["byte_offset"].to_pylist() == [4, 7]


def test_nothing_is_looked_up_unless_it_is_asked_for(monkeypatch):
    data = b"a\n1\n2\n"
    monkeypatch.setattr("streamframe.formats.csv.places.record_offsets", None)
    assert sf.read_csv(io.BytesIO(data)).with_columns(row=sf.source("row")).to_arrow().num_rows == 2
    narrowed = sf.read_csv(io.BytesIO(data)).with_columns(at=sf.source("byte_offset")).select("a")
    assert narrowed.to_arrow() == pa.table({"a": [1, 2]})


@pytest.mark.parametrize("read", [sf.read_parquet, sf.read_ipc, sf.read_orc])
def test_formats_whose_rows_have_no_place_of_their_own_say_so_at_the_verb(read):
    with pytest.raises(sf.PlanError, match="needs rows of text files") as caught:
        read("a").with_columns(at=sf.source("byte_offset"))
    assert "CSV, NDJSON, JSON and lines" in caught.value.hint
    assert 'sf.source("row")' in caught.value.hint

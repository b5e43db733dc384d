"""Under ``errors="raise"`` the error is about the first faulty record of a file, whatever Arrow looks at first."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamframe as sf
from tests.formats.test_rejects import CSV_RECORDS, HEADER, NDJSON_RECORDS, TYPES

LINES = [b"plain", b"\xff", "ä".encode(), b"\xfe\xfe\r"]


def told(read, data, **options):
    """Return the place of the error that ends the run, and of the first record in quarantine."""
    error = None
    try:
        read(io.BytesIO(data), **options).to_arrow()
    except sf.StreamError as caught:
        error = (caught.row, caught.byte_offset, caught.column)
    frame = read(io.BytesIO(data), errors="quarantine", **options)
    frame.to_arrow()
    rejects = frame.rejects().to_arrow().select(["row", "byte_offset", "column"]).to_pylist()
    return error, tuple(rejects[0].values()) if rejects else None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:whole numbers that no number of 64 bits keeps")
@settings(max_examples=200, deadline=None)
@given(
    records=st.lists(st.sampled_from(sorted(CSV_RECORDS)), max_size=12),
    columns=st.none() | st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=3, unique=True),
    dtype=st.sampled_from([TYPES, {"id": "int64"}, {}]),
)
def test_the_first_faulty_record_of_csv_is_told_whichever_columns_are_wanted(records, columns, dtype):
    data = HEADER + b"\n".join([next(iter(CSV_RECORDS)), *records]) + b"\n"
    error, first = told(sf.read_csv, data, dtype=dtype, columns=columns)
    assert error == first


def test_what_is_wrong_in_a_column_that_is_not_wanted_is_nobody_s_business_in_the_first_block_either():
    data = b"a,b,c\n1,2,x\n\xff,3,y\n"
    frame = sf.read_csv(io.BytesIO(data), columns=["b"], dtype={"c": "int64"})
    assert frame.to_arrow()["b"].to_pylist() == [2, 3]


def test_columns_that_no_record_has_are_told_when_the_file_is_opened():
    with pytest.raises(sf.DecodeError, match="expected 2 fields, got 3"):
        sf.read_csv(io.BytesIO(b"a,b\n1,2,3\n4,5,6\n")).schema  # noqa: B018 - it reads


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(sorted(NDJSON_RECORDS)), min_size=1, max_size=12))
def test_the_first_faulty_record_of_ndjson_is_told(records):
    start = b'{"id":1,"fare":2.5,"day":"2024-01-31","name":"ann"}\n'
    error, first = told(sf.read_ndjson, start + b"\n".join(records) + b"\n", dtype=TYPES)
    assert error == first


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=12))
def test_the_first_faulty_line_is_told(lines):
    error, first = told(sf.read_lines, b"\n".join(lines))
    assert error == first


def test_a_later_column_of_an_earlier_row_comes_first_behind_the_sample_too():
    rows = [b"1,2\n"] * 300_000
    rows[250_000:250_002] = [b"1,late\n", b"soon,2\n"]
    with pytest.raises(sf.DecodeError, match="'b': cannot read 'late' as int64") as caught:
        sf.read_csv(io.BytesIO(b"a,b\n" + b"".join(rows))).to_arrow()
    assert (caught.value.row, caught.value.byte_offset) == (250_001, 4 + 4 * 250_000)
    assert 'dtype={"b": "string"}' in caught.value.hint


def test_numbers_in_another_spelling_are_told_in_order_with_what_is_no_text():
    data = b"a;b;c\n1.000;2.000;x\n1.000;two;x\none;2.000;x\n"
    with pytest.raises(sf.DecodeError, match="'b': cannot read 'two' as int64") as caught:
        sf.read_csv(
            io.BytesIO(data), sep=";", thousands=".", decimal=",", dtype={"a": "int64", "b": "int64"}
        ).to_arrow()
    assert (caught.value.row, caught.value.column) == (2, "b")


def test_of_columns_that_are_no_text_the_first_record_is_told():
    with pytest.raises(sf.DecodeError, match="column 'b'") as caught:
        sf.read_csv(io.BytesIO(b"a,b\nx,y\nx,\xff\n\xff,y\n")).to_arrow()
    assert caught.value.row == 2

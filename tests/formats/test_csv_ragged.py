"""Records of too few or too many fields are left out whatever their bytes are; Arrow stops at what is no text."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamframe as sf

FIELDS = [
    b"1",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xef\xbb",
    b'"a\nb"',
    b'"\xfe,\n"',
    b"",
    b'""',
    b"\xe9t\xe9",
    b"#",
    b"a",
    b'x"\xff"y',
]
RECORD = st.lists(st.sampled_from(FIELDS), min_size=1, max_size=3)


def read(data, errors="quarantine", **options):
    return sf.read_csv(io.BytesIO(data), names=["a", "b"], header=False, errors=errors, **options)


@pytest.mark.parametrize("errors", ["skip", "null", "quarantine"])
def test_a_file_of_nothing_else_has_no_rows(errors):
    frame = read(b"x\xff\n\xfe\n\n1,2,\xff\n", errors)
    assert (frame.columns, len(frame.to_arrow())) == (["a", "b"], 0)


@pytest.mark.parametrize("behind", [b"\xef\xbb\xbf3,4\n", b"3,4\n"])
def test_a_byte_order_mark_behind_such_a_record_is_text_as_anywhere(behind):
    (row,) = read(b"\xff\n" + behind).to_arrow().to_pylist()
    assert row == {"a": behind[:-3].decode() if len(behind) > 4 else 3, "b": 4}


def test_whatever_separates_fields_is_told_from_what_is_no_text():
    """Letters take the place of other bytes: not those that mean something."""
    data = b"1a2\n\xffaxa\xfe\nd\xffd a3\nb\xff comment\n"
    rows = read(data, sep="a", comment="b", quotechar="d", dtype={"a": "string"})
    assert rows.to_arrow().to_pylist() == [{"a": "1", "b": 2}]
    assert [reject["row"] for reject in rows.rejects().iter_rows()] == [2, 3]


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    records=st.lists(RECORD, min_size=1, max_size=8),
    newline=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    comment=st.sampled_from([None, "#"]),
)
def test_records_are_told_apart_as_if_all_of_it_were_text(records, newline, comment):
    """In another encoding each byte is a letter, and nothing is left out but for its number of fields."""
    # A mark at the very start would be no text of anybody.
    data = newline.join([b"0,0", *(b",".join(record) for record in records)]) + newline
    options = {"dtype": {"a": "string", "b": "string"}, "comment": comment}
    by_width = read(data, encoding="latin-1", **options)
    wide = [(one["row"], one["reason"]) for one in by_width.rejects().iter_rows()]
    frame = read(data, **options)
    told = [(one["row"], one["column"], one["reason"]) for one in frame.rejects().iter_rows()]
    assert [(row, reason) for row, column, reason in told if column is None] == wide
    assert len(frame.to_arrow()) + len(told) == len(by_width.to_arrow()) + len(wide)

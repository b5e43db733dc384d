"""Dirty NDJSON, cut anywhere, has the records that Python's `json` finds line by line; the others are rejected.

NDJSON_EXAMPLES=10000 in the environment looks at so many texts (a minute or two).
"""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamframe.formats.ndjson import NdjsonFormat
from tests.formats.dirty_text import NDJSON, NDJSON_SCHEMA, python_row
from tests.formats.scripted import batches, open_file, scan_of, scripted

EXAMPLES = int(os.environ.get("NDJSON_EXAMPLES", "300"))
VALUE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**64), 2**64),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=6),
    st.lists(st.none() | st.integers(-9, 9), max_size=3),
    st.fixed_dictionaries({}, optional={"y": st.none() | st.integers(0, 9), "z": st.just(1)}),
)
NAMES = st.sampled_from([*NDJSON_SCHEMA.names, *NDJSON_SCHEMA.names, "new"])
OBJECT = st.builds(
    lambda row, ascii_only: json.dumps(row, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"),
    st.dictionaries(NAMES, VALUE, max_size=4),
    st.booleans(),
)
DIRTY = st.sampled_from(
    [line for text in NDJSON.values() for line in (text if isinstance(text, bytes) else text.encode()).split(b"\n")]
)
# A line with a few bytes of it cut out, or put in.
DAMAGED = st.builds(
    lambda line, at, more: line[:at] + more + line[at + 1 :],
    OBJECT,
    st.integers(0, 20),
    st.sampled_from([b"", b'"', b"{", b"}", b",", b"\\", b"[", b" ", b"\xff", b"\r", b"\0"]),
)


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(
    lines=st.lists(OBJECT | DIRTY | DAMAGED, max_size=8),
    newline=st.sampled_from([b"\n", b"\r\n", b"\n\n", b" \n\t"]),
    ended=st.booleans(),
    every=st.integers(1, 60),
    block_bytes=st.integers(1, 200),
)
def test_records_are_those_of_pythons_json(lines, newline, ended, every, block_bytes):
    # What starts with a bracket is one array, and not NDJSON; and a mark at the start is no part of a record.
    data = newline.join([b"{}", *lines]) + (newline if ended else b"")
    place = scripted(data, every=every)
    opened = open_file(NdjsonFormat(errors="skip"), place, expected=NDJSON_SCHEMA, block_bytes=block_bytes)
    found = [row for batch in batches(opened.read(scan_of(), part=0)) for row in batch.data.to_pylist()]
    rows = [python_row(line) for line in data.split(b"\n") if line.strip(b" \t\r")]
    assert found == [row for row in rows if row is not None]

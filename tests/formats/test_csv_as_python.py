"""Dirty CSV, cut anywhere, has the records that Python's `csv` finds in the whole; or both refuse it.

CSV_EXAMPLES=10000 in the environment looks at so many texts (a minute or two).
"""

from __future__ import annotations

import csv
import io
import os

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from streamframe.errors import StreamError
from streamframe.formats.csv import CsvFormat
from tests.formats.scripted import batches, open_file, scan_of, scripted

EXAMPLES = int(os.environ.get("CSV_EXAMPLES", "300"))
FIELDS = ["1", "ab", '"a"', '"a\nb"', '"a\r\nb"', '"a""b"', '5" x', 'x"y"', '"a, b"', "é", '"日本\n語"', "\ufeffx"]
FIELDS += ["x\0y", " ", '""""', '"\r"', '"a"b']
SCHEMA = pa.schema([("a", pa.string()), ("b", pa.string())])
PAIR = st.lists(st.sampled_from(FIELDS), min_size=2, max_size=2)
RAGGED = st.lists(st.sampled_from(FIELDS), min_size=1, max_size=3)


def records_of_python(text: str) -> list[list[str]] | None:
    found = [record for record in csv.reader(io.StringIO(text, newline="")) if record]
    return found if all(len(record) == 2 for record in found) else None


def records_of_ours(data: bytes, every: int, block_bytes: int) -> list[list[str]] | None:
    file_format = CsvFormat(names=("a", "b"), header=False)
    try:
        opened = open_file(file_format, scripted(data, every=every), expected=SCHEMA, block_bytes=block_bytes)
        found = [batch.data.to_pylist() for batch in batches(opened.read(scan_of(), part=0))]
    except StreamError:
        return None
    return [list(row.values()) for rows in found for row in rows]


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    rows=st.lists(PAIR, min_size=1, max_size=8) | st.lists(PAIR | RAGGED, min_size=1, max_size=4),
    newline=st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
    ended=st.booleans(),
    mark=st.booleans(),
    every=st.integers(1, 40),
    block_bytes=st.integers(1, 60),
)
def test_records_are_those_of_pythons_csv(rows, newline, ended, mark, every, block_bytes):
    text = newline.join(",".join(row) for row in rows) + (newline if ended else "")
    data = text.encode("utf-8-sig" if mark else "utf-8")
    assert records_of_ours(data, every, block_bytes) == records_of_python(data.decode("utf-8-sig"))

"""Dirty CSV, cut anywhere, has the records that Python's `csv` finds in the whole; or both refuse it.

In any dialect, too: then records of another width are rejected, and the raw record is what Python reads the same from.
CSV_EXAMPLES=10000 in the environment looks at so many texts of each kind (a few minutes).
"""

from __future__ import annotations

import csv
import io
import os
from typing import NamedTuple

import pyarrow as pa
import pytest
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


@pytest.mark.slow
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


class Dialect(NamedTuple):
    sep: str = ","
    quotechar: str | None = '"'
    escapechar: str | None = None
    encoding: str = "utf-8"

    def written(self, row: list[str]) -> str:
        """Return a row whose fields are spelled in the default dialect in this one."""
        quote = self.quotechar or ""
        return self.sep.join(row).translate({ord(","): self.sep, ord('"'): quote, ord("!"): self.escapechar or "!"})

    def python(self, text: str) -> list[list[str]]:
        quoting = csv.QUOTE_MINIMAL if self.quotechar else csv.QUOTE_NONE
        options = {"delimiter": self.sep, "quotechar": self.quotechar, "escapechar": self.escapechar}
        return [record for record in csv.reader(io.StringIO(text, newline=""), quoting=quoting, **options) if record]


DIALECTS = st.builds(
    Dialect,
    sep=st.sampled_from([",", ";", "\t", "|", " ", "\x01"]),
    quotechar=st.sampled_from(['"', "'", None]),
    escapechar=st.sampled_from([None, "\\"]),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-16-be", "latin-1", "cp1252"]),
)
# The escape stands for "!"; letters behind it, since Python keeps a line end behind one that Arrow does not.
SPELLED = st.sampled_from(
    ["1", "ab", '"a"', '"a\nb"', '"a""b"', '5" x', 'x"y"', '"a, b"', "é", '"ü\r\nb"', " ", '""""']
)
ESCAPED = st.sampled_from(["a!,b", '!"x', '"a!"b"', "!!", '"!!"', "!a", '"c!, d"', '"!\n"'])
ROW = st.lists(SPELLED | ESCAPED, min_size=1, max_size=3)


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(
    dialect=DIALECTS,
    rows=st.lists(ROW, min_size=1, max_size=8),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    ended=st.booleans(),
    header=st.booleans(),
    every=st.integers(1, 40),
    block_bytes=st.integers(1, 60),
)
def test_records_of_any_dialect_are_those_of_pythons_csv_and_the_others_are_rejected(
    dialect, rows, newline, ended, header, every, block_bytes
):
    lines = [dialect.written(row) for row in rows]
    text = newline.join(lines) + (newline if ended else "")
    named = dialect.sep.join("ab") + newline if header else ""
    data = (named + text).encode(dialect.encoding)
    records = dialect.python(text)
    file_format = CsvFormat(**dialect._asdict(), names=("a", "b"), header=header, errors="quarantine")
    opened = open_file(file_format, scripted(data, every=every), expected=SCHEMA, block_bytes=block_bytes)
    reader = opened.read(scan_of(), part=0)
    found, rejected = [], []
    while (block := reader.next_block()) is not None:
        decoded = block.decode()
        found += [[value or "" for value in row.values()] for row in decoded.data.to_pylist()]
        rejected += [] if decoded.rejects is None else decoded.rejects.column("record").to_pylist()
    assert found == [record for record in records if len(record) == 2]
    assert [dialect.python(raw.decode("utf-8")) for raw in rejected] == [
        [record] for record in records if len(record) != 2
    ]

"""Typed columns with dirty values: wherever the bytes are cut, and under any `errors`, the same comes of them.

Every record is either good or rejected, and what is told of a rejected one is what stands in the file.
CUT_EXAMPLES=10000 in the environment looks at so many texts of each format (a few minutes).
"""

from __future__ import annotations

import csv
import io
import json
import os

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamframe.errors import StreamError
from streamframe.formats.csv import CsvFormat
from streamframe.formats.ndjson import NdjsonFormat
from tests.formats.scripted import open_file, scan_of, scripted

EXAMPLES = int(os.environ.get("CUT_EXAMPLES", "150"))
SCHEMA = pa.schema(
    {
        "n": pa.int64(),
        "x": pa.float64(),
        "t": pa.timestamp("us"),
        "d": pa.date32(),
        "flag": pa.bool_(),
        "text": pa.string(),
    }
)
PLAIN = ["1", "-7", "1.5", "1e3", "", "NA", "true", "2024-02-29", "2023-02-29", "2024-02-29 12:00:00", "x", "9" * 20]
ODD = ['"1"', '"a\nb"', '"a""b"', '" 1"', "1 ", "é", "nan", "0x10", "\\N", '5" x']
CELLS = st.sampled_from([*PLAIN, *ODD])
ROWS = st.lists(CELLS, min_size=6, max_size=6) | st.lists(CELLS, min_size=1, max_size=8)
VALUES = st.sampled_from(
    [1, -7, 1.5, None, True, "2024-02-29", "2024-02-29T12:00:00", "x", "", 10**20, [1], {"a": 1}, "é\n"]
)
OBJECTS = st.dictionaries(st.sampled_from([*SCHEMA.names, *SCHEMA.names, "new"]), VALUES, max_size=7)


def csv_of(rows, newline, ended):
    text = newline.join(",".join(row) for row in [SCHEMA.names, *rows]) + (newline if ended else "")
    _, *records = (record for record in csv.reader(io.StringIO(text, newline="")) if record)
    return CsvFormat(), text, len(records)


def ndjson_of(rows, newline, ended):
    # "\r" ends no line of NDJSON.
    newline = newline.replace("\r", "") or "\n"
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    return NdjsonFormat(), newline.join(lines) + (newline if ended else ""), len(lines)


def outcome(file_format, text, every, block_bytes):
    """Return rows, rejects and the number of nulled values; or the error at its place."""
    rows, rejects, nulled, records = [], [], 0, 0
    try:
        opened = open_file(file_format, scripted(text, every=every), expected=SCHEMA, block_bytes=block_bytes)
        reader = opened.read(scan_of(), part=0)
        while (block := reader.next_block()) is not None:
            made = block.decode()
            assert made.data.schema.equals(SCHEMA)
            rows += map(str, made.data.to_pylist())  # as text, since nan is not itself
            told = [] if made.rejects is None else made.rejects.to_pylist()
            rejects += [each | {"row": each["row"] + records} for each in told]
            nulled += made.nulled
            records += made.records
            assert made.data.num_rows + made.rejected == made.records
    except StreamError as error:
        row = None if error.row is None else error.row + records
        return type(error), error.message, error.column, error.byte_offset, row
    return rows, rejects, nulled, records


@pytest.mark.slow
@pytest.mark.parametrize(("made", "kind"), [(csv_of, ROWS), (ndjson_of, OBJECTS)], ids=["csv", "ndjson"])
def test_the_same_comes_of_typed_columns_wherever_they_are_cut(made, kind):
    @settings(max_examples=EXAMPLES, deadline=None)
    @given(
        rows=st.lists(kind, min_size=1, max_size=10),
        newline=st.sampled_from(["\n", "\r\n", "\r"]),
        ended=st.booleans(),
        errors=st.sampled_from(["raise", "null", "skip", "quarantine"]),
        every=st.integers(1, 60),
        block_bytes=st.integers(1, 200),
    )
    def holds(rows, newline, ended, errors, every, block_bytes):
        file_format, text, count = made(rows, newline, ended)
        options = vars(file_format) | {"errors": errors}
        file_format = type(file_format)(**options)
        found = outcome(file_format, text, every, block_bytes)
        whole = outcome(file_format, text, None, 1 << 20)
        if errors == "raise" and isinstance(whole[0], type):
            # Which of several comes first depends on the block: records without fields are found before values.
            _, rejects, *_ = outcome(type(file_format)(**options | {"errors": "quarantine"}), text, None, 1 << 20)
            places = {(each["column"], each["byte_offset"], each["row"]) for each in rejects}
            assert found[2:] in places
            assert whole[2:] in places
            return
        assert found == whole
        _, rejects, nulled, records = whole
        assert records == count
        assert not rejects or errors == "quarantine"
        assert not nulled or errors == "null"
        data = text.encode()
        for each in rejects:
            assert data[each["byte_offset"] :].startswith(each["record"])

    holds()

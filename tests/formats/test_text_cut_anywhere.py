"""Dirty CSV and NDJSON, whose bytes come in two pieces cut anywhere: the rows are those of Python's own readers,
and what is rejected, or raised, is the same wherever it was cut.

Python's csv and json are told nothing of types, so CSV is read as text, and NDJSON is held against its schema.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from streamframe.errors import StreamError
from streamframe.formats.base import FileFormat
from streamframe.formats.csv import CsvFormat
from streamframe.formats.ndjson import NdjsonFormat
from tests.formats.dirty_text import CSV, CSV_SCHEMA, NDJSON, NDJSON_SCHEMA, ndjson_data, python_row, with_nulls
from tests.formats.scripted import Scripted, open_file, scan_of, scripted

# Around the dirty records: enough for 2 KiB in all, and a few.
MANY, FEW = 60, 2
UP_TO_BYTES = 2048
BLOCKS = (1 << 20, 64, 7)
# A block takes its time, and two kilobytes would have hundreds of the smallest.
LARGER_BLOCKS = (1 << 20, 257)
SCHEMAS = {"csv": CSV_SCHEMA, "ndjson": NDJSON_SCHEMA}
CASES = [*(("csv", name) for name in CSV), *(("ndjson", name) for name in NDJSON)]


def format_of(kind: str, name: str) -> FileFormat:
    if kind == "ndjson":
        return NdjsonFormat()
    return CsvFormat(names=CSV_SCHEMA.names, header=False, **CSV[name].options)


def data_of(kind: str, name: str, around: int) -> bytes:
    return CSV[name].data(around) if kind == "csv" else ndjson_data(name, around)


def outcome(file_format: FileFormat, kind: str, data: bytes, cut: int, block_bytes: int) -> Any:
    """Return rows and rejects; or the error, at its place in the file."""
    place = scripted(data) if not 0 < cut < len(data) else Scripted(chunks=(data[:cut], data[cut:]))
    rows, rejects, records = [], [], 0
    try:
        reader = open_file(file_format, place, expected=SCHEMAS[kind], block_bytes=block_bytes).read(scan_of(), part=0)
        try:
            while (block := reader.next_block()) is not None:
                made = block.decode()
                rows += made.data.to_pylist()
                for each in made.rejects.to_pylist() if made.rejects is not None else ():
                    rejects.append({**each, "row": records + each["row"]})
                records += made.records
        finally:
            reader.close()
    except StreamError as error:
        row = None if error.row is None else records + error.row
        return type(error), error.message, error.column, error.byte_offset, row
    return rows, rejects, records


def require_as_python(kind: str, name: str, around: int, rows: list[Any], rejects: list[Any], records: int) -> None:
    assert len(rows) + len(rejects) == records
    if kind == "csv":
        found = CSV[name].python_rows(around)
        unclosed = [each for each in rejects if "never closed" in each["reason"]]
        # Python gives what is inside of a quote that is never closed as a field.
        found = found[: len(found) - len(unclosed)]
        width = len(CSV_SCHEMA)
        assert [with_nulls(row.values()) for row in rows] == [row for row in found if len(row) == width]
        assert len(rejects) - len(unclosed) == sum(len(row) != width for row in found)
    else:
        lines = [line for line in data_of(kind, name, around).split(b"\n") if line.strip(b" \t\r")]
        found = [python_row(line) for line in lines]
        assert rows == [row for row in found if row is not None]
        assert [each["record"] for each in rejects] == [
            line.strip(b" \t\r") for line, row in zip(lines, found, strict=True) if row is None
        ]


def hold_against_python(kind: str, name: str, around: int, cuts: range, blocks: tuple[int, ...]) -> None:
    data = data_of(kind, name, around)
    raising = format_of(kind, name)
    keeping = replace(raising, errors="quarantine")  # type: ignore[type-var]
    rows, rejects, records = kept = outcome(keeping, kind, data, 0, 1 << 20)
    require_as_python(kind, name, around, rows, rejects, records)
    raised = outcome(raising, kind, data, 0, 1 << 20)
    if rejects:
        first = rejects[0]
        _, message, *place = raised
        assert first["reason"] in message
        # Of a quote that is never closed, the error tells where the quote is, not where its record starts.
        assert place[:2] == [first["column"], first["byte_offset"]] or "never closed" in message
    else:
        assert raised == kept
    for cut in cuts:
        block_bytes = blocks[cut % len(blocks)]
        assert outcome(keeping, kind, data, cut, block_bytes) == kept, (cut, block_bytes)
        assert outcome(raising, kind, data, cut, block_bytes) == raised, (cut, block_bytes)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_rows_are_those_of_python_wherever_the_bytes_are_cut(kind, name):
    hold_against_python(kind, name, FEW, range(1, len(data_of(kind, name, FEW)), 5), BLOCKS)


@pytest.mark.soak
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_rows_are_those_of_python_wherever_two_kilobytes_are_cut(kind, name):
    data = data_of(kind, name, MANY)
    hold_against_python(kind, name, MANY, range(1, min(len(data), UP_TO_BYTES)), LARGER_BLOCKS)

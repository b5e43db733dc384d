"""How the blocks of a file come: small ones first, at once from a slow source, decoded only as asked."""

from __future__ import annotations

import pyarrow as pa
import pytest

from streamframe.batch import Mark, held_bytes
from streamframe.errors import ColumnNotFoundError
from streamframe.formats import records
from streamframe.formats.csv import CsvFormat
from streamframe.formats.csv.dialect import Dialect
from streamframe.formats.csv.records import CsvRecords
from streamframe.formats.text_blocks import TextReader
from tests.formats.scripted import Scripted, ScriptedStream, batches, open_file, read_table, scan_of, scripted

LINES = "".join(f"{row},text {row},{row}.5\n" for row in range(200_000))
TEXT = "a,b,c\n" + LINES


def reader_of(source: Scripted | str, *, block_bytes: int = 1 << 20, **scan: object) -> TextReader:
    reader = open_file(CsvFormat(), source, block_bytes=block_bytes).read(scan_of(**scan), part=3)  # type: ignore[arg-type]
    assert isinstance(reader, TextReader)
    return reader


def block_sizes(reader: TextReader) -> list[int]:
    ends = [batch.mark.token for batch in batches(reader)]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def test_blocks_grow_from_a_small_first_one_to_the_limit():
    sizes = block_sizes(reader_of(TEXT, block_bytes=1 << 20))
    assert 200_000 < sizes[0] <= 1 << 18
    assert 400_000 < sizes[1] <= 1 << 19
    assert 900_000 < max(sizes) <= 1 << 20
    assert sum(sizes) == len(TEXT)


def test_blocks_stay_small_for_a_small_limit():
    assert max(block_sizes(reader_of(TEXT, limit=5))) <= 1 << 18


def test_blocks_keep_to_a_small_budget():
    assert max(block_sizes(reader_of(TEXT[:50_000].rpartition("\n")[0], block_bytes=4096))) <= 4096


def test_marks_say_part_rows_and_the_offset_behind_them():
    marks = [batch.mark for batch in batches(reader_of(TEXT))]
    for mark in marks:
        assert TEXT[: mark.token].count("\n") == mark.rows + 1
        assert mark.part == 3
    assert marks[-1] == Mark(part=3, token=len(TEXT), rows=200_000)


def test_a_slow_source_hands_over_the_complete_records_it_has(monkeypatch):
    # Each read counts as a long one.
    monkeypatch.setattr(records, "PATIENCE_S", 0.0)
    location = Scripted(chunks=(b"a,b\n1,x\n2,", b"y\n3", b",z\n4,w", b"\n5,", b"v"))
    found = [batch.data.column("a").to_pylist() for batch in batches(reader_of(location))]
    assert found == [[1], [2], [3], [4], [5]]


def test_rows_that_were_looked_at_do_not_wait_for_the_next(monkeypatch):
    monkeypatch.setattr(records, "PATIENCE_S", 0.0)

    def stalls() -> None:
        raise AssertionError("the rows before were complete")

    reader = reader_of(Scripted(chunks=(b"a,b\n1,x\n2,y\n", stalls)))
    block = reader.next_block()
    assert block is not None
    assert block.decode().records == 2


def test_a_short_block_of_a_slow_source_holds_no_whole_buffer(monkeypatch):
    monkeypatch.setattr(records, "PATIENCE_S", 0.0)
    reader = reader_of(Scripted(chunks=(b"a\n1\n", b"2\n", b"3\n")))
    block = reader.next_block()
    assert block is not None
    assert block.nbytes < 100


def test_a_buffer_is_read_into_again_when_nobody_looks_into_it():
    lines = [b"%07d\n" % number for number in range(5000)]
    records = CsvRecords(ScriptedStream("x", [b"".join(lines)]), Dialect(), block_bytes=4096)
    pieces = []
    while (piece := records.take_piece()) is not None:
        pieces.append((piece.data, piece.data[piece.start : piece.stop]))
        records.take_back(piece.data)
    assert b"".join(text for _, text in pieces) == b"".join(lines)
    # One is filled while another is decoded.
    assert len({id(data) for data, _ in pieces[:-1]}) == 2


def test_a_buffer_that_somebody_looks_into_is_left_alone():
    lines = [b"%07d\n" % number for number in range(5000)]
    records = CsvRecords(ScriptedStream("x", [b"".join(lines)]), Dialect(), block_bytes=4096)
    seen = []
    while (piece := records.take_piece()) is not None:
        seen.append(memoryview(piece.data)[piece.start : piece.stop])
        records.take_back(piece.data)
    assert b"".join(seen) == b"".join(lines)


def test_only_the_columns_asked_for_are_converted_in_the_order_of_the_schema():
    # 'c' would fail.
    schema = pa.schema([("a", pa.int64()), ("b", pa.string()), ("c", pa.int64())])
    table = read_table(CsvFormat(), TEXT, columns=("b", "a"), expected=schema)
    assert table.column_names == ["a", "b"]
    assert table.num_rows == 200_000


def test_counting_converts_nothing():
    schema = pa.schema([("b", pa.int64()), ("a", pa.date32()), ("c", pa.int64())])
    opened = open_file(CsvFormat(names=("a", "b", "c"), header=False), "x,y,z\n" * 200_000, expected=schema)
    found = [batch.data for batch in batches(opened.read(scan_of(()), part=0))]
    assert sum(batch.num_rows for batch in found) == 200_000
    assert {batch.num_columns for batch in found} == {0}


def test_a_column_that_is_not_there_is_named_when_reading_starts():
    with pytest.raises(ColumnNotFoundError, match="column 'd'"):
        reader_of(TEXT, columns=("d",))


def test_a_forecast_covers_what_a_block_will_hold():
    reader = reader_of(TEXT)
    blocks = 0
    while True:
        forecast = reader.next_bytes()
        block = reader.next_block()
        if block is None:
            break
        assert block.nbytes <= forecast
        raw = block.mark(0).token
        data = block.decode().data
        assert raw > 0
        if blocks > 1:
            assert held_bytes(data) <= block.nbytes
        blocks += 1
    assert blocks > 4


def test_a_block_lets_go_of_its_bytes_when_it_is_decoded():
    reader = reader_of(TEXT)
    block = reader.next_block()
    assert block is not None
    block.decode()
    with pytest.raises(RuntimeError, match="decoded once"):
        block.decode()


def test_a_batch_is_one_piece_of_memory_for_each_column():
    opened = open_file(CsvFormat(), TEXT)
    for batch in batches(opened.read(scan_of(), part=0)):
        assert isinstance(batch.data, pa.RecordBatch)
        assert batch.data.schema == opened.schema


def test_bytes_read_and_total_come_from_the_stream(tmp_path):
    from streamframe.io.locations import paths

    file = tmp_path / "flights.csv"
    file.write_text(TEXT)
    (location,) = paths(str(file)).expand()
    reader = open_file(CsvFormat(), location).read(scan_of(), part=0)
    assert reader.bytes_total == len(TEXT)
    assert 0 < reader.bytes_read < len(TEXT)
    list(batches(reader))
    assert reader.bytes_read == len(TEXT)
    assert reader.retries == 0


def test_a_chunk_of_one_byte_at_a_time_gives_the_same_rows():
    text = TEXT[:2000].rpartition("\n")[0]
    assert read_table(CsvFormat(), scripted(text, every=1)).equals(read_table(CsvFormat(), text))

"""Row groups of all sizes and of all writers are read as Arrow reads them, whichever columns the kernel knows."""

from __future__ import annotations

import datetime as dt
import decimal
import os
from concurrent.futures import ThreadPoolExecutor

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import streamframe as sf
from streamframe.formats.parquet import ParquetFormat
from streamframe.io.local import LocalLocation
from tests.conftest import open_files_under
from tests.formats.scripted import open_file, scan_of

ROWS = 60_000
DAY = dt.date(2013, 1, 1)
PLAIN = {
    "id": pa.array(range(ROWS)),
    "small": pa.array([None if i % 7 == 0 else i % 100 for i in range(ROWS)], pa.int8()),
    "town": pa.array([None if i % 5 == 0 else "ABC"[i // 1_000 % 3] * (i % 40) for i in range(ROWS)]),
    "note": pa.array([f"note number {i}" for i in range(ROWS)]),
    "late": pa.array([i % 3 == 0 for i in range(ROWS)]),
    "fare": pa.array([None if 20_000 < i < 50_000 else i / 7 for i in range(ROWS)]),
    "day": pa.array([DAY + dt.timedelta(i % 365) for i in range(ROWS)]),
    "seen": pa.array([i * 1_000_003 for i in range(ROWS)], pa.timestamp("us", "UTC")),
}
NESTED = {
    "price": pa.array([decimal.Decimal(i) / 100 for i in range(ROWS)], pa.decimal128(9, 2)),
    "tags": pa.array([["a", "b"][: i % 3] for i in range(ROWS)]),
    "at": pa.array([{"x": i, "y": str(i)} for i in range(ROWS)]),
    "kind": pa.array(["x", "y"] * (ROWS // 2)).dictionary_encode(),
}


def by_arrow(table, path):
    # Each column has its own way: one of them begins with what the kernel knows, and goes on with what it does not.
    pq.write_table(table, path, column_encoding={"id": "DELTA_BINARY_PACKED"}, use_dictionary=["town", "small", "note"])


def by_arrow_in_pages(table, path):
    pq.write_table(table, path, data_page_version="2.0", compression="zstd", data_page_size=2_000)


WRITERS = {
    "Arrow": by_arrow,
    "Arrow, in small pages": by_arrow_in_pages,
    "Arrow, in small row groups": lambda table, path: pq.write_table(table, path, row_group_size=7_000),
    "polars": lambda table, path: pl.from_arrow(table).write_parquet(path),
    "DuckDB": lambda table, path: duckdb.from_arrow(table).write_parquet(str(path)),
    "streamframe": lambda table, path: sf.from_arrow(table).to_parquet(path),
}


@pytest.mark.slow
@pytest.mark.parametrize("memory", ["1MB", "256MB"])
@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_rows_are_those_that_arrow_reads(tmp_path, writer, memory):
    given = pa.table(PLAIN | (NESTED if writer in (by_arrow, by_arrow_in_pages) else {}))
    path = tmp_path / "given.parquet"
    writer(given, path)
    with sf.options(memory=memory):
        found = sf.read_parquet(path).to_arrow()
        some = sf.read_parquet(path, columns=["note", "fare"]).slice(ROWS // 3, 100).to_arrow()
    expected = pq.read_table(path)
    # polars notes that its text is to be read as views.
    expected = expected.cast(
        pa.schema([field.with_type(found.schema.field(field.name).type) for field in expected.schema])
    )
    assert found.equals(expected)
    assert some.equals(expected.select(["note", "fare"]).slice(ROWS // 3, 100))


def test_damage_in_one_column_does_not_keep_others_from_being_read(tmp_path):
    path = tmp_path / "damaged.parquet"
    pq.write_table(pa.table(PLAIN), path, write_page_checksum=True, compression="none", use_dictionary=False)
    data = bytearray(path.read_bytes())
    chunk = pq.read_metadata(path).row_group(0).column(3)
    data[chunk.data_page_offset + chunk.total_compressed_size - 5] ^= 1
    path.write_bytes(data)
    with sf.options(memory="1MB"):
        assert sf.read_parquet(path, columns=["id", "fare"]).to_arrow().num_rows == ROWS
        with pytest.raises(sf.DecodeError, match="row group 0 cannot be decoded"):
            sf.read_parquet(path).to_arrow()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files are looked up in /proc")
def test_the_error_of_a_slice_that_was_given_up_keeps_no_file_open(tmp_path):
    path = tmp_path / "given.parquet"
    # Smaller files are in memory.
    pq.write_table(pa.table({"tags": [[str(i) for i in range(n, n + 50)] for n in range(20_000)]}), path)

    opened = open_file(ParquetFormat(), LocalLocation(str(path), str(path)), block_bytes=10_000)
    blocks = opened.read(scan_of(), part=0)
    blocks.next_block()
    second = blocks.next_block()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(second.decode)
        # Beside the one that is looked into for all slices.
        while len(open_files_under(tmp_path)) < 2:
            assert not waiting.done()
        blocks.close()
        assert "an earlier slice" in str(waiting.exception())
    assert not open_files_under(tmp_path)

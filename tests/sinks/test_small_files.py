"""Small files that are written many at a time hold what each would hold by itself."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest

import streamframe as sf

KEYS, ROWS_OF_EACH = 150, 40


@pytest.fixture
def frame():
    """Rows of many keys, shuffled, with nulls, text to quote, times with a zone and text that comes as a dictionary."""
    numbers = [(7919 * i) % (KEYS * ROWS_OF_EACH) for i in range(KEYS * ROWS_OF_EACH)]
    return sf.from_arrow(
        pa.table(
            {
                "key": [f"k{number % KEYS:03}" for number in numbers],
                "n": numbers,
                "maybe": [None if number % 3 else number / 4 for number in numbers],
                "note": [['say "x"', "a,b\nc", "", None][number % 4] for number in numbers],
                "at": pa.array([number * 10**6 for number in numbers], pa.timestamp("us", "UTC")),
                "even": [number % 2 == 0 for number in numbers],
            }
        )
    )


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("_"))


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("to_csv", {}),
        ("to_csv", {"quotechar": "'"}),
        ("to_csv", {"formula_guard": True, "header": False, "quoting": "all"}),
        ("to_ndjson", {}),
        ("to_ipc", {}),
        ("to_ipc", {"stream": True, "compression": "zstd"}),
        ("to_parquet", {"page_checksums": True}),
        ("to_parquet", {"compression": "zstd", "compression_level": 5, "statistics": ["n"]}),
        ("to_orc", {}),
    ],
)
def test_each_file_is_to_the_byte_what_it_would_be_alone(frame, tmp_path, verb, options):
    report = getattr(frame, verb)(tmp_path / "out", partition_by="key", max_open_files=20, **options)
    assert len(report.files) == len(files(tmp_path / "out")) == KEYS
    for key in ("k000", "k077", "k149"):
        (made,) = files(tmp_path / "out" / f"key={key}")
        alone = tmp_path / f"alone{made.suffix}"
        getattr(frame.filter(sf.col("key") == key).drop("key"), verb)(alone, **options)
        assert made.read_bytes() == alone.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("compression", ["gzip", "zstd", "bz2", "xz", "lz4"])
def test_each_text_is_compressed_by_itself(frame, tmp_path, compression):
    frame.to_csv(tmp_path / "out", partition_by="key", compression=compression)
    rows = sf.read_csv(tmp_path / "out").to_arrow().sort_by("n")
    assert rows["n"].to_pylist() == list(range(KEYS * ROWS_OF_EACH))
    assert rows["key"].to_pylist() == [f"k{number % KEYS:03}" for number in range(KEYS * ROWS_OF_EACH)]


@pytest.mark.parametrize("most_rows", [7, ROWS_OF_EACH])
def test_no_file_has_more_rows_than_it_may(frame, tmp_path, most_rows):
    frame.to_csv(tmp_path / "out", partition_by="key", max_rows_per_file=most_rows)
    counts = [file.read_bytes().count(b"Z") for file in files(tmp_path / "out")]
    assert max(counts) == most_rows
    assert sum(counts) == KEYS * ROWS_OF_EACH


@pytest.mark.parametrize("most_bytes", [50_000, 150_000, 1_000_000])
def test_no_file_is_larger_than_it_may_be_where_names_are_longer_than_values(tmp_path, most_bytes):
    rows = 20_000
    bits = pa.table({"key": [f"{i % 8}" for i in range(rows)], "a_name_" + "x" * 60: [i % 3 == 0 for i in range(rows)]})
    report = sf.from_arrow(bits).to_ndjson(tmp_path / "out", partition_by="key", max_file_bytes=most_bytes)
    assert max(os.path.getsize(file) for file in report.files) <= most_bytes


def test_what_a_format_cannot_hold_is_told_and_leaves_nothing_behind(tmp_path):
    rows = pa.table(
        {"key": [f"{i % 100}" for i in range(1000)], "raw": [b"\xff" if i == 777 else b"x" for i in range(1000)]}
    )
    with pytest.raises(sf.SchemaError, match="column 'raw' holds bytes that are no text") as caught:
        sf.from_arrow(rows).to_csv(tmp_path / "out", partition_by="key", max_open_files=5)
    assert caught.value.column == "raw"
    assert os.listdir(tmp_path) == []


def test_an_order_that_a_small_file_breaks_is_told_with_the_file(tmp_path):
    rows = pa.table({"key": [f"{i % 50}" for i in range(500)], "n": [0 if i == 477 else i for i in range(500)]})
    with pytest.raises(sf.SinkError, match="column 'n' is ascending") as caught:
        sf.from_arrow(rows).to_parquet(tmp_path / "out", partition_by="key", sorting_columns=["n"], max_open_files=5)
    assert "key=27/part-00000.parquet" in caught.value.source
    assert caught.value.row == 10
    assert os.listdir(tmp_path) == []

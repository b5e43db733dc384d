"""What is small, and becomes large when it is decompressed, meets a limit that has a name."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd

import streamframe as sf
from streamframe.io.expansion import MAX_RATIO, Expansion
from tests.io.test_compression import NEEDS_LZ4, pack_lz4


def pack_zip(data):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", data)
    return packed.getvalue()


PACKERS = [
    ("gz", gzip.compress),
    ("zst", zstd.compress),
    ("bz2", bz2.compress),
    ("xz", lzma.compress),
    ("zip", pack_zip),
    pytest.param("lz4", pack_lz4, marks=NEEDS_LZ4),
]
READERS = [sf.read_csv, sf.read_ndjson, sf.read_lines]
ROWS = {sf.read_csv: b"a,b\n1,0\n", sf.read_ndjson: b'{"a":0}\n', sf.read_lines: b"0000000\n"}


@pytest.mark.slow
@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(("suffix", "pack"), PACKERS)
def test_more_than_the_chosen_ratio_is_refused_by_name_place_and_remedy(tmp_path, read, suffix, pack):
    path = tmp_path / f"bomb.{suffix}"
    packed = pack(ROWS[read] + ROWS[read][-4:] * 1_000_000 if read is sf.read_csv else ROWS[read] * 500_000)
    path.write_bytes(packed)
    rows = read(path, max_decompression_ratio=50)
    with pytest.raises(sf.BudgetError, match=r"bytes came out of [\d,]+ bytes of \w+, \d+") as caught:
        rows.count()
    assert caught.value.source == str(path)
    assert caught.value.byte_offset > 1 << 20
    assert "max_decompression_ratio=" in caught.value.hint
    assert read(path, max_decompression_ratio=float("inf")).count() == read(path).count() > 400_000


def test_what_is_below_the_ratio_is_read(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a\n" + b"".join(b"%d\n" % n for n in range(400_000))))
    assert sf.read_csv(tmp_path / "a.csv.gz", max_decompression_ratio=20).count() == 400_000
    with pytest.raises(sf.BudgetError):
        sf.read_csv(tmp_path / "a.csv.gz", max_decompression_ratio=1).count()


@pytest.mark.slow
def test_a_gigabyte_of_equal_rows_is_read_and_what_goes_on_beyond_is_a_bomb(tmp_path, monkeypatch):
    """By default, with fewer bytes than a GiB: the numbers are those of the table of limits."""
    monkeypatch.setattr(Expansion.__new__, "__defaults__", (MAX_RATIO, 8_000_000))
    for rows, suffix in ((1_900_000, "few"), (4_000_000, "many")):
        (tmp_path / f"{suffix}.csv.bz2").write_bytes(bz2.compress(b"a,b\n" + b"1,0\n" * rows))
    assert sf.read_csv(tmp_path / "few.csv.bz2").count() == 1_900_000
    with pytest.raises(sf.BudgetError, match="the most that is allowed is 10,000"):
        sf.read_csv(tmp_path / "many.csv.bz2").count()


def test_a_record_without_end_tells_how_little_it_was_made_of(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(bytes(30_000_000)))
    with pytest.raises(sf.BudgetError, match=r"it may be a bomb: \d{3} bytes came out for each compressed one"):
        sf.read_csv(tmp_path / "a.csv.gz", max_record_bytes="8MB").count()


@pytest.mark.parametrize("ratio", [0, 0.5, -1, "many", True, float("nan")])
def test_what_is_no_ratio_is_refused_at_the_call(ratio):
    with pytest.raises(sf.PlanError, match="max_decompression_ratio needs a number >= 1"):
        sf.read_csv("a.csv", max_decompression_ratio=ratio)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary()])
@pytest.mark.parametrize("dictionary", [True, False])
@pytest.mark.parametrize("codec", ["zstd", "snappy"])
def test_a_page_of_parquet_that_becomes_too_large_is_refused_before_it_is_decompressed(
    tmp_path, kind, dictionary, codec
):
    path = tmp_path / "a.parquet"
    values = pa.array(["few", "a" * 4_000_000], pa.string()).cast(kind)
    table = pa.table({"n": [1, 2], "text": values})
    pq.write_table(table, path, compression=codec, use_dictionary=dictionary, dictionary_pagesize_limit=1 << 23)
    with pytest.raises(sf.BudgetError, match=r"(?s)a page of column 'text' has 4.*max_batch_bytes=") as caught:
        sf.read_parquet(path, max_batch_bytes="1MB").to_arrow()
    assert caught.value.byte_offset is not None
    assert sf.read_parquet(path, max_batch_bytes="1MB", columns=["n"]).to_arrow().equals(table.select(["n"]))
    assert sf.read_parquet(path, max_batch_bytes="5MB").to_arrow().equals(table)


def test_many_pages_of_parquet_may_be_more_together_than_one_may_be(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.table({"text": pa.array([str(number) * 100 for number in range(10_000)], pa.large_string())})
    pq.write_table(table, path, use_dictionary=False, data_page_size=50_000)
    assert sf.read_parquet(path, max_batch_bytes="500kB").to_arrow().equals(table)


def test_a_row_of_parquet_that_holds_too_many_values_is_refused_before_it_is_decoded(tmp_path):
    """A file of 552 bytes may hold a list of 300 million zeros, for which Arrow takes 3 GB."""
    path = tmp_path / "a.parquet"
    table = pa.table({"n": [1, 2], "lists": [[0] * 600_000, [1]]})
    pq.write_table(table, path, compression="zstd")
    assert path.stat().st_size < 2_000
    with pytest.raises(sf.BudgetError, match=r"(?s)column 'lists': row 1 .* more than 1 MB.*max_batch_bytes="):
        sf.read_parquet(path, max_batch_bytes="1MB").to_arrow()
    assert sf.read_parquet(path, max_batch_bytes="1MB", columns=["n"]).to_arrow().equals(table.select(["n"]))
    assert sf.read_parquet(path, max_batch_bytes="5MB").to_arrow().equals(table)

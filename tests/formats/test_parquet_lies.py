"""A footer may say of a column chunk what it likes: what is made room for is what its pages say."""

from __future__ import annotations

import resource
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd

import streamframe as sf
from streamframe.formats.parquet import thrift
from streamframe.formats.parquet.chunks import Chunk
from streamframe.formats.parquet.column_chunk import footer_of
from streamframe.formats.parquet.pages import may_become

HUGE_BYTES = 1_500_000_000
KINDS = {
    "large text": pa.array(["few", "a" * 4_000_000], pa.large_string()),
    "texts in lists": pa.array([["few"], ["a" * 4_000_000]]),
    "texts in structs": pa.array([{"a": 1, "b": "few"}, {"a": 2, "b": "a" * 4_000_000}]),
    "many numbers in a list": pa.array([[1], list(range(500_000))]),
}
# Of `ColumnMetaData`.
NBYTES, PACKED_BYTES, PAGE_AT = 6, 7, 9


def with_footer(data, change, pages=None):
    """Return a file whose footer says something else of each column chunk, perhaps with other pages."""
    fields = footer_of(memoryview(data))
    _, row_groups = fields[4].value
    for group in row_groups:
        for chunk in group[1].value[1]:
            chunk[3].value.update(change)
    if pages is None:
        pages = data[4 : -8 - int.from_bytes(data[-8:-4], "little")]
    footer = thrift.written(fields)
    return b"PAR1" + pages + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def written(table, **options):
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **options)
    return sink.getvalue().to_pybytes()


def huge_page():
    """Return a page of 1.5 GB with one text, packed, without ever holding it."""
    packer, piece = zstd.ZstdCompressor(), b"a" * 1_000_000
    body = packer.compress(HUGE_BYTES.to_bytes(4, "little"))
    body += b"".join(packer.compress(piece) for _ in range(HUGE_BYTES // len(piece))) + packer.flush()
    data = {1: thrift.i32(1), 2: thrift.i32(0), 3: thrift.i32(3), 4: thrift.i32(3)}
    header = {1: thrift.i32(0), 2: thrift.i32(4 + HUGE_BYTES), 3: thrift.i32(len(body)), 5: thrift.nested(data)}
    return thrift.written(header) + body


def peak_of(path):
    """Read a file in a process of its own; return what it said and how many bytes it held at most."""
    code = (
        "import sys, streamframe as sf\n"
        "try:\n    print(len(sf.read_parquet(sys.argv[1]).to_arrow()))\n"
        "except sf.StreamError as error:\n    print(type(error).__name__, error)\n"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    limit = (4 << 30, resource.RLIM_INFINITY)
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit),
    )
    *said, peak = done.stdout.splitlines()
    return "\n".join(said), int(peak) << 10


def test_a_small_file_with_a_huge_page_takes_little_memory_whatever_its_footer_says(tmp_path):
    schema = pa.schema([pa.field("text", pa.large_string(), nullable=False)])
    pages = huge_page()
    change = {NBYTES: thrift.i64(100), PACKED_BYTES: thrift.i64(len(pages)), PAGE_AT: thrift.i64(4)}
    small = written(pa.table({"text": ["a"]}, schema), compression="zstd", use_dictionary=False)
    path = tmp_path / "small.parquet"
    path.write_bytes(with_footer(small, change, pages))
    assert path.stat().st_size < 200_000
    said, peak = peak_of(path)
    assert "BudgetError a page of column 'text' has 1.5 GB once it is decompressed" in said
    assert peak < 200_000_000


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [True, False])
def test_a_page_larger_than_its_footer_says_is_refused_before_it_is_decompressed(tmp_path, kind, version, dictionary):
    table = pa.table({"n": [1, 2], "x": KINDS[kind]})
    data = written(
        table,
        compression="zstd",
        use_dictionary=dictionary,
        data_page_version=version,
        dictionary_pagesize_limit=1 << 23,
        data_page_size=1 << 24,
    )
    path = tmp_path / "a.parquet"
    path.write_bytes(with_footer(data, {NBYTES: thrift.i64(50)}))
    with pytest.raises(sf.BudgetError, match=r"(?s)a page of column 'x' has .*max_batch_bytes=") as caught:
        sf.read_parquet(path, max_batch_bytes="1MB").to_arrow()
    assert caught.value.byte_offset is not None
    assert sf.read_parquet(path, max_batch_bytes="5MB").to_arrow().equals(table)


def test_what_stands_behind_the_last_page_is_not_looked_at(tmp_path):
    """Arrow stops where all values have been seen, so that no such bytes make a file unreadable."""
    table = pa.table({"x": pa.array([[1, 2], [3]])})
    data = written(table, compression="brotli")
    pages = data[4 : -8 - int.from_bytes(data[-8:-4], "little")] + b"\xff" * 500
    path = tmp_path / "a.parquet"
    path.write_bytes(with_footer(data, {PACKED_BYTES: thrift.i64(len(pages))}, pages))
    assert sf.read_parquet(path).to_arrow().equals(table)


def test_a_header_that_is_no_header_is_told_with_its_place(tmp_path):
    # Of Brotli, nobody can tell how much will come out of few bytes.
    data = bytearray(written(pa.table({"x": pa.array([[1, 2], [3]])}), compression="brotli"))
    data[4:8] = b"\xff\xff\xff\xff"
    path = tmp_path / "a.parquet"
    path.write_bytes(data)
    with pytest.raises(sf.DecodeError, match="a page cannot be decoded: its header is damaged") as caught:
        sf.read_parquet(path).to_arrow()
    assert (caught.value.source, caught.value.byte_offset) == (str(path), 4)


@pytest.mark.parametrize("codec", ["none", "snappy", "lz4", "gzip", "zstd", "brotli"])
def test_no_codec_makes_more_of_its_bytes_than_is_taken_for_possible(codec):
    """A chunk may only be passed over where its bytes cannot become so large a page."""
    name = {"none": "UNCOMPRESSED"}.get(codec, codec.upper())
    for length in (10, 1_000, 1_000_000, 100_000_000):
        data = bytes(length)
        packed = data if codec == "none" else pa.Codec(codec).compress(data)
        assert may_become(Chunk(0, len(packed), name, 1, length, None, False), length)

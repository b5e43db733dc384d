"""A few bytes of levels may be gigabytes of lists: rows are refused, or come some at a time, before Arrow is asked."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import streamframe as sf
from streamframe.formats.parquet import thrift
from streamframe.formats.parquet.thrift import flag, i32, i64, nested
from tests.formats.scripted import varint
from tests.formats.test_parquet_lies import with_footer, written

pytestmark = pytest.mark.slow

VALUES, NBYTES, PACKED_BYTES, DATA_AT, DICTIONARY_AT = 5, 6, 7, 9, 11
# Optional lists of optional values: there is a list, and there is a value.
EMPTY, THERE = 1, 3
PLAIN, RLE, BY_INDEX = 0, 3, 8


def run(count, value):
    return varint(count << 1) + bytes([value])


def pages_of(rows, value, version, codec):
    """Return pages of lists, so many with so many values each, and how many bytes the dictionary has."""
    repetition = b"".join(
        run(count, 0) if not size else (run(1, 0) + (run(size - 1, 1) if size > 1 else b"")) * count
        for count, size in rows
    )
    definition = b"".join(run(count * max(1, size), THERE if size else EMPTY) for count, size in rows)
    indices = b"\x01" + run(sum(count * size for count, size in rows) or 1, 0)
    levels = sum(count * max(1, size) for count, size in rows)
    # What Arrow calls LZ4 is the format of its frames; of files it is the raw one.
    name = "lz4_raw" if codec == "lz4" else codec
    packed = bytes if codec == "none" else pa.Codec(name).compress
    if version == "1.0":
        levelled = b"".join(len(part).to_bytes(4, "little") + part for part in (repetition, definition))
        body, nbytes = bytes(packed(levelled + indices)), len(levelled + indices)
        data = {1: i32(levels), 2: i32(BY_INDEX), 3: i32(RLE), 4: i32(RLE)}
        header = {1: i32(0), 2: i32(nbytes), 3: i32(len(body)), 5: nested(data)}
    else:
        body = repetition + definition + bytes(packed(indices))
        nbytes = len(repetition + definition + indices)
        data = {1: i32(levels), 2: i32(0), 3: i32(sum(count for count, _ in rows)), 4: i32(BY_INDEX)}
        data |= {5: i32(len(definition)), 6: i32(len(repetition)), 7: flag(codec != "none")}
        header = {1: i32(3), 2: i32(nbytes), 3: i32(len(body)), 8: nested(data)}
    first = bytes(packed(value))
    of_dictionary = {1: i32(2), 2: i32(len(value)), 3: i32(len(first))}
    of_dictionary[7] = nested({1: i32(1), 2: i32(PLAIN)})
    dictionary = thrift.written(of_dictionary) + first
    return dictionary + thrift.written(header) + body, len(dictionary), levels


def heavy_file(path, rows, *, version="1.0", codec="zstd", kind=None, value=bytes(8), claims=None):
    """Write such a file; `claims` is what the footer says of the number of values."""
    table = pa.table({"x": pa.array([[]] * sum(count for count, _ in rows), pa.list_(kind or pa.int64()))})
    pages, data_at, levels = pages_of(rows, value, version, codec)
    change = {
        VALUES: i64(levels if claims is None else claims),
        NBYTES: i64(len(pages)),
        PACKED_BYTES: i64(len(pages)),
        DATA_AT: i64(4 + data_at),
        DICTIONARY_AT: i64(4),
    }
    path.write_bytes(with_footer(written(table, compression=codec, use_dictionary=True), change, pages))


def text(nbytes):
    return nbytes.to_bytes(4, "little") + b"a" * nbytes


def peak_of(path, native="1", memory="64MB"):
    """Read a file in a process of its own; return what it said and how many bytes it held at most."""
    code = (
        "import sys, streamframe as sf\n"
        "rows = 0\n"
        "try:\n"
        f"    with sf.options(memory={memory!r}):\n"
        "        for batch in sf.read_parquet(sys.argv[1]):\n"
        "            rows += batch.num_rows\n"
        "    print(rows)\n"
        "except sf.StreamError as error:\n    print(type(error).__name__, error)\n"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "STREAMFRAME_NATIVE": native},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, resource.RLIM_INFINITY)),
    )
    *said, peak = done.stdout.splitlines()
    return "\n".join(said), int(peak) << 10


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "zstd", "lz4", "brotli"])
def test_such_files_are_read_as_arrow_reads_them(tmp_path, version, codec):
    path = tmp_path / "a.parquet"
    heavy_file(path, [(20, 0), (3, 5), (1, 1), (7, 0)], version=version, codec=codec)
    expected = [*[[]] * 20, *[[0] * 5] * 3, [0], *[[]] * 7]
    assert sf.read_parquet(path).to_arrow()["x"].to_pylist() == expected
    assert pq.read_table(path)["x"].to_pylist() == expected


@pytest.mark.parametrize("native", ["1", "0"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("codec", ["none", "snappy", "zstd"])
def test_one_huge_list_among_many_empty_ones_is_refused_with_its_row(tmp_path, native, version, codec):
    path = tmp_path / "a.parquet"
    heavy_file(path, [(9_999, 0), (1, 400_000_000), (5, 0)], version=version, codec=codec)
    said, peak = peak_of(path, native)
    assert "BudgetError column 'x': row 10,000 of row group 0 has more than 1.1 GB" in said
    assert "row 10,000, byte offset 4" in said
    assert "max_batch_bytes=" in said
    assert path.stat().st_size < 10_000
    assert peak < 200_000_000


def test_a_footer_that_tells_of_few_values_changes_nothing(tmp_path):
    path = tmp_path / "a.parquet"
    heavy_file(path, [(9_999, 0), (1, 400_000_000), (5, 0)], claims=10_005)
    said, peak = peak_of(path)
    assert "BudgetError column 'x': row 10,000 of row group 0" in said
    assert peak < 200_000_000


def test_a_list_that_repeats_one_long_text_is_refused(tmp_path):
    path = tmp_path / "a.parquet"
    heavy_file(path, [(9_999, 0), (1, 2_000), (5, 0)], kind=pa.string(), value=text(1_000_000))
    said, peak = peak_of(path)
    assert "BudgetError column 'x': row 10,000 of row group 0 has more than 1.1 GB" in said
    assert peak < 200_000_000


@pytest.mark.parametrize(
    ("size", "kind", "value"), [(1_000_000, pa.int64(), bytes(8)), (8, pa.string(), text(1 << 20))]
)
def test_many_heavy_lists_behind_many_empty_ones_come_some_at_a_time(tmp_path, size, kind, value):
    """Each of them may be; Arrow would make gigabytes of as many as were light before."""
    path = tmp_path / "a.parquet"
    heavy_file(path, [(5_000, 0), (300, size)], kind=kind, value=value)
    said, peak = peak_of(path)
    assert said == "5300"
    assert peak < 300_000_000


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.struct({"a": pa.string()})])
def test_long_texts_that_are_one_in_the_file_come_some_at_a_time(tmp_path, kind):
    path = tmp_path / "a.parquet"
    long = "a" * 30_000_000
    values = ["b"] * 300 + [long] * 40
    rows = values if not pa.types.is_struct(kind) else [{"a": value} for value in values]
    pq.write_table(pa.table({"x": pa.array(rows, kind)}), path, compression="zstd", dictionary_pagesize_limit=1 << 26)
    assert path.stat().st_size < 100_000
    said, peak = peak_of(path)
    assert said == "340"
    assert peak < 400_000_000


def test_lists_of_as_many_numbers_as_embeddings_have_are_no_bombs(tmp_path):
    """Of 1.2 GB in one row group, none is refused, and nothing is more than it was."""
    path = tmp_path / "a.parquet"
    heavy_file(path, [(200_000, 1_536)], kind=pa.float32(), value=bytes(4), codec="snappy")
    said, peak = peak_of(path)
    assert said == "200000"
    assert peak < 300_000_000


@pytest.mark.parametrize("lies", [False, True])
@pytest.mark.parametrize("kind", [pa.string(), pa.list_(pa.string())])
def test_long_texts_that_are_packed_well_behind_many_short_ones_come_some_at_a_time(tmp_path, kind, lies):
    """Less than may be in one batch, but far more than a run of this memory should hold."""
    path = tmp_path / "a.parquet"
    texts = [pa.array(["b"] * 200_000), *[pa.array(["a" * 1_000_000] * 100)] * 9]
    if pa.types.is_list(kind):
        texts = [pa.ListArray.from_arrays(pa.array(range(len(each) + 1), pa.int32()), each) for each in texts]
    data = written(
        pa.table({"x": pa.chunked_array(texts)}), compression="zstd", use_dictionary=False, row_group_size=300_000
    )
    path.write_bytes(with_footer(data, {NBYTES: i64(2_000_000)} if lies else {}))
    assert path.stat().st_size < 100_000
    said, peak = peak_of(path)
    assert said == "200900"
    assert peak < 500_000_000

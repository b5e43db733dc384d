"""Small files of the kernel hold what Arrow's would, and Snappy as it is packed here is Snappy."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamframe.formats.parquet.encoding import ParquetEncoding
from streamframe.formats.parquet.file_writer import FileFrame
from streamframe.formats.parquet.options import ParquetOptions
from streamframe.formats.parquet.small_files import kernel_for
from streamframe.native.parquet_small import SmallParquet
from tests.native.test_csv_kernel import EXAMPLES
from tests.native.test_parquet_write_kernel import KNOWN, OTHERS, batches, read, same


def kernel(schema: pa.Schema, compression: str = "snappy", **options: Any) -> SmallParquet | None:
    chosen = ParquetOptions(**options)
    for_arrow = {"compression": compression, **chosen.for_writer(schema)}
    return kernel_for(schema, for_arrow, chosen, FileFrame(schema, {}, for_arrow))


def made(rows: pa.RecordBatch, ends: Sequence[int], compression: str = "snappy", **options: Any) -> list[bytes]:
    """Return the files of the kernel, which may refuse none."""
    files = kernel(rows.schema, compression, **options)
    assert files is not None
    found = []
    for file in files.of(rows, ends):
        assert file is not None
        found.append(file.to_pybytes())
    return found


@settings(max_examples=EXAMPLES, deadline=None)
@given(batches(KNOWN), st.sampled_from(["snappy", "none"]), st.data())
def test_arrow_reads_each_file_and_its_bounds(
    rows: list[pa.RecordBatch], compression: str, data: st.DataObject
) -> None:
    whole = pa.concat_batches(rows)
    ends = data.draw(st.lists(st.integers(1, max(1, whole.num_rows)), unique=True).map(sorted))
    ends = [end for end in ends if end <= whole.num_rows]
    for file, (start, end) in zip(made(whole, ends, compression), pairwise([0, *ends]), strict=True):
        expected = pa.Table.from_batches([whole.slice(start, end - start)])
        assert same(read(pa.py_buffer(file)), expected)
        sink = pa.BufferOutputStream()
        pq.write_table(expected, sink)
        ours, arrows = (pq.read_metadata(pa.BufferReader(each)) for each in (file, sink.getvalue()))
        assert ours.schema.equals(arrows.schema)
        assert ours.metadata == arrows.metadata
        for place in range(len(whole.schema)):
            one, other = (each.row_group(0).column(place) for each in (ours, arrows))
            assert (one.physical_type, one.num_values, one.path_in_schema) == (
                other.physical_type, other.num_values, other.path_in_schema,
            )  # fmt: skip
            assert repr(one.statistics.to_dict() | {"distinct_count": 0}) == repr(
                other.statistics.to_dict() | {"distinct_count": 0}
            )


# Pieces that come again near and far, whole and in part, and others between them.
PATTERNS = st.lists(
    st.tuples(st.sampled_from([b"a", b"abc", bytes(range(60)), b"streamframe " * 9, b"\0" * 300]), st.integers(1, 90))
    | st.tuples(st.binary(min_size=1, max_size=70), st.integers(1, 2)),
    max_size=60,
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(PATTERNS)
def test_what_is_packed_here_others_unpack(pieces: list[tuple[bytes, int]]) -> None:
    value = b"".join(piece * count for piece, count in pieces)
    rows = pa.record_batch({"a": pa.array([value], pa.binary())})
    assert read(pa.py_buffer(made(rows, [1])[0]))["a"].to_pylist() == [value]


@pytest.mark.parametrize("length", [0, 15, 16, 17, 59, 60, 61, 255, 256, 257, 65_535, 65_536, 65_537, 300_000])
def test_lengths_that_are_spelled_in_another_way(length: int) -> None:
    """Bytes that nothing is found in, and ones that are the same all along."""
    never = bytes(functools.reduce(operator.xor, divmod(number * 40_503, 251)) % 256 for number in range(length))
    for value in (never, b"x" * length, (never[:700] + b"-" * 1300)[:length]):
        rows = pa.record_batch({"a": pa.array([value], pa.binary())})
        assert read(pa.py_buffer(made(rows, [1])[0]))["a"].to_pylist() == [value]


def test_what_repeats_is_packed_as_small_as_others_do() -> None:
    rows = pa.record_batch(
        {"a": [f"https://example.org/item/{number // 3}?page={number % 7}" for number in range(4000)]}
    )
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_batches([rows]), sink, use_dictionary=False)
    assert len(made(rows, [4000])[0]) < 1.2 * sink.getvalue().size


def test_many_rows_have_many_pages_and_full_dictionaries_an_end() -> None:
    count = 140_000
    rows = pa.record_batch(
        {
            "bits": pa.array([None if number % 5 == 0 else number % 3 == 0 for number in range(count)]),
            "often_then_never": [
                f"{number % 500:>60}" if number < 60_000 else f"{number:>60}" for number in range(count)
            ],
            "same": [7] * count,
        }
    )
    for file, (start, end) in zip(made(rows, [70_001, count]), pairwise([0, 70_001, count]), strict=True):
        assert read(pa.py_buffer(file)).equals(pa.Table.from_batches([rows.slice(start, end - start)]))


def test_others_read_them_too(tmp_path: Path) -> None:
    rows = pa.record_batch({"a": [1, None, 3] * 40, "b": ["x", "", None] * 40, "c": [0.5, None, -0.0] * 40})
    (tmp_path / "file.parquet").write_bytes(made(rows, [120])[0])
    expected = rows.to_pylist()
    assert pl.read_parquet(tmp_path / "file.parquet").to_dicts() == expected
    assert duckdb.read_parquet(str(tmp_path / "file.parquet")).to_arrow_table().to_pylist() == expected
    assert duckdb.sql(f"from '{tmp_path / 'file.parquet'}' where a = 3 and b is null").fetchall() != []


def test_a_flipped_bit_is_found_unless_nobody_wants_checksums() -> None:
    rows = pa.record_batch({"a": list(range(1000))})
    whole = made(rows, [1000], "none")[0]
    broken = bytearray(whole)
    broken[600] ^= 4
    with pytest.raises(OSError, match="CRC"):
        read(pa.py_buffer(bytes(broken)))
    assert len(made(rows, [1000], "none", page_checksums=False)[0]) < len(whole)


def test_statistics_are_of_the_columns_that_were_named() -> None:
    rows = pa.record_batch({"a": [1], "b": ["x" * 5000], "c": [2]})
    group = pq.read_metadata(pa.BufferReader(made(rows, [1], statistics=("b", "c"))[0])).row_group(0)
    assert [group.column(place).is_stats_set for place in range(3)] == [False, True, True]
    # A bound that long nobody wants in a footer.
    assert [group.column(place).statistics.has_min_max for place in (1, 2)] == [False, True]


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()])
def test_a_bound_of_zero_takes_in_both_zeros(kind: pa.DataType) -> None:
    rows = pa.record_batch({"a": pa.array([0.0, 1.0], kind), "b": pa.array([-1.0, -0.0], kind)})
    group = pq.read_metadata(pa.BufferReader(made(rows, [2])[0])).row_group(0)
    assert repr(group.column(0).statistics.min) == "-0.0"
    assert repr(group.column(1).statistics.max) == "0.0"


def test_names_and_values_may_need_more_room_than_was_foreseen() -> None:
    names = [f"{number}" + "n" * 3000 for number in range(20)]
    rows = pa.record_batch({name: ["y" * 3000 + name[:2]] for name in names})
    assert read(pa.py_buffer(made(rows, [1])[0])).equals(pa.Table.from_batches([rows]))


@pytest.mark.parametrize("kind", OTHERS)
def test_what_the_kernel_does_not_know_it_leaves_to_arrow(kind: pa.DataType) -> None:
    assert kernel(pa.schema({"a": pa.int64(), "b": kind})) is None


@pytest.mark.parametrize(
    ("compression", "options"),
    [("zstd", {}), ("snappy", {"bloom_filters": ("a",)}), ("snappy", {"sorting_columns": (("a", "ascending"),)})],
)
def test_what_was_asked_for_beside_it_is_arrows_as_well(compression: str, options: dict[str, Any]) -> None:
    schema = pa.schema({"a": pa.int64()})
    assert kernel(schema, compression, **options) is None
    rows = pa.record_batch({"a": [1, 2, 2]})
    encoding = ParquetEncoding(compression, None, ParquetOptions(**options))
    files = [bytes(file) for file in encoding.small_files(schema, rows, [2, 3], ["x", "y"])]
    assert [read(pa.py_buffer(file))["a"].to_pylist() for file in files] == [[1, 2], [2]]

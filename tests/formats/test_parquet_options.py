"""What a user says about a Parquet file is what is in it, and what cannot be is refused at the call."""

from __future__ import annotations

import math

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import streamframe as sf

ROWS = pa.record_batch({"id": [1, 2, 3, 3], "tag": ["b", "a", None, "c"], "x": [1.0, 2.0, math.nan, None]})


def written(tmp_path, batch=ROWS, **options):
    sf.from_arrow(batch).to_parquet(tmp_path / "out.parquet", **options)
    return pq.ParquetFile(tmp_path / "out.parquet")


def test_statistics_are_of_the_columns_that_are_named(tmp_path):
    group = written(tmp_path, statistics=["id"]).metadata.row_group(0)
    assert group.column(0).statistics.max == 3
    assert not group.column(1).is_stats_set
    assert not written(tmp_path, statistics=False).metadata.row_group(0).column(0).is_stats_set


def test_a_flipped_bit_is_noticed_unless_checksums_are_declined(tmp_path):
    def damaged(*, page_checksums):
        path = tmp_path / "out.parquet"
        numbers = pa.record_batch({"id": pa.array(range(1000), pa.int64())})
        sf.from_arrow(numbers).to_parquet(path, compression=None, page_checksums=page_checksums)
        data = path.read_bytes()
        at = data.index((777).to_bytes(8, "little"))
        path.write_bytes(data[:at] + b"\xff" + data[at + 1 :])
        return sf.read_parquet(path)

    with pytest.raises(sf.DecodeError):
        damaged(page_checksums=True).to_arrow()
    assert damaged(page_checksums=False).count() == 1000


def test_metadata_stands_in_the_footer_beside_the_schema(tmp_path):
    file = written(tmp_path, metadata={"owner": "Zoë"})
    assert file.metadata.metadata[b"owner"] == "Zoë".encode()
    assert file.schema_arrow.names == ROWS.schema.names


def test_row_groups_are_as_large_as_asked_but_never_more_than_the_share_of_a_run(tmp_path):
    batches = [pa.record_batch({"n": pa.array(range(1000), pa.int64())})] * 100
    frame = sf.from_batches(batches)
    frame.to_parquet(tmp_path / "a.parquet", row_group_bytes="80kB")
    assert pq.ParquetFile(tmp_path / "a.parquet").num_row_groups == 10
    with sf.options(memory="1MB"):
        frame.to_parquet(tmp_path / "b.parquet", row_group_bytes="64MB")
    assert pq.ParquetFile(tmp_path / "b.parquet").num_row_groups >= 4


def test_a_level_compresses_harder(tmp_path):
    text = pa.record_batch({"t": [f"{i * 7919 % 10007} and more text {i % 13}" for i in range(20_000)]})
    sizes = [
        written(tmp_path, text, compression="zstd", compression_level=n).metadata.row_group(0).total_byte_size
        and (tmp_path / "out.parquet").stat().st_size
        for n in (1, 19)
    ]
    assert sizes[1] < sizes[0]


def test_a_bloom_filter_is_written_for_the_columns_that_are_named(tmp_path):
    written(tmp_path, bloom_filters=["id"])

    def excluded(column, value):
        probe = "select bloom_filter_excludes from parquet_bloom_probe(?, ?, ?)"
        with duckdb.connect() as connection:
            return connection.execute(probe, [str(tmp_path / "out.parquet"), column, value]).fetchone()[0]

    assert excluded("id", 1000)
    assert not excluded("id", 2)
    assert not excluded("tag", "never there")


def test_an_order_that_holds_is_declared_with_nan_and_null_last(tmp_path):
    nested = pa.array([{"a": 1, "b": 2}] * 4)
    batch = pa.record_batch({"nested": nested, "id": ROWS["id"], "x": ROWS["x"]})
    group = written(tmp_path, batch, sorting_columns=["id", "x"]).metadata.row_group(0)
    assert [group.column(key.column_index).path_in_schema for key in group.sorting_columns] == ["id", "x"]
    assert not any(key.descending or key.nulls_first for key in group.sorting_columns)
    written(tmp_path, sorting_columns="x")
    down = pa.record_batch({"x": [2.0, 1.0, math.nan, math.nan, None, None]})
    assert written(tmp_path, down, sorting_columns=[("x", "descending")]).metadata.row_group(0).sorting_columns


@pytest.mark.parametrize(
    ("values", "order", "row"),
    [
        ([1, 2, 2, 1], "ascending", 4),
        ([1, 2], "descending", 2),
        ([1, None, 2], "ascending", 3),
        ([1.0, math.nan, 0.0], "ascending", 3),
        ([None, math.nan], "descending", 2),
        (["a", "B"], "ascending", 2),
    ],
)
def test_a_row_that_breaks_the_declared_order_stops_the_export(tmp_path, values, order, row):
    whole = pa.record_batch({"x": values})
    for batches in ([whole], [whole.slice(i, 1) for i in range(len(values))]):
        with pytest.raises(sf.SinkError, match="'x' is") as caught:
            sf.from_batches(batches).to_parquet(tmp_path / "out.parquet", sorting_columns=[("x", order)])
        assert (caught.value.row, caught.value.column) == (row, "x")
    assert not list(tmp_path.iterdir())


def test_a_second_key_counts_among_equal_first_ones_only(tmp_path):
    good = pa.record_batch({"a": [1, 1, 2], "b": [1, 2, 0]})
    written(tmp_path, good, sorting_columns=["a", "b"])
    bad = pa.record_batch({"a": [1, 1, 2], "b": [2, 1, 0]})
    with pytest.raises(sf.SinkError) as caught:
        written(tmp_path, bad, sorting_columns=["a", "b"])
    assert (caught.value.row, caught.value.column) == (2, "b")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"compression_level": 3}, "'snappy' has no levels"),
        ({"compression": "zstd", "compression_level": 99}, r"compression_level needs a whole number of -\d+ to 22"),
        ({"compression": "gzip", "compression_level": True}, "compression_level"),
        ({"row_group_bytes": "much"}, "row_group_bytes='much' is not a size"),
        ({"statistics": 3}, "statistics needs names"),
        ({"page_checksums": "yes"}, "page_checksums needs True or False"),
        ({"sorting_columns": [("id", "up")]}, "sorting_columns needs names"),
        ({"sorting_columns": 3}, "sorting_columns needs names"),
        ({"bloom_filters": {"id": 1}}, "bloom_filters needs names"),
        ({"metadata": {"n": 1}}, "metadata needs a mapping of text to text"),
        ({"metadata": {"pandas": "x"}}, "belongs to the writer"),
    ],
)
def test_what_cannot_be_is_refused_at_the_call(tmp_path, options, message):
    def never():
        raise AssertionError("the run was started")

    with pytest.raises(sf.PlanError, match=message):
        sf.from_batches(never).to_parquet(tmp_path / "out.parquet", **options)


@pytest.mark.parametrize("argument", ["statistics", "sorting_columns", "bloom_filters"])
def test_a_column_that_is_not_there_is_named(tmp_path, argument):
    with pytest.raises(sf.ColumnNotFoundError, match="idd"):
        written(tmp_path, **{argument: ["idd"]})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("levels", [100, 400])
def test_columns_that_nobody_could_read_again_are_not_written(tmp_path, levels):
    kind = pa.int64()
    for _ in range(levels):
        kind = pa.list_(kind) if levels == 400 else pa.struct([("x", kind)])
    with pytest.raises(sf.SchemaError, match="Parquet cannot hold these columns"):
        sf.from_arrow(pa.table({"deep": pa.nulls(2, kind)})).to_parquet(tmp_path / "a.parquet")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [pa.decimal128(10, -2), pa.decimal128(5, 10), pa.list_(pa.decimal128(10, -2))])
def test_decimals_that_parquet_does_not_have_are_told_in_our_words(tmp_path, kind):
    with pytest.raises(sf.SchemaError, match="Parquet cannot hold these columns: Scale must be"):
        sf.from_arrow(pa.table({"odd": pa.nulls(2, kind)})).to_parquet(tmp_path / "a.parquet")
    assert not list(tmp_path.iterdir())

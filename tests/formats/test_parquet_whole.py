"""Small row groups are decoded together, and nobody can tell but by the number of batches."""

from __future__ import annotations

import gc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import streamframe as sf
from streamframe.native.kernels import library

ROWS_PER_GROUP = 500
GROUPS = 40
TABLE = pa.table(
    {
        "n": pa.array(range(ROWS_PER_GROUP * GROUPS)),
        "gap": pa.array([None if at % 7 == 0 else at / 3 for at in range(ROWS_PER_GROUP * GROUPS)]),
        # Other values in each row group: so are the dictionaries.
        "text": pa.array([None if at % 11 == 0 else f"{at // 800} {at % 5}" for at in range(ROWS_PER_GROUP * GROUPS)]),
        "long": pa.array(["x" * (at % 300) for at in range(ROWS_PER_GROUP * GROUPS)]),
        "list": pa.array([[at, None] * (at % 3) for at in range(ROWS_PER_GROUP * GROUPS)], pa.list_(pa.int64())),
    }
)
FLAT = ["n", "gap", "text", "long"]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "small.parquet"
    pq.write_table(TABLE, path, row_group_size=ROWS_PER_GROUP, write_page_checksum=True)
    return path


@pytest.mark.parametrize("columns", [FLAT, ["list", *FLAT], ["long"], ["list"]])
def test_the_rows_are_those_of_the_file_in_order(path, columns):
    assert sf.read_parquet(path, columns=columns).to_arrow().equals(TABLE.select(columns))


@pytest.mark.skipif(library() is None, reason="Arrow alone decodes row group by row group")
def test_small_row_groups_come_in_few_batches(path):
    assert sum(1 for _ in sf.read_parquet(path, columns=FLAT)) < GROUPS / 4


def test_groups_by_text_are_those_of_the_whole_file(path):
    made = sf.read_parquet(path).filter(sf.col("n") > 1_234).group_by("text").agg(total=("n", "sum")).to_arrow()
    expected = TABLE.filter(pa.compute.greater(TABLE["n"], 1_234)).group_by("text", use_threads=False)
    assert made.equals(expected.aggregate([("n", "sum")]).rename_columns(["text", "total"]).cast(made.schema))


def test_text_that_stays_encoded_on_its_way_to_a_file_is_the_same(path, tmp_path):
    sf.read_parquet(path, columns=FLAT).filter(sf.col("n") >= 0).to_parquet(tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").equals(TABLE.select(FLAT))


def damage(path, group):
    """Flip a byte of a row group's first column."""
    chunk = pq.read_metadata(path).row_group(group).column(0)
    with open(path, "r+b") as file:
        file.seek(chunk.dictionary_page_offset + chunk.total_compressed_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 0xFF]))


@pytest.mark.parametrize("group", [1, 7, GROUPS - 1])
def test_rows_before_a_damaged_row_group_come_and_the_error_names_it(path, group):
    damage(path, group)
    rows = 0
    with pytest.raises(sf.DecodeError, match=rf"row group {group} ") as caught:
        for batch in sf.read_parquet(path, columns=["n"]):
            rows += batch.num_rows
    assert rows == group * ROWS_PER_GROUP
    assert caught.value.source == str(path)


def test_what_was_decoded_before_a_damaged_row_group_is_let_go_without_a_collection(path):
    damage(path, 7)
    gc.collect()
    gc.disable()
    try:
        before = pa.total_allocated_bytes()
        with sf.read_parquet(path, columns=["n"]).iter_batches() as batches:
            rows = 0
            while rows < 7 * ROWS_PER_GROUP:
                rows += next(batches).num_rows
        assert pa.total_allocated_bytes() == before
    finally:
        gc.enable()


def test_resume_between_joined_row_groups_loses_and_repeats_nothing(path):
    frame = sf.read_parquet(path, columns=["n", "text"]).rebatch(rows=777)
    whole = [batch.to_pydict() for batch in frame]
    for stop in range(0, len(whole), 5):
        with frame.iter_batches() as batches:
            before = [next(batches).to_pydict() for _ in range(stop)]
            checkpoint = batches.checkpoint()
        after = [batch.to_pydict() for batch in frame.iter_batches(resume=checkpoint)]
        assert before + after == whole


def test_a_limit_reads_no_more_row_groups_than_it_takes(path):
    with sf.read_parquet(path, columns=["n"]).limit(10).iter_batches() as batches:
        assert sum(batch.num_rows for batch in batches) == 10
        assert batches.stats().bytes_read < path.stat().st_size / 10


def test_rows_without_columns_are_all_counted(path):
    """One worker: so the others are decoded when it is known that the first weighs nothing."""
    rows = ROWS_PER_GROUP * 3
    pq.write_table(TABLE.slice(0, rows), path, row_group_size=ROWS_PER_GROUP)
    with sf.options(workers=1):
        frame = sf.read_parquet(path)
        assert sum(batch.num_rows for batch in frame.select()) == rows
        assert frame.with_columns(k=sf.lit(1)).select("k").to_arrow().num_rows == rows


def test_rows_that_turn_out_heavy_come_in_batches_of_a_bounded_weight(tmp_path):
    """The footer knows of 100 kB: all rows have one text, and the first few have none."""
    path = tmp_path / "heavy.parquet"
    given = pa.table({"text": [""] * 50 + ["x" * 100_000] * 500, "n": range(550)})
    pq.write_table(given, path)
    with sf.options(memory="16MB"):
        batches = list(sf.read_parquet(path))
    assert pa.Table.from_batches(batches).equals(given)
    assert max(batch.get_total_buffer_size() for batch in batches) < 12_000_000

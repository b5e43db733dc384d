"""Text that is read for grouping stays encoded; nobody can tell, but by the time it takes."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import streamframe as sf

ROWS = 20_000


@pytest.fixture
def path(tmp_path):
    """Row groups of both kinds: `town` has few values in most of them, and in one too many to stay encoded."""
    data = pa.table(
        {
            "id": range(ROWS),
            "town": [
                None if i % 13 == 0 else f"town number {i}" if 5_000 <= i < 10_000 else "ABCDE"[i // 1_000 % 5]
                for i in range(ROWS)
            ],
        }
    )
    pq.write_table(data, tmp_path / "towns.parquet", row_group_size=5_000)
    return tmp_path / "towns.parquet"


def by_town(frame):
    return frame.group_by("town").agg(n=sf.count(), last=("id", "max"))


PLANS = {
    "at once": by_town,
    "behind a filter": lambda frame: by_town(frame.filter(sf.col("id") % 3 > 0)),
    "behind a filter of the key": lambda frame: by_town(frame.filter(sf.col("town") != "A")),
    "behind other columns": lambda frame: by_town(frame.with_columns(id=sf.col("id") * 2)),
    "and counted": lambda frame: frame.group_by("town").agg(n=("town", "count"), least=("town", "min")),
    "with another key": lambda frame: frame.group_by("town", sf.col("id") % 2).agg(n=sf.count()),
    "renamed": lambda frame: frame.rename({"town": "place"}).group_by("place").agg(n=sf.count()),
    "twice": lambda frame: by_town(frame).group_by("n").agg(towns=sf.count()),
}


@pytest.mark.slow
@pytest.mark.parametrize("memory", ["256MB", "1MB"])
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_groups_are_the_same_as_of_plain_text(path, plan, memory):
    with sf.options(memory=memory):
        made = plan(sf.read_parquet(path)).to_arrow()
        assert made.equals(plan(sf.from_arrow(pq.read_table(path))).to_arrow())


def test_a_function_of_the_user_is_handed_plain_text(path):
    seen = []
    frame = sf.read_parquet(path)
    by_town(frame.map_batches(lambda batch: seen.append(batch.schema) or batch, schema=frame.schema)).to_arrow()
    assert {schema.field("town").type for schema in seen} == {pa.string()}


def test_a_key_that_points_past_its_dictionary_is_an_error(tmp_path):
    data = pa.table({"town": ["A", "B", "C"] * 1_000})
    path = tmp_path / "damaged.parquet"
    pq.write_table(data, path, compression="none", data_page_version="1.0")
    whole = bytearray(path.read_bytes())
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(0)
    ends = chunk.dictionary_page_offset + chunk.total_compressed_size
    whole[ends - 1] = 0xFF  # four places of two bits each: 3, 3, 3, 3
    path.write_bytes(whole)
    with pytest.raises(sf.DecodeError, match="row group 0 cannot be decoded"):
        sf.read_parquet(path).group_by("town").agg(n=sf.count()).to_arrow()

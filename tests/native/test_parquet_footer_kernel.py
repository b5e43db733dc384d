"""The kernel finds in a footer what Arrow finds in it, or says that it is not sure."""

from __future__ import annotations

import ctypes
import io
import random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamframe.formats.parquet.chunks import Chunk
from streamframe.native.parquet_footer import AS_INTEGERS, facts_of, without_row_groups
from tests.native.test_csv_kernel import EXAMPLES

TABLE = pa.table(
    {
        "n": pa.array([None if i % 7 == 0 else i * i - 50 for i in range(300)]),
        "small": pa.array([i % 9 - 4 for i in range(300)], pa.int32()),
        "text": [f"{i % 5}" * (i % 20) for i in range(300)],
        "list": [[i, None] if i % 3 else None for i in range(300)],
        "struct": [{"a": i, "b": "x"} for i in range(300)],
        "flag": [i % 2 == 0 for i in range(300)],
        "real": [i / 3 for i in range(300)],
        "nothing": pa.nulls(300, pa.int64()),
    }
)
WRITING: list[dict[str, Any]] = [
    {},
    {"compression": "zstd", "row_group_size": 70},
    {"use_dictionary": False, "compression": "none"},
    {"write_statistics": False, "row_group_size": 1},
    {"data_page_version": "2.0", "store_schema": False},
    {"write_page_index": True, "sorting_columns": [pq.SortingColumn(0)], "compression": "gzip"},
    {"bloom_filter_options": {"n": True}},
]


def footer_of(**writing: Any) -> tuple[bytes, pq.FileMetaData, list[str]]:
    file = io.BytesIO()
    pq.write_table(TABLE, file, **writing)
    data = file.getvalue()
    metadata = pq.read_metadata(pa.BufferReader(data))
    types = [metadata.schema.column(leaf).physical_type for leaf in range(metadata.num_columns)]
    return data[-8 - int.from_bytes(data[-8:-4], "little") : -8], metadata, types


@pytest.mark.parametrize("writing", WRITING, ids=str)
def test_the_chunks_are_those_that_arrow_tells(writing):
    footer, metadata, types = footer_of(**writing)
    found = facts_of(footer, metadata.num_row_groups, types)
    assert found is not None
    assert found.rows == [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    for group in range(metadata.num_row_groups):
        for leaf, facts in enumerate(found.chunks(group, range(len(types)))):
            arrow = metadata.row_group(group).column(leaf)
            assert Chunk.of_facts(facts) == Chunk.of_arrow(arrow)
            assert bool(facts.bounds) == bool(arrow.is_stats_set and arrow.statistics.has_min_max)
            if types[leaf] in ("INT32", "INT64") and facts.bounds:
                assert facts.bounds == AS_INTEGERS
                assert (facts.least, facts.most) == (arrow.statistics.min, arrow.statistics.max)


@pytest.mark.parametrize("writing", WRITING, ids=str)
def test_a_footer_without_row_groups_tells_of_the_same_columns(writing):
    footer, metadata, _ = footer_of(**writing)
    found = without_row_groups(footer)
    assert found is not None
    alone, groups = found
    assert groups == metadata.num_row_groups
    made = pq.read_metadata(pa.BufferReader(b"PAR1" + alone + len(alone).to_bytes(4, "little") + b"PAR1"))
    assert made.num_row_groups == 0
    assert made.schema.equals(metadata.schema)
    assert made.schema.to_arrow_schema().equals(metadata.schema.to_arrow_schema(), check_metadata=True)


def test_a_footer_of_other_types_or_another_number_of_groups_is_left_to_arrow():
    footer, _, types = footer_of(row_group_size=100)
    assert facts_of(footer, 3, types) is not None
    assert facts_of(footer, 2, types) is None
    assert facts_of(footer, 4, types) is None
    assert facts_of(footer, 3, types[:-1]) is None
    assert facts_of(footer, 3, ["DOUBLE", *types[1:]]) is None


@pytest.mark.parametrize("writing", WRITING, ids=str)
def test_a_damaged_footer_is_read_or_left_to_arrow_and_nothing_behind_it_is_touched(writing):
    footer, metadata, types = footer_of(**writing)
    rng = random.Random(str(writing))
    for end in range(0, len(footer), 1 + len(footer) // 400):
        # In a room of its own, so that the compiler's checks see where it ends.
        cut = ctypes.create_string_buffer(footer[:end], max(1, end)).raw[:end]
        assert facts_of(cut, metadata.num_row_groups, types) is None
        assert without_row_groups(cut) is None
    for _ in range(EXAMPLES):
        damaged = bytearray(footer)
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(len(damaged))] = rng.choice([0, 0xFF, rng.randrange(256)])
        without_row_groups(bytes(damaged))
        found = facts_of(bytes(damaged), metadata.num_row_groups, types)
        groups = range(len(found.rows)) if found else ()
        for chunk in (chunk for group in groups for chunk in found.chunks(group, range(len(types)))):
            assert 0 <= Chunk.of_facts(chunk).start <= Chunk.of_facts(chunk).end < 1 << 62

"""The kernel keeps the rows that Arrow keeps."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamframe.native.filtering import filtered
from tests.native.test_csv_kernel import EXAMPLES
from tests.native.test_parquet_write_kernel import KNOWN, OTHERS, batches

MASK = st.lists(st.sampled_from([True, True, False]), max_size=200)


def same(one: pa.RecordBatch, other: pa.RecordBatch) -> bool:
    """Equality with NaN being NaN, which Arrow's is not."""
    return one.schema.equals(other.schema) and repr(one.to_pydict()) == repr(other.to_pydict())


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(batches({**KNOWN, **OTHERS}), st.data())
def test_it_keeps_what_arrow_keeps(rows: list[pa.RecordBatch], data: st.DataObject) -> None:
    batch = rows[0]
    skipped = data.draw(st.integers(0, 9))
    chosen = st.sampled_from([True, False, None]) if data.draw(st.booleans()) else st.booleans()
    drawn = data.draw(st.lists(chosen, min_size=batch.num_rows, max_size=batch.num_rows))
    mask = pa.array([True] * skipped + drawn, pa.bool_()).slice(skipped)
    made = filtered(batch, mask)
    made.validate(full=True)
    assert same(made, batch.filter(mask))


@settings(max_examples=EXAMPLES, deadline=None)
@given(MASK, st.sampled_from([1, 7, 64]), st.integers(0, 70))
def test_runs_of_any_length_are_kept(mask: list[bool], repeated: int, skipped: int) -> None:
    """Sixty-four rows are looked at together: all of them, none, or some may pass."""
    bits: list[Any] = [each for each in mask for _ in range(repeated)]
    rows = len(bits)
    batch = pa.record_batch(
        {
            "number": pa.array([None if row % 5 == 0 else row for row in range(rows + skipped)]),
            "small": pa.array([row % 100 for row in range(rows + skipped)], pa.int8()),
            "text": pa.array(
                [None if row % 7 == 0 else "é" * (row % 40) for row in range(rows + skipped)], pa.string()
            ),
            "true": pa.array([row % 3 == 0 for row in range(rows + skipped)], pa.bool_()),
        }
    ).slice(skipped)
    made = filtered(batch, pa.array(bits, pa.bool_()))
    made.validate(full=True)
    assert made.equals(batch.filter(pa.array(bits, pa.bool_())))


def test_what_passes_holds_no_more_than_it_needs() -> None:
    batch = pa.record_batch({"a": range(100_000), "b": ["x" * 10] * 100_000})
    made = filtered(batch, pc.less(batch["a"], 10))
    assert made.get_total_buffer_size() < 1000


def test_a_batch_that_passes_as_a_whole_is_not_copied() -> None:
    batch = pa.record_batch({"a": [1, 2, None]})
    assert filtered(batch, pa.array([True, True, True])) is batch

"""What is cut into other batches is held once."""

import pyarrow as pa
import pytest

import streamframe as sf

ROWS = 100_000
COLUMNS = 8
BATCH_BYTES = ROWS * COLUMNS * 8
HALF = pa.array(range(ROWS // 2), pa.int64())


@pytest.fixture
def pool():
    """What Arrow allocates while the test runs."""
    usual = pa.default_memory_pool()
    counted = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(counted)
    yield counted
    pa.set_memory_pool(usual)


def batches():
    return (pa.record_batch({f"n{at}": pa.concat_arrays([HALF, HALF]) for at in range(COLUMNS)}) for _ in range(8))


def test_while_a_batch_is_worked_on_what_it_was_made_of_is_gone(pool):
    with sf.from_batches(batches).rebatch(rows=4 * ROWS).iter_batches() as made:
        for _ in made:
            # The batch, and the last of the four it was made of.
            assert pool.bytes_allocated() < 5.5 * BATCH_BYTES


def test_batches_are_joined_without_holding_all_of_them_twice(pool):
    assert sum(batch.num_rows for batch in sf.from_batches(batches).rebatch(rows=4 * ROWS)) == 8 * ROWS
    # Four for the caller, who holds the batch before; four to be joined, and one column of these.
    assert pool.max_memory() < 10 * BATCH_BYTES

"""What is cut into other batches is held once."""

import pyarrow as pa

import streamframe as sf

ROWS = 100_000
BATCH_BYTES = ROWS * 8


def batches():
    return (pa.record_batch({"n": pa.array(range(ROWS), pa.int64())}) for _ in range(8))


def test_while_a_batch_is_worked_on_what_it_was_made_of_is_gone():
    before = pa.total_allocated_bytes()
    with sf.from_batches(batches).rebatch(rows=4 * ROWS).iter_batches() as made:
        for _ in made:
            held = pa.total_allocated_bytes() - before
            # The batch, and the last of the four it was made of.
            assert held < 5.5 * BATCH_BYTES

"""Reading ahead: bounded by bytes, in order, and gone when stopped."""

import threading

import pyarrow as pa
import pytest

from streamframe.batch import Mark
from streamframe.errors import DecodeError
from streamframe.plan.source import Block, BlockReader, Decoded
from streamframe.runtime.budget import Budget
from streamframe.runtime.decoding import Rejected, RowCounts
from streamframe.runtime.prefetch import Prefetch

BLOCK_BYTES = 8_000


class NumberBlock(Block):
    def __init__(self, number, fails=False):
        self.number = number
        self.nbytes = BLOCK_BYTES
        self.label = "numbers"
        self.fails = fails

    def decode(self):
        if self.fails:
            raise DecodeError("this block is bad", row=7)
        return Decoded(pa.record_batch({"n": pa.array([self.number] * 1000, pa.int64())}), 1000)

    def mark(self, rows):
        return Mark(0, self.number, rows)


class Numbers(BlockReader):
    """Scripted blocks; it tells how many were read and whether it was closed."""

    def __init__(self, count, bad=None, error=None, stalls_at=None):
        self.count, self.bad, self.error, self.stalls_at = count, bad, error, stalls_at
        self.read = 0
        self.closed = threading.Event()

    @property
    def bytes_read(self):
        return self.read * BLOCK_BYTES

    def next_bytes(self):
        return BLOCK_BYTES

    def next_block(self):
        if self.read == self.stalls_at:
            assert self.closed.wait(30), "nobody freed the stalled read"
            raise OSError("closed")
        if self.read == self.count:
            if self.error:
                raise self.error
            return None
        self.read += 1
        return NumberBlock(self.read - 1, fails=self.read - 1 == self.bad)

    def close(self):
        self.closed.set()


def prefetch(reader, limit_bytes=100_000, steps=()):
    return Prefetch(
        reader, steps, Budget(limit_bytes), workers=2, counts=RowCounts(Rejected(Mark())), grows=bool(steps)
    )


def test_batches_come_in_the_order_of_their_blocks():
    scan = prefetch(Numbers(200))
    assert [batch.data["n"][0].as_py() for batch in scan.batches()] == list(range(200))
    scan.close()


def test_marks_count_the_rows_before_them():
    scan = prefetch(Numbers(3))
    assert [batch.mark.rows for batch in scan.batches()] == [1000, 2000, 3000]
    scan.close()


def test_a_consumer_that_does_not_come_back_stops_the_reader_at_the_budget():
    reader = Numbers(10_000)
    scan = prefetch(reader, limit_bytes=10 * BLOCK_BYTES)
    batches = scan.batches()
    next(batches)
    while scan.waiting_on != "consumer":
        assert reader.read < 9, "the reader went beyond the budget"
    assert reader.read == 5
    scan.close()
    batches.close()


def test_the_peak_stays_under_the_limit():
    budget = Budget(10 * BLOCK_BYTES)
    scan = Prefetch(Numbers(500), (), budget, workers=2, counts=RowCounts(Rejected(Mark())), grows=False)
    assert sum(1 for _ in scan.batches()) == 500
    scan.close()
    assert budget.peak_bytes <= 10 * BLOCK_BYTES
    assert budget.held_bytes == 0


def test_what_steps_make_heavier_is_foreseen():
    """Twelve blocks fit, and became fifty times as heavy before anybody looked."""

    def wide(batch):
        return pa.record_batch({f"n{place}": pa.array([1] * 1000, pa.int64()) for place in range(50)})

    budget = Budget(100_000)
    scan = Prefetch(Numbers(30), [wide], budget, workers=2, counts=RowCounts(Rejected(Mark())), grows=True)
    assert sum(1 for _ in scan.batches()) == 30
    scan.close()
    assert budget.peak_bytes <= 2 * 50 * BLOCK_BYTES


def test_a_read_that_stalls_is_freed_by_stopping():
    reader = Numbers(10, stalls_at=3)
    scan = prefetch(reader)
    batches = scan.batches()
    next(batches)
    scan.close()
    assert reader.closed.is_set()
    assert not scan._thread.is_alive()


def test_dropping_the_batches_stops_the_threads_without_waiting():
    reader = Numbers(10_000)
    scan = prefetch(reader)
    batches = scan.batches()
    next(batches)
    del batches
    assert reader.closed.is_set()
    scan._thread.join(5)
    assert not scan._thread.is_alive()


def test_the_error_of_a_block_names_the_row_within_the_whole_part():
    scan = prefetch(Numbers(10, bad=4))
    received = []
    with pytest.raises(DecodeError) as raised:
        received.extend(scan.batches())
    scan.close()
    assert raised.value.row == 4 * 1000 + 7
    assert raised.value.source == "numbers"


def test_batches_before_a_bad_block_still_arrive():
    scan = prefetch(Numbers(10, bad=4))
    received = []
    with pytest.raises(DecodeError):
        for batch in scan.batches():
            received.append(batch)
    scan.close()
    assert len(received) == 4


def test_the_readers_error_arrives_after_what_it_had_read():
    scan = prefetch(Numbers(3, error=OSError("unplugged")))
    received = []
    with pytest.raises(OSError, match="unplugged"):
        for batch in scan.batches():
            received.append(batch)
    scan.close()
    assert len(received) == 3


def test_steps_are_applied_to_every_batch_and_empty_results_are_left_out():
    scan = prefetch(Numbers(6), steps=[lambda batch: batch.slice(0, batch["n"][0].as_py() % 2)])
    assert [batch.data["n"].to_pylist() for batch in scan.batches()] == [[1], [3], [5]]
    scan.close()

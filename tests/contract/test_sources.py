"""Every source: lazy, exact, bounded, replayable, and gone when the consumer goes."""

import threading

import pytest

import streamframe as sf
from tests.contract.parts import SOURCES, table


@pytest.fixture(params=sorted(SOURCES))
def source(request, tmp_path):
    """Make a frame of this source over a table."""
    return lambda data: SOURCES[request.param](tmp_path, data)


def our_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("streamframe")]


@pytest.mark.slow
def test_a_source_streams_exactly_the_rows_of_its_data_in_order(source):
    data = table()
    assert source(data).to_arrow().to_pylist() == data.to_pylist()


def test_a_second_run_gives_the_same_rows(source):
    frame = source(table(500))
    assert frame.to_arrow().equals(frame.to_arrow())


@pytest.mark.slow
def test_the_schema_is_that_of_every_batch(source):
    frame = source(table())
    schema = frame.schema
    assert all(batch.schema.equals(schema) for batch in frame)


def test_a_repr_and_a_plan_start_nothing(source):
    frame = source(table(10)).filter(sf.col("id") > 3).limit(2)
    assert "filter(col('id') > 3)" in repr(frame)
    assert "limit(2)" in frame._repr_html_()
    assert "as run" in str(frame.explain())
    assert not our_threads()


@pytest.mark.slow
def test_closing_after_the_first_batch_leaves_no_thread(source):
    with sf.options(memory="1MB"), source(table()).iter_batches() as batches:
        next(batches)
    assert not our_threads()


@pytest.mark.slow
def test_breaking_out_stops_the_threads(source):
    for _batch in source(table()):
        break
    for thread in our_threads():
        thread.join(5)
    assert not our_threads()


@pytest.mark.slow
def test_an_error_in_the_loop_stops_the_threads(source):
    with pytest.raises(RuntimeError, match="mine"):
        for _batch in source(table()):
            raise RuntimeError("mine")
    for thread in our_threads():
        thread.join(5)
    assert not our_threads()


@pytest.mark.slow
def test_what_is_held_stays_under_the_limit(source):
    with sf.options(memory="1MB"), source(table(40_000)).iter_batches() as batches:
        rows = sum(batch.num_rows for batch in batches)
        stats = batches.stats()
    assert rows == 40_000
    # One block may turn out larger than foretold after it was let in.
    assert stats.peak_bytes <= 1_500_000
    assert stats.bytes_buffered == 0


@pytest.mark.slow
def test_only_rows_are_counted_where_no_column_is_needed(source):
    assert source(table()).count() == table().num_rows


def test_head_reads_the_first_rows_only(source):
    frame = source(table())
    assert frame.head(3)["id"].tolist() == [0, 1, 2]
    assert frame.head(0).empty

"""A run that goes on from a checkpoint gives the rest of the rows, wherever the checkpoint was taken."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sqlite3
import subprocess
import sys

import pyarrow as pa
import pytest

import streamframe as sf
from streamframe.testing import page, serve
from tests.contract.parts import SOURCES, TRANSFORMS, csv_bytes, ndjson_bytes, parquet_bytes, table

ROWS = 40_000
# Plans whose steps count, one above the other, each on a frame of `table`.
PLANS = {
    "filter": lambda frame: frame.filter(sf.col("late")).select("id"),
    "limit": lambda frame: frame.limit(17_001),
    "slice of a filter": lambda frame: frame.filter(sf.col("late")).slice(1_500, 9_000),
    "filter of a slice": lambda frame: frame.slice(20_000, 9_000).filter(sf.col("late")),
    "rebatch": lambda frame: frame.rebatch(rows=777),
    "rebatch by bytes": lambda frame: frame.rebatch(nbytes=30_000),
    "limit of a rebatch": lambda frame: frame.rebatch(rows=1_001).limit(15_555).rebatch(rows=100),
    "rebatch of a slice of a rebatch": lambda frame: frame.rebatch(rows=700).slice(123, 20_000).rebatch(rows=1_900),
    "sample": lambda frame: frame.sample(0.3, seed=1),
    "sample of a filter": lambda frame: frame.filter(sf.col("late")).sample(0.5).rebatch(rows=701),
    "shuffle": lambda frame: frame.shuffle(3_001),
    "shuffle of a sample of a slice": lambda frame: frame.slice(500, 30_000).sample(0.9).shuffle(777).limit(20_000),
    "rebatch of a shuffle": lambda frame: frame.shuffle(2_000).rebatch(rows=500).limit(30_000),
    "rebatch of a rebatch": lambda frame: frame.rebatch(rows=3_000).rebatch(rows=700).rebatch(rows=90),
    "sample of a shuffle": lambda frame: frame.shuffle(2_000, seed=2).sample(0.2, seed=2),
    "row numbers": lambda frame: frame.with_columns(row=sf.source("row")).filter(sf.col("row") % 3 == 0),
    "function": lambda frame: frame.map_batches(lambda batch: batch.slice(0), name="as it is"),
    "concat of rebatched": lambda frame: sf.concat([frame.rebatch(rows=900).limit(2_000), frame.rebatch(rows=1_100)]),
    "concat": lambda frame: sf.concat([frame.limit(7_000), frame.slice(30_000), frame.limit(10)]).rebatch(rows=999),
}


def resumed_everywhere(frame, rows, iterate=lambda frame, resume: frame.iter_batches(resume=resume), least=2):
    """Check that the rest is right behind every batch, some of them by way of JSON; return how many there were."""
    count, done = 0, 0
    with sf.options(memory="1MB"), iterate(frame, None) as batches:
        for batch in batches:
            done += batch.num_rows
            count += 1
            checkpoint = batches.checkpoint()
            assert checkpoint.rows == done
            if count <= 4 or count % 7 == 0:
                with iterate(frame, checkpoint.to_json()) as rest:
                    found = [row for batch in rest for row in batch.to_pylist()]
                    assert found == rows[done:]
                    assert rest.checkpoint().rows == len(rows)
        assert list(iterate(frame, batches.checkpoint())) == []
    assert (done, count >= least) == (len(rows), True)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(SOURCES) - {"lines", "sql"}))
def test_every_source_goes_on_behind_any_batch(tmp_path, name):
    data = table(12_000)
    resumed_everywhere(SOURCES[name](tmp_path, data), data.to_pylist(), least=1)


@pytest.mark.parametrize("name", sorted(set(TRANSFORMS) - {"GroupBy", "MapBatches", "MapPandas", "Tee"}))
def test_every_transform_goes_on_behind_any_batch(tmp_path, name):
    frame = TRANSFORMS[name][0](sf.from_arrow(table(9_000)))
    resumed_everywhere(frame, frame.to_arrow().to_pylist(), least=1)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["csv", "ndjson"])
def test_places_of_records_go_on_behind_any_batch(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes({"csv": csv_bytes, "ndjson": ndjson_bytes}[suffix](table(ROWS)))
    frame = sf.read(path).select("id", sf.source("byte_offset"), sf.source("row"))
    resumed_everywhere(frame, frame.to_arrow().to_pylist())


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_steps_that_count_go_on_where_they_were(tmp_path, name, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes({"csv": csv_bytes, "parquet": parquet_bytes}[suffix](table(ROWS)))
    frame = PLANS[name](sf.read(path))
    resumed_everywhere(frame, frame.to_arrow().to_pylist())


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("batches_each", [1, 2, 3])
def test_what_went_on_goes_on_again_and_again(tmp_path, name, batches_each):
    """Each run hands over a few batches, and the next one goes on behind them: nothing is lost or repeated."""
    path = tmp_path / "a.parquet"
    path.write_bytes(parquet_bytes(table(ROWS), 3_000))
    frame = PLANS[name](sf.read(path))
    rows, checkpoint = [], None
    while True:
        with frame.iter_batches(resume=checkpoint) as batches:
            checkpoint = batches.checkpoint()  # also before its first batch
            some = list(itertools.islice(batches, batches_each))
            if not some:
                break
            rows += [row for batch in some for row in batch.to_pylist()]
            checkpoint = batches.checkpoint()
    assert rows == frame.to_arrow().to_pylist()


def test_a_checkpoint_may_be_taken_within_a_batch_that_goes_row_by_row(tmp_path):
    frame = sf.from_arrow(table(3_000)).filter(sf.col("late"))
    rows = frame.to_arrow().to_pylist()
    with frame.iter_rows() as some:
        assert [next(some) for _ in range(333)] == rows[:333]
        checkpoint = some.checkpoint()
    rest = [row for batch in frame.iter_batches(100, resume=None) for row in batch.to_pylist()]
    assert rest == rows
    assert [row for batch in frame.iter_batches(resume=checkpoint) for row in batch.to_pylist()] == rows[333:]


def test_before_the_first_batch_and_behind_the_last_there_is_a_checkpoint_too():
    frame = sf.from_arrow({"a": [1, 2]})
    with frame.iter_batches() as batches:
        first = batches.checkpoint()
        assert sum(batch.num_rows for batch in batches) == 2
        last = batches.checkpoint()
    assert [batch.num_rows for batch in frame.iter_batches(resume=first)] == [2]
    assert list(frame.iter_batches(resume=last)) == []
    for spelled in (first.to_json(), first.to_json().encode(), json.loads(first.to_json())):
        assert [batch.num_rows for batch in frame.iter_batches(resume=spelled)] == [2]


def test_another_process_goes_on(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(csv_bytes(table(ROWS)))
    with sf.options(memory="1MB"), sf.read_csv(path).filter(sf.col("late")).iter_batches(500) as batches:
        done = sum(next(batches).num_rows for _ in range(11))
        (tmp_path / "checkpoint.json").write_text(batches.checkpoint().to_json())
    code = (
        "import sys, streamframe as sf\n"
        "frame = sf.read_csv(sys.argv[1]).filter(sf.col('late'))\n"
        "rest = frame.iter_batches(500, resume=open(sys.argv[2]).read())\n"
        "print(sum(batch.num_rows for batch in rest))"
    )
    command = [sys.executable, "-c", code, str(path), str(tmp_path / "checkpoint.json")]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done + int(ran.stdout) == sum(table(ROWS)["late"].to_pylist())


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_what_lies_before_is_not_read_again(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    data = table(60_000)
    path.write_bytes(csv_bytes(data) if suffix == "csv" else parquet_bytes(data, 3_000))
    with sf.options(memory="2MB"):
        with sf.read(path).iter_batches() as batches:
            while batches.stats().rows < 50_000:
                next(batches)
            checkpoint = batches.checkpoint()
            left = 60_000 - batches.stats().rows
        with sf.read(path).iter_batches(resume=checkpoint) as rest:
            assert sum(batch.num_rows for batch in rest) == left
            # The start is looked at anew, to know the columns.
            assert rest.stats().bytes_read < path.stat().st_size * 0.4


def test_rows_in_errors_count_from_the_start_of_the_file(tmp_path):
    lines = [str(n) for n in range(100_000)]
    lines[90_000] = "late"
    (tmp_path / "a.csv").write_text("n\n" + "\n".join(lines) + "\n")
    frame = sf.read_csv(tmp_path / "a.csv", dtype={"n": "int64"})
    with sf.options(memory="1MB"):
        with frame.iter_batches() as batches:
            next(batches)
            checkpoint = batches.checkpoint()
        with pytest.raises(sf.DecodeError) as caught:
            list(frame.iter_batches(resume=checkpoint))
    assert caught.value.row == 90_001


def test_a_page_goes_on_and_a_page_that_has_changed_is_told():
    data = csv_bytes(table(20_000))
    with serve(page(data)) as url, sf.options(memory="1MB"):
        frame = sf.read_csv(f"{url}/a.csv?key=geheim")
        with frame.iter_batches() as batches:
            done = next(batches).num_rows
            checkpoint = batches.checkpoint()
        assert sum(batch.num_rows for batch in frame.iter_batches(resume=checkpoint)) == 20_000 - done
    assert "geheim" not in checkpoint.to_json()


def checkpoint_of(frame):
    with frame.iter_batches() as batches:
        next(batches)
        return batches.checkpoint()


def test_a_plan_that_has_changed_is_told_by_its_step(tmp_path):
    frame = sf.from_arrow({"a": [1, 2, 3]})
    checkpoint = checkpoint_of(frame.filter(sf.col("a") > 1))
    with pytest.raises(sf.ResumeError, match=r"step 2 has changed.*> 1.*> 2"):
        list(frame.filter(sf.col("a") > 2).iter_batches(resume=checkpoint))
    with pytest.raises(sf.ResumeError, match=r"step 3 has changed: it was nothing"):
        list(frame.filter(sf.col("a") > 1).limit(1).iter_batches(resume=checkpoint))


def test_a_file_that_has_changed_is_told(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a\n1\n2\n")
    checkpoint = checkpoint_of(sf.read_csv(path))
    assert list(sf.read_csv(path).iter_batches(resume=checkpoint)) == []
    with pytest.raises(sf.ResumeError, match=r"step 1 has changed.*sep=';'"):
        list(sf.read_csv(path, sep=";").iter_batches(resume=checkpoint))
    path.write_text("a\n1\n2\n3\n")
    os.utime(path, (1, 1))
    with pytest.raises(sf.ResumeError, match=r"source 1 has changed.*6 bytes.*8 bytes"):
        list(sf.read_csv(path).iter_batches(resume=checkpoint))


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (sf.from_arrow({"a": [1]}).group_by("a").agg(n=sf.count()), "group_by"),
        (sf.from_arrow({"a": [1]}).map_batches(lambda batch: batch), "name="),
        (sf.from_batches(iter([pa.record_batch({"a": [1]})])), "from_batches"),
    ],
)
def test_what_cannot_go_on_in_the_middle_is_named(frame, told):
    with frame.iter_batches() as batches:
        next(batches)
        with pytest.raises(sf.PlanError, match=told):
            batches.checkpoint()


def test_a_query_cannot_go_on_since_no_two_runs_need_agree():
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        batches = sf.read_sql("select 1 as a", connection).iter_batches()
        next(batches)
        with pytest.raises(sf.PlanError, match=r"read_sql(.|\n)*write them to Parquet"):
            batches.checkpoint()
        batches.close()


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"streamframe": 1}', '{"streamframe": 2}', "x" * 100])
def test_what_is_no_checkpoint_is_refused(text):
    with pytest.raises(sf.ResumeError):
        sf.from_arrow({"a": [1]}).iter_batches(resume=text)


def test_a_checkpoint_is_small_and_plain():
    checkpoint = checkpoint_of(sf.from_arrow({"a": [1, 2, 3]}).filter(sf.col("a") > 0))
    found = json.loads(checkpoint.to_json())
    assert found["plan"][1:] == ["filter(col('a') > 0)"]
    assert len(checkpoint.to_json()) < 500
    assert sf.Checkpoint.from_json(checkpoint.to_json()) == checkpoint

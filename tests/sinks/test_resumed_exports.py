"""An export that was stopped goes on behind what is complete: no row is missing and none is there twice."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import os
import random
import signal
from pathlib import Path

import duckdb
import fsspec
import polars as pl
import pyarrow as pa
import pytest
from fsspec.implementations.memory import MemoryFileSystem

import streamframe as sf
from streamframe.sinks import open_partitions
from streamframe.testing import in_turn, page, serve
from tests.contract.parts import csv_bytes, table
from tests.sinks.children import printed_by
from tests.sinks.killing import state

ROWS = 9_000
SUFFIXES = {"to_parquet": "parquet", "to_csv": "csv", "to_ndjson": "ndjson", "to_ipc": "arrow", "to_orc": "orc"}


def ids_of(out: Path | str, suffix: str) -> list[int]:
    return [
        row["id"] for path in sorted(Path(out).rglob(f"*.{suffix}")) for row in sf.read(path).select("id").iter_rows()
    ]


def killed_chains(folder: Path, verb: str, how: str, seeds: list[int]) -> int:
    """Check what comes out of chains of kills; return how many kills there were."""
    (folder / "rows.csv").write_bytes(csv_bytes(table(ROWS)))
    lines = printed_by("resuming", folder, verb, how, *seeds, timeout_s=900)
    kills = 0
    for seed, line in zip(seeds, lines, strict=True):
        count, *stray = line.split()
        assert stray == [], seed
        ids = ids_of(folder / f"chain-{seed}" / "out", SUFFIXES[verb])
        wanted = [number for number in range(ROWS) if number % 7 != 3]
        assert (ids if how == "files" else sorted(ids)) == wanted, seed
        kills += int(count)
    return kills


@pytest.mark.slow
@pytest.mark.parametrize("how", ["files", "folders"])
@pytest.mark.parametrize("verb", ["to_parquet", "to_csv"])
def test_an_export_that_is_killed_again_and_again_has_each_row_once(tmp_path, verb, how):
    assert killed_chains(tmp_path, verb, how, [random.randrange(1 << 20)]) > 0


@pytest.mark.soak
@pytest.mark.parametrize("how", ["files", "folders"])
@pytest.mark.parametrize("verb", ["to_parquet", "to_csv", "to_ndjson", "to_ipc"])
def test_many_chains_of_kills_lose_and_repeat_nothing(tmp_path, verb, how):
    assert killed_chains(tmp_path, verb, how, list(range(25))) > 25


class StoppedError(Exception):
    """What a function of the user's raises."""


def stops_at(frame, last: int):
    def stops(batch):
        if batch.num_rows and batch["id"][-1].as_py() >= last:
            raise StoppedError
        return batch

    return frame.map_batches(stops, name="checked")


def whole(frame):
    """The same plan by its names, whose function stops nowhere."""
    return frame.map_batches(lambda batch: batch, name="checked")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(csv_bytes(table(ROWS)))
    with sf.options(memory="1MB"):
        yield sf.read_csv(path)


@pytest.mark.parametrize("verb", SUFFIXES)
def test_what_was_complete_is_kept_and_not_written_again(tmp_path, source, verb):
    out = tmp_path / "out"
    with pytest.raises(StoppedError) as caught:
        getattr(stops_at(source, 6_000), verb)(out, resume=True, max_rows_per_file=500)
    assert "rows in" in caught.value.__notes__[-1]
    assert not out.exists()
    (kept,) = tmp_path.glob(".out.*")
    before = {path.name: path.stat().st_ino for path in kept.glob("part-*")}
    report = getattr(whole(source), verb)(out, resume=True, max_rows_per_file=500)
    assert report.rows == ROWS
    assert 3_000 < report.kept_rows == 500 * len(before)
    assert len(report.files) == ROWS / 500
    assert f"{report.kept_rows:,} of them before" in repr(report)
    assert before.items() <= {path.name: path.stat().st_ino for path in out.glob("part-*")}.items()
    assert ids_of(out, SUFFIXES[verb]) == list(range(ROWS))
    assert list(tmp_path.glob(".out.*")) == []


@pytest.mark.slow
def test_without_a_size_little_is_lost_files_grow_with_what_is_complete(tmp_path):
    frame = sf.from_arrow({"id": range(1_500_000)}).rebatch(rows=10_000).with_columns(text=sf.lit("x" * 160))
    with pytest.raises(StoppedError):
        stops_at(frame, 1_200_000).to_csv(tmp_path / "out", resume=True)
    report = whole(frame).to_csv(tmp_path / "out", resume=True)
    assert report.kept_rows > 0.85 * 1_200_000
    assert ids_of(tmp_path / "out", "csv") == list(range(1_500_000))
    sizes = [path.stat().st_size for path in sorted((tmp_path / "out").glob("*.csv"))]
    before = itertools.accumulate(sizes, initial=0)
    assert all(size <= max(8 << 20, complete / 16) for size, complete in zip(sizes, before, strict=False))
    assert max(sizes) > 9 << 20


def test_what_lies_before_the_position_is_not_read_again(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(csv_bytes(table(60_000)))
    with sf.options(memory="1MB"), pytest.raises(StoppedError):
        stops_at(sf.read_csv(path), 55_000).to_csv(tmp_path / "out", resume=True, max_rows_per_file=500)
    report = whole(sf.read_csv(path)).to_csv(tmp_path / "out", resume=True, max_rows_per_file=500)
    assert report.kept_rows > 50_000
    assert report.bytes_read < path.stat().st_size / 4


@pytest.mark.slow
def test_of_a_page_only_the_rest_is_asked_for(tmp_path):
    body = csv_bytes(table(60_000))
    requests = []
    with serve(page(body), requests) as url:
        frame = sf.read_csv(f"{url}/rows.csv")
        with sf.options(memory="1MB"), pytest.raises(StoppedError):
            stops_at(frame, 55_000).to_csv(tmp_path / "out", resume=True, max_rows_per_file=500)
        report = whole(frame).to_csv(tmp_path / "out", resume=True, max_rows_per_file=500)
    assert (report.rows, report.kept_rows > 50_000, ids_of(tmp_path / "out", "csv")) == (
        60_000,
        True,
        list(range(60_000)),
    )
    assert report.bytes_read < len(body) / 4
    assert requests[-1].range[0] > len(body) * 3 / 4


@pytest.mark.slow
def test_of_a_compressed_file_the_start_is_read_again_and_the_report_says_so(tmp_path):
    body = csv_bytes(table(60_000))
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(body, 1))
    frame = sf.read_csv(tmp_path / "rows.csv.gz")
    with sf.options(memory="1MB"), pytest.raises(StoppedError):
        stops_at(frame, 55_000).to_csv(tmp_path / "out", resume=True, max_rows_per_file=500)
    report = whole(frame).to_csv(tmp_path / "out", resume=True, max_rows_per_file=500)
    assert (report.rows, ids_of(tmp_path / "out", "csv")) == (60_000, list(range(60_000)))
    assert len(body) * 0.7 < report.bytes_again < len(body)
    assert "read again" in repr(report)


def test_a_page_that_has_changed_under_the_same_size_is_told(tmp_path):
    body = csv_bytes(table(60_000))
    with serve(in_turn(*[page(body)] * 2, page(body, etag='"v2"'))) as url:
        frame = sf.read_csv(f"{url}/rows.csv")
        with sf.options(memory="1MB"), pytest.raises(StoppedError):
            stops_at(frame, 55_000).to_csv(tmp_path / "out", resume=True, max_rows_per_file=500)
        with pytest.raises(sf.ResumeError, match=r'source 1 has changed.*"v1".*"v2"'):
            whole(frame).to_csv(tmp_path / "out", resume=True, max_rows_per_file=500)


def test_an_export_that_is_done_is_left_as_it_is(tmp_path, source):
    source.to_parquet(tmp_path / "out", resume=True, max_rows_per_file=4_000)
    done = state(tmp_path)
    report = source.to_parquet(tmp_path / "out", resume=True, max_rows_per_file=4_000)
    assert (report.rows, report.kept_rows, len(report.files)) == (ROWS, ROWS, 3)
    assert state(tmp_path) == done


def test_files_that_come_later_are_exported_behind_the_others(tmp_path):
    for number in range(2):
        (tmp_path / f"{number}.csv").write_text(f"id\n{number}\n")
    frame = sf.read_csv(tmp_path / "*.csv")
    frame.to_csv(tmp_path / "out", resume=True)
    (tmp_path / "2.csv").write_text("id\n2\n")
    report = frame.to_csv(tmp_path / "out", resume=True)
    assert (report.rows, report.kept_rows) == (3, 2)
    assert ids_of(tmp_path / "out", "csv") == [0, 1, 2]


def test_a_plan_or_a_source_that_has_changed_is_named_and_nothing_is_lost(tmp_path, source):
    out = tmp_path / "out"
    with pytest.raises(StoppedError):
        stops_at(source, 6_000).to_csv(out, resume=True, max_rows_per_file=500)
    kept = state(tmp_path)
    with pytest.raises(sf.ResumeError, match=r"step 2 has changed.*limit.*\n.*resume=True"):
        whole(source.limit(10)).to_csv(out, resume=True, max_rows_per_file=500)
    with pytest.raises(sf.ResumeError, match=r"written with format csv.*has parquet\n.*resume=True begins anew"):
        whole(source).to_parquet(out, resume=True, max_rows_per_file=500)
    with pytest.raises(sf.ResumeError, match=r"with partition_by \[\], .* \['carrier'\]\n.*resume=True begins anew"):
        whole(source).to_csv(out, resume=True, partition_by="carrier", mode="overwrite")
    whole_again = whole(source).to_csv(tmp_path / "elsewhere", resume=True, max_rows_per_file=500)
    assert whole_again.kept_rows == 0
    assert {name: data for name, data in state(tmp_path).items() if not name.startswith("elsewhere")} == kept
    with (tmp_path / "rows.csv").open("a") as file:
        file.write('9000,,"AA",true,,"x"\n')
    moment = r"changed at 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9} UTC"
    with pytest.raises(sf.ResumeError, match=rf"source 1 has changed.* bytes, {moment}, and is .* {moment}"):
        whole(source).to_csv(out, resume=True, max_rows_per_file=500)
    # Without resume, it begins anew, and clears what was kept.
    assert whole(source).to_csv(out, max_rows_per_file=500).rows == ROWS + 1
    assert list(tmp_path.glob(".out.*")) == []


def test_of_a_step_that_has_changed_the_words_that_differ_are_named(tmp_path, source):
    checkpoints = []
    for frame in (source, sf.read_csv(tmp_path / "rows.csv", dtype={"id": "int32"}, sep=";")):
        with frame.iter_batches() as batches, contextlib.suppress(sf.StreamError):
            checkpoints.append(batches.checkpoint())
    with pytest.raises(sf.ResumeError) as caught:
        list(sf.read_csv(tmp_path / "rows.csv", dtype={"id": "int32"}, sep=";").iter_batches(resume=checkpoints[0]))
    said = caught.value.message
    assert [word in said for word in ("sep=','", "sep=';'", "int32", "errors=")] == [True, True, True, False]
    assert len(said) < 250


def test_a_directory_of_another_plan_is_left_alone(tmp_path, source):
    source.limit(10).to_csv(tmp_path / "out", resume=True)
    done = state(tmp_path)
    with pytest.raises(sf.ResumeError, match=r"step 2 has changed(.|\n)*overwrite"):
        source.to_csv(tmp_path / "out", resume=True)
    source.limit(10).to_csv(tmp_path / "more", max_rows_per_file=5)
    with pytest.raises(sf.SinkError, match="holds files already"):
        source.limit(10).to_csv(tmp_path / "more", resume=True)
    assert {name: data for name, data in state(tmp_path).items() if not name.startswith("more")} == done


@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_old_files_stay_until_the_end_and_then_as_the_mode_says(tmp_path, source, mode):
    out = tmp_path / "out"
    source.limit(5).to_csv(out, max_rows_per_file=3)
    old = state(out)
    with pytest.raises(StoppedError):
        stops_at(source, 6_000).to_csv(out, resume=True, max_rows_per_file=500, mode=mode)
    assert state(out) == old
    report = whole(source).to_csv(out, resume=True, max_rows_per_file=500, mode=mode)
    assert (report.rows, report.kept_rows > 3_000) == (ROWS, True)
    before = list(range(5)) if mode == "append" else []
    assert sorted(ids_of(out, "csv")) == sorted([*before, *range(ROWS)])
    assert whole(source).to_csv(out, resume=True, max_rows_per_file=500, mode="append").kept_rows == ROWS


@pytest.mark.slow
@pytest.mark.parametrize("stopped", [1, 4_000, 8_999])
def test_folders_are_completed_now_and_then(tmp_path, source, monkeypatch, stopped):
    monkeypatch.setattr(open_partitions, "_SAVED_BYTES", 50_000)
    monkeypatch.setattr(open_partitions, "_WORTH_A_FILE_BYTES", 1)
    out = tmp_path / "out"
    with pytest.raises(StoppedError):
        stops_at(source, stopped).to_parquet(out, resume=True, partition_by=["carrier", "late"], max_open_files=2)
    report = whole(source).to_parquet(out, resume=True, partition_by=["carrier", "late"], max_open_files=2)
    assert (report.rows, report.kept_rows > 0) == (ROWS, stopped > 1)
    assert sorted(ids_of(out, "parquet")) == list(range(ROWS))


def test_peers_read_what_was_resumed_as_one(tmp_path, source):
    out = tmp_path / "out"
    with pytest.raises(StoppedError):
        stops_at(source, 6_000).to_parquet(out, resume=True, max_rows_per_file=500)
    whole(source).to_parquet(out, resume=True, max_rows_per_file=500)
    wanted = table(ROWS)["id"].to_pylist()
    assert pl.read_parquet(out / "*.parquet")["id"].to_list() == wanted
    found = duckdb.sql(f"select count(*), sum(id) from '{out}/*.parquet'").fetchall()
    assert found == [(ROWS, sum(wanted))]


def test_a_part_that_the_disk_has_lost_is_written_again(tmp_path, source):
    out = tmp_path / "out"
    with pytest.raises(StoppedError):
        stops_at(source, 6_000).to_csv(out, resume=True, max_rows_per_file=500)
    (kept,) = tmp_path.glob(".out.*/part-00003.csv")
    os.truncate(kept, 10)
    report = whole(source).to_csv(out, resume=True, max_rows_per_file=500)
    assert (report.kept_rows, ids_of(out, "csv")) == (0, list(range(ROWS)))


def test_a_store_goes_on_too_and_another_run_clears_what_was_kept(source):
    store = fsspec.filesystem("memory")
    MemoryFileSystem.store.clear()
    with pytest.raises(StoppedError):
        stops_at(source, 6_000).to_csv("memory://resumed/", resume=True, max_rows_per_file=500)
    report = whole(source).to_csv("memory://resumed/", resume=True, max_rows_per_file=500)
    assert (report.rows, report.kept_rows > 3_000) == (ROWS, True)
    names = sorted(path.rpartition("/")[2] for path in store.find("/resumed"))
    assert names == ["_streamframe.json", *(f"part-{number:05d}.csv" for number in range(18))]
    found = [row["id"] for row in sf.read_csv("memory://resumed/*.csv").iter_rows()]
    assert found == list(range(ROWS))
    with pytest.raises(StoppedError):
        stops_at(source, 6_000).to_csv("memory://other/", resume=True, max_rows_per_file=500)
    assert source.limit(3).to_csv("memory://other/", max_rows_per_file=3).files == ("memory://other/part-00000.csv",)
    assert len(store.find("/other")) == 2
    MemoryFileSystem.store.clear()


def test_ctrl_c_keeps_what_is_complete(tmp_path, source):
    def interrupts(batch):
        if batch["id"][-1].as_py() >= 6_000:
            signal.raise_signal(signal.SIGINT)
        return batch

    with pytest.raises(KeyboardInterrupt):
        source.map_batches(interrupts, name="checked").to_csv(tmp_path / "out", resume=True, max_rows_per_file=500)
    assert whole(source).to_csv(tmp_path / "out", resume=True, max_rows_per_file=500).kept_rows > 3_000


def test_the_manifest_says_what_was_read_and_how_far_without_secrets(tmp_path):
    with serve(page(csv_bytes(table(100)))) as url:
        sf.read_csv(f"{url}/a.csv?key=geheim").to_csv(tmp_path / "out", resume=True)
    text = (tmp_path / "out" / "_streamframe.json").read_text()
    last = json.loads(text)["last"]
    assert "a.csv" in last["source"][0]
    assert (last["rows"], "read_csv" in last["plan"][0], "geheim" in text) == (100, True, False)


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (sf.from_arrow({"a": [1]}).group_by("a").agg(n=sf.count()), "group_by"),
        (sf.from_arrow({"a": [1]}).map_batches(lambda batch: batch), "name="),
        (sf.from_batches(iter([pa.record_batch({"a": [1]})])), "from_batches"),
    ],
)
def test_a_plan_that_cannot_go_on_is_refused_before_anything_is_written(tmp_path, frame, told):
    with pytest.raises(sf.PlanError, match=told):
        frame.to_csv(tmp_path / "out", resume=True)
    assert list(tmp_path.iterdir()) == []

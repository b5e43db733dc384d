"""What cannot be read is in the file of rejects once, whichever run has found it."""

from __future__ import annotations

import random
from pathlib import Path

import duckdb
import pytest
from fsspec.implementations.memory import MemoryFileSystem

import streamframe as sf
from streamframe.sinks import kept_rejects, open_partitions
from tests.sinks.children import printed_by
from tests.sinks.killing import state
from tests.sinks.test_resumed_exports import SUFFIXES, StoppedError, ids_of

ROWS = 9_000


def is_bad(number: int) -> bool:
    return number % 5 == 2


def rows_csv(path: Path, start: int = 0, stop: int = ROWS) -> None:
    fares = ((each, "oops" if is_bad(each) else each / 4) for each in range(start, stop))
    lines = (
        f"{each},{fare},{'false' if each % 3 else 'true'},{'so that there are several blocks':50}"
        for each, fare in fares
    )
    path.write_text("\n".join(["id,fare,late,note", *lines]) + "\n")


BAD = [number for number in range(ROWS) if is_bad(number)]
GOOD = [number for number in range(ROWS) if not is_bad(number)]


def rejected(path: Path | str) -> list[int]:
    """The ids of what could not be read."""
    return [int(str(row["record"]).split(",")[0]) for row in sf.read(path).iter_rows()]


def killed_chains(folder: Path, verb: str, how: str, seeds: list[int]) -> int:
    rows_csv(folder / "rows.csv")
    lines = printed_by("resuming", folder, verb, how, *seeds, timeout_s=900)
    kills = 0
    for seed, line in zip(seeds, lines, strict=True):
        count, *stray = line.split()
        assert stray == [], seed
        chain = folder / f"chain-{seed}"
        assert sorted(ids_of(chain / "out", SUFFIXES[verb])) == [each for each in GOOD if each % 7 != 3], seed
        found = duckdb.sql(f"select cast(row as bigint) from read_ndjson('{chain}/rejects.ndjson')").fetchall()
        assert [row - 1 for (row,) in found] == BAD, seed
        kills += int(count)
    return kills


@pytest.mark.slow
@pytest.mark.parametrize("how", ["files, rejects", "folders, rejects"])
def test_an_export_that_is_killed_again_and_again_has_each_reject_once(tmp_path, how):
    assert killed_chains(tmp_path, "to_csv", how, [random.randrange(1 << 20)]) > 0


@pytest.mark.soak
@pytest.mark.parametrize("how", ["files, rejects", "folders, rejects"])
@pytest.mark.parametrize("verb", SUFFIXES)
def test_many_chains_of_kills_lose_and_repeat_no_reject(tmp_path, verb, how):
    assert killed_chains(tmp_path, verb, how, list(range(25))) > 25


@pytest.fixture
def source(tmp_path):
    rows_csv(tmp_path / "rows.csv")
    with sf.options(memory="1MB"):
        yield sf.read_csv(tmp_path / "rows.csv", dtype={"fare": "float64"}, errors="quarantine")


def stops_at(frame, last: int):
    def stops(batch):
        if batch.num_rows and batch["id"][-1].as_py() >= last:
            raise StoppedError
        return batch

    return frame.map_batches(stops, name="checked")


def whole(frame):
    return frame.map_batches(lambda batch: batch, name="checked")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rejects.csv", "rejects.parquet", "rejects.arrow"])
def test_what_earlier_runs_could_not_read_is_in_the_file_too(tmp_path, source, name):
    out, bad = tmp_path / "out", tmp_path / name
    for last in (3_000, 6_000):
        with pytest.raises(StoppedError):
            stops_at(source, last).to_parquet(out, resume=True, max_rows_per_file=500, rejects=bad)
        assert not bad.exists()
    report = whole(source).to_parquet(out, resume=True, max_rows_per_file=500, rejects=bad)
    assert (report.rows, report.kept_rows > 3_000, report.rejected) == (len(GOOD), True, len(BAD))
    assert ids_of(out, "parquet") == GOOD
    in_one_go = tmp_path / "in_one_go" / name
    in_one_go.parent.mkdir()
    whole(source).to_parquet(tmp_path / "whole", max_rows_per_file=500, rejects=in_one_go)
    assert list(sf.read(bad).iter_rows()) == list(sf.read(in_one_go).iter_rows())
    assert len(list(sf.read(bad).iter_rows())) == len(BAD)


def test_what_is_kept_of_rejects_is_no_data_to_anybody(tmp_path, source):
    source.to_ipc(tmp_path / "out", resume=True, rejects=tmp_path / "bad.parquet")
    assert (tmp_path / "out" / "_rejects").is_dir()
    assert sf.read_ipc(f"{tmp_path}/out/").count() == len(GOOD)
    source.to_parquet(tmp_path / "parquet", resume=True, rejects=tmp_path / "bad.parquet")
    assert sf.read_parquet(f"{tmp_path}/parquet/").count() == len(GOOD)
    assert duckdb.sql(f"select count(*) from '{tmp_path}/parquet/**/*.parquet'").fetchall() == [(len(GOOD),)]


def test_files_that_come_later_add_to_the_rejects(tmp_path):
    frame = sf.read_csv(tmp_path / "*.csv", dtype={"fare": "float64"}, errors="quarantine")
    out, bad = tmp_path / "out", tmp_path / "bad.parquet"
    for number in range(3):
        rows_csv(tmp_path / f"{number}.csv", number * 100, number * 100 + 100)
        # The second time, there is nothing to do; and what was lost of the file of rejects is there again.
        for _ in range(2):
            bad.unlink(missing_ok=True)
            report = frame.to_csv(out, resume=True, rejects=bad)
            seen = number * 100 + 100
            assert report.rejected == len([each for each in BAD if each < seen])
            assert [int(row["record"].split(b",")[0]) for row in sf.read(bad).iter_rows()] == BAD[: report.rejected]
            assert ids_of(out, "csv") == [each for each in GOOD if each < seen]
    assert len(list((out / "_rejects").iterdir())) == 1


@pytest.mark.parametrize("first", [True, False])
def test_a_run_with_rejects_goes_on_behind_one_with_them_only(tmp_path, source, first):
    out, bad = tmp_path / "out", {"rejects": tmp_path / "bad.csv"}
    with pytest.raises(StoppedError):
        stops_at(source, 6_000).to_csv(out, resume=True, max_rows_per_file=500, **(bad if first else {}))
    kept = state(tmp_path)
    with pytest.raises(sf.ResumeError, match=r"begun with(out)? rejects=.*\n.*without resume=True"):
        whole(source).to_csv(out, resume=True, max_rows_per_file=500, **({} if first else bad))
    assert state(tmp_path) == kept


def test_kept_rejects_that_were_changed_are_told(tmp_path, source):
    out, bad = tmp_path / "out", tmp_path / "bad.csv"
    with pytest.raises(StoppedError):
        stops_at(source, 6_000).to_csv(out, resume=True, max_rows_per_file=500, rejects=bad)
    (first, *_) = sorted(tmp_path.glob(".out.*/_rejects/*"))
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 1
    first.write_bytes(data)
    with pytest.raises(sf.SinkError, match="not what was written"):
        whole(source).to_csv(out, resume=True, max_rows_per_file=500, rejects=bad)


def test_folders_and_large_numbers_of_rejects_are_saved_in_several_files(tmp_path, source, monkeypatch):
    monkeypatch.setattr(open_partitions, "_SAVED_BYTES", 30_000)
    monkeypatch.setattr(open_partitions, "_WORTH_A_FILE_BYTES", 1)
    monkeypatch.setattr(kept_rejects, "_FILE_BYTES", 1)
    out, bad = tmp_path / "out", tmp_path / "bad.parquet"
    with pytest.raises(StoppedError):
        stops_at(source, 8_000).to_parquet(out, resume=True, partition_by="late", rejects=bad)
    assert len(list(tmp_path.glob(".out.*/_rejects/*"))) > 1
    report = whole(source).to_parquet(out, resume=True, partition_by="late", rejects=bad)
    assert report.kept_rows > 0
    assert sorted(ids_of(out, "parquet")) == GOOD
    assert sf.read(bad).select("row").to_arrow()["row"].to_pylist() == [each + 1 for each in BAD]


def test_a_store_keeps_rejects_too(tmp_path, source):
    MemoryFileSystem.store.clear()
    target, bad = "memory://resumed/", tmp_path / "bad.parquet"
    with pytest.raises(StoppedError):
        stops_at(source, 6_000).to_csv(target, resume=True, max_rows_per_file=500, rejects=bad)
    report = whole(source).to_csv(target, resume=True, max_rows_per_file=500, rejects=bad)
    assert (report.rows, report.kept_rows > 3_000) == (len(GOOD), True)
    assert sf.read(bad).select("row").to_arrow()["row"].to_pylist() == [each + 1 for each in BAD]
    assert [row["id"] for row in sf.read_csv("memory://resumed/*.csv").iter_rows()] == GOOD
    MemoryFileSystem.store.clear()

"""A Delta table gets one new version with all rows, or none."""

from __future__ import annotations

import os
import signal
import sys

import polars as pl
import pyarrow as pa
import pytest

import streamframe as sf
from tests.contract.parts import table

deltalake = pytest.importorskip("deltalake", reason="deltalake is not installed")


def version(path):
    return deltalake.DeltaTable(path).version()


def rows(path):
    return sf.from_arrow(deltalake.DeltaTable(path).to_pyarrow_table()).to_arrow().sort_by("id").to_pylist()


@pytest.fixture
def frame():
    return sf.from_arrow(table(3_000)).rebatch(rows=400)


def test_all_rows_are_one_version_that_others_read(tmp_path, frame):
    report = frame.to_delta(tmp_path / "t", partition_by="late")
    assert (report.rows, version(tmp_path / "t"), len(report.files)) == (3_000, 0, 2)
    assert report.bytes_written == sum(path.stat().st_size for path in tmp_path.rglob("*.parquet"))
    assert rows(tmp_path / "t") == table(3_000).to_pylist()
    assert sorted(pl.read_delta(str(tmp_path / "t"))["id"]) == list(range(3_000))
    assert sorted(os.listdir(tmp_path / "t")) == ["_delta_log", "late=false", "late=true"]


def test_a_table_that_is_there_is_left_or_added_to_or_replaced(tmp_path, frame):
    path = tmp_path / "t"
    frame.limit(10).to_delta(path)
    with pytest.raises(sf.SinkError, match=r"exists(.|\n)*mode="):
        frame.to_delta(path)
    assert version(path) == 0
    assert frame.slice(10, 5).to_delta(path, mode="append").rows == 5
    assert [row["id"] for row in rows(path)] == list(range(15))
    frame.limit(2).to_delta(path, mode="overwrite")
    assert (len(rows(path)), version(path)) == (2, 2)


@pytest.mark.parametrize("how", ["exception", "Ctrl-C"])
def test_a_run_that_is_stopped_makes_no_version_and_leaves_nothing(tmp_path, frame, how):
    def stops(batch):
        if batch["id"][0].as_py() > 1_500:
            signal.raise_signal(signal.SIGINT) if how == "Ctrl-C" else 1 / 0
        return batch

    with pytest.raises(KeyboardInterrupt if how == "Ctrl-C" else ZeroDivisionError):
        frame.map_batches(stops).to_delta(tmp_path / "t")
    assert list(tmp_path.iterdir()) == []
    frame.limit(10).to_delta(tmp_path / "t")
    with pytest.raises(KeyboardInterrupt if how == "Ctrl-C" else ZeroDivisionError):
        frame.map_batches(stops).to_delta(tmp_path / "t", mode="append")
    assert (version(tmp_path / "t"), len(rows(tmp_path / "t"))) == (0, 10)


def test_what_deltalake_refuses_is_our_error(tmp_path, frame):
    frame.to_delta(tmp_path / "t")
    with pytest.raises(sf.SinkError, match="t cannot be written"):
        frame.select("id").cast({"id": "string"}).to_delta(tmp_path / "t", mode="append")
    with pytest.raises(sf.SinkError, match=r"number of fields(.|\n)*a table keeps its columns"):
        frame.select("id").to_delta(tmp_path / "t", mode="overwrite")
    with pytest.raises(sf.ColumnNotFoundError, match="nothere"):
        frame.to_delta(tmp_path / "u", partition_by="nothere")


def test_unsigned_numbers_keep_their_values(tmp_path):
    most = {f"u{bits}": pa.array([0, 2**bits - 1, None], pa.from_numpy_dtype(f"uint{bits}")) for bits in (8, 16, 32)}
    frame = sf.from_arrow(most)
    frame.to_delta(tmp_path / "t")
    frame.to_delta(tmp_path / "t", mode="append")
    found = deltalake.DeltaTable(tmp_path / "t").to_pyarrow_table()
    assert [str(kind) for kind in found.schema.types] == ["int16", "int32", "int64"]
    assert found.slice(3).to_pydict() == {name: values.to_pylist() for name, values in most.items()}
    with pytest.raises(sf.SinkError, match=r"cannot be written(.|\n)*cast the column"):
        sf.from_arrow({"u": pa.array([2**64 - 1], pa.uint64())}).to_delta(tmp_path / "u")


def test_no_secret_of_the_store_shows(frame):
    options = {"AWS_SECRET_ACCESS_KEY": "geheim", "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ALLOW_HTTP": "true"}
    with pytest.raises(sf.SinkError) as caught:
        frame.to_delta("s3://bucket/t", storage_options={**options, "AWS_REGION": "x", "max_retries": "0"})
    assert "geheim" not in f"{caught.value!r}{caught.value}"


def test_without_the_library_the_install_line_is_told(frame, monkeypatch):
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(sf.MissingDependencyError, match=r"streamframe-arrow\[delta\]"):
        frame.to_delta("t")


def test_what_is_no_mode_is_refused(frame):
    with pytest.raises(sf.PlanError, match="append"):
        frame.to_delta("t", mode="ignore")

"""A directory of files: which files, how large, and what they say about themselves."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path

import duckdb
import fsspec
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import streamframe as sf
from tests.contract.parts import table


@pytest.fixture
def frame():
    return sf.from_arrow(table())


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def manifest(folder: Path) -> dict:
    return json.loads((folder / "_streamframe.json").read_bytes())


def test_a_path_that_ends_in_a_slash_is_a_directory(frame, tmp_path):
    report = frame.to_parquet(f"{tmp_path}/out/")
    assert files(tmp_path) == ["out/_streamframe.json", "out/part-00000.parquet"]
    assert report.files == (f"{tmp_path}/out/part-00000.parquet",)
    assert report.bytes_written == os.path.getsize(report.files[0])
    assert pq.read_table(report.files[0]).to_pylist() == table().to_pylist()


def test_a_path_that_is_a_directory_gets_files_in_it(frame, tmp_path):
    frame.to_csv(tmp_path)
    assert files(tmp_path) == ["_streamframe.json", "part-00000.csv"]


@pytest.mark.parametrize(
    ("verb", "options", "suffix"),
    [
        ("to_parquet", {}, ".parquet"),
        ("to_csv", {}, ".csv"),
        ("to_csv", {"compression": "gzip"}, ".csv.gz"),
        ("to_ndjson", {"compression": "zstd"}, ".ndjson.zst"),
        ("to_ipc", {}, ".arrow"),
        ("to_ipc", {"stream": True}, ".arrows"),
    ],
)
def test_every_format_is_read_back_from_its_directory(frame, tmp_path, verb, options, suffix):
    getattr(frame, verb)(tmp_path / "out", partition_by="late", max_rows_per_file=1000, **options)
    assert all(name.endswith(suffix) for name in files(tmp_path / "out") if not name.startswith("_"))
    reader = getattr(sf, verb.replace("to_", "read_"))
    rows = reader(tmp_path / "out").select("id", "note", "late").to_arrow().sort_by("id").to_pylist()
    expected = table().select(["id", "note", "late"]).to_pylist()
    # A key in a path is text: what it was is in the manifest, and so it is that again.
    assert rows == expected


def test_a_small_file_that_is_encoded_beside_others_is_what_it_would_be_alone(tmp_path):
    rows = sf.from_arrow({"k": ["a"] * 100 + ["b"] * 100, "i": range(200), "text": [f"{i % 7}" for i in range(200)]})
    rows.to_parquet(tmp_path / "out", partition_by="k", max_open_files=1)
    rows.limit(100).drop("k").to_parquet(tmp_path / "a.parquet")
    assert (tmp_path / "out/k=a/part-00000.parquet").read_bytes() == (tmp_path / "a.parquet").read_bytes()


def test_no_rows_make_a_file_with_the_columns(frame, tmp_path):
    report = frame.limit(0).to_parquet(f"{tmp_path}/out/")
    assert pq.read_table(report.files[0]).column_names == table().column_names
    assert frame.limit(0).to_parquet(tmp_path / "keys", partition_by="late").files == ()


@pytest.mark.parametrize("verb", ["to_parquet", "to_csv", "to_ndjson", "to_ipc", "to_orc"])
def test_no_rows_are_read_back_as_no_rows_of_their_columns(frame, tmp_path, verb):
    rows = frame.select("id", "carrier").limit(0)
    getattr(rows, verb)(f"{tmp_path}/out/")
    back = getattr(sf, verb.replace("to_", "read_"))(tmp_path / "out")
    assert (back.count(), back.columns) == (0, ["id", "carrier"])
    getattr(frame.select("id", "carrier").limit(3), verb)(f"{tmp_path}/out/", mode="append")
    assert getattr(sf, verb.replace("to_", "read_"))(tmp_path / "out").count() == 3


def test_files_end_at_the_row_that_was_asked_for(frame, tmp_path):
    report = frame.rebatch(rows=700).to_parquet(tmp_path / "out", max_rows_per_file=1500)
    assert [pq.read_metadata(file).num_rows for file in report.files] == [1500, 1500, 1500, 500]
    assert pa.concat_tables(pq.read_table(file) for file in report.files).to_pylist() == table().to_pylist()


@pytest.mark.parametrize("verb", ["to_parquet", "to_csv", "to_ndjson", "to_ipc"])
def test_files_are_as_large_as_they_may_be_and_no_larger(datasets, tmp_path, verb):
    flights = sf.read_parquet(datasets / "flights.parquet").limit(60_000)
    report = getattr(flights, verb)(tmp_path / "out", max_file_bytes="500kB")
    sizes = [os.path.getsize(file) for file in report.files]
    assert len(sizes) > 1
    assert max(sizes) <= 500_000
    assert min(sizes[:-1]) >= 430_000


@pytest.mark.parametrize("verb", ["to_csv", "to_ndjson"])
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_what_a_compressor_has_not_let_go_yet_counts_as_well(datasets, tmp_path, verb, compression):
    flights = sf.read_parquet(datasets / "flights.parquet").limit(60_000)
    report = getattr(flights, verb)(tmp_path / "out", max_file_bytes=200_000, compression=compression)
    sizes = [os.path.getsize(file) for file in report.files]
    assert max(sizes) <= 200_000
    assert min(sizes[:-1]) >= 160_000


def test_the_footer_of_a_small_parquet_file_counts_as_well(datasets, tmp_path):
    report = sf.read_parquet(datasets / "flights.parquet").limit(60_000).to_parquet(tmp_path, max_file_bytes=200_000)
    assert max(os.path.getsize(file) for file in report.files) <= 200_000


def test_the_manifest_names_each_file_with_its_rows_bytes_and_digest(frame, tmp_path):
    report = frame.to_parquet(tmp_path / "out", partition_by=["carrier"], success_marker=True)
    found = manifest(tmp_path / "out")
    assert (tmp_path / "out" / "_SUCCESS").read_bytes() == b""
    assert [file["path"] for file in found["files"]] == sorted(
        name for name in files(tmp_path / "out") if not name.startswith("_")
    )
    for file in found["files"]:
        data = (tmp_path / "out" / file["path"]).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert file["rows"] == pq.read_metadata(tmp_path / "out" / file["path"]).num_rows
    assert found["rows"] == report.rows == 5000
    assert found["partition_by"] == ["carrier"]
    assert pa.ipc.read_schema(pa.py_buffer(base64.b64decode(found["schema"]["arrow"]))).equals(table().schema)


def test_other_readers_take_the_manifest_for_no_data(frame, tmp_path):
    frame.to_parquet(tmp_path / "out", partition_by="carrier", success_marker=True)
    glob = f"{tmp_path}/out/**/*.parquet"
    counts = [
        ds.dataset(tmp_path / "out", partitioning="hive").count_rows(),
        pq.read_table(tmp_path / "out").num_rows,
        duckdb.sql(f"select count(*) from read_parquet('{glob}')").fetchall()[0][0],
        # Given the directory alone, polars refuses any other file in it, and Spark's _SUCCESS as well.
        pl.scan_parquet(glob).collect().height,
        sf.read_parquet(tmp_path / "out").count(),
    ]
    assert counts == [5000] * 5


def test_the_same_rows_make_the_same_bytes(frame, tmp_path):
    for name in "ab":
        frame.to_parquet(tmp_path / name, partition_by="carrier", max_open_files=2)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert all(
        (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files(tmp_path / "a")
    )


@pytest.mark.parametrize("what", ["", "x.parquet"])
def test_by_default_a_directory_that_holds_files_is_left_alone(frame, tmp_path, what):
    (tmp_path / "out").mkdir()
    if what:
        (tmp_path / "out" / what).write_bytes(b"old")
        with pytest.raises(sf.SinkError, match="holds files already") as caught:
            frame.to_parquet(tmp_path / "out")
        assert "overwrite" in caught.value.hint
        assert files(tmp_path) == ["out/x.parquet"]
    else:
        frame.to_parquet(tmp_path / "out")
        assert len(files(tmp_path)) == 2


def test_overwriting_replaces_all_files_and_keeps_the_mode(frame, tmp_path):
    frame.to_parquet(tmp_path / "out", partition_by="carrier")
    (tmp_path / "out").chmod(0o750)
    frame.limit(10).to_parquet(tmp_path / "out", mode="overwrite")
    assert files(tmp_path) == ["out/_streamframe.json", "out/part-00000.parquet"]
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o750


def test_a_directory_may_be_overwritten_with_what_is_read_from_it(frame, tmp_path):
    out = tmp_path / "out"
    frame.to_parquet(out, partition_by="carrier", max_rows_per_file=300)
    sf.read_parquet(out).filter(sf.col("late")).to_parquet(out, partition_by="carrier", mode="overwrite")
    rows = sf.read_parquet(out).select("id").to_arrow()["id"].to_pylist()
    assert sorted(rows) == list(range(0, 5000, 3))
    assert os.listdir(tmp_path) == ["out"]


def test_a_symlink_stays_and_the_directory_it_leads_to_is_replaced(frame, tmp_path):
    (tmp_path / "disk" / "real").mkdir(parents=True)
    (tmp_path / "out").symlink_to(tmp_path / "disk" / "real")
    frame.to_parquet(tmp_path / "out")
    assert (tmp_path / "out").is_symlink()
    assert files(tmp_path / "disk") == ["real/_streamframe.json", "real/part-00000.parquet"]


@pytest.mark.parametrize("place", ["disk", "store"])
def test_overwriting_replaces_files_of_another_format_that_an_export_has_written(frame, tmp_path, place):
    out = f"{tmp_path}/out" if place == "disk" else "memory://overwritten"
    frame.to_parquet(f"{out}/", partition_by="carrier")
    frame.to_csv(f"{out}/", mode="overwrite", compression="gzip")
    frame.to_csv(f"{out}/", mode="overwrite")
    assert sf.read_csv(out).count() == frame.count()
    with fsspec.open(f"{out}/mine.parquet", "wb") as file:
        file.write(b"not of an export")
    with pytest.raises(sf.SinkError, match=r"holds 'mine.parquet', which is no \.csv file"):
        frame.to_csv(f"{out}/", mode="overwrite")
    fsspec.filesystem("memory").store.clear()


@pytest.mark.parametrize("here", ["out", "out/in"])
@pytest.mark.parametrize("mode", ["error", "overwrite"])
def test_the_directory_that_the_process_is_in_is_not_replaced(frame, tmp_path, monkeypatch, here, mode):
    """It would be in one that is removed, where no relative path leads anywhere."""
    (tmp_path / here).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / here)
    with pytest.raises(sf.SinkError, match="is where this process is"):
        frame.to_parquet(os.path.relpath(tmp_path / "out") + "/", mode=mode)
    frame.to_parquet(tmp_path / here / "below", mode=mode)
    frame.to_parquet("../beside/", mode=mode)
    assert Path.cwd() == tmp_path / here


def test_overwriting_refuses_to_remove_what_no_export_has_written(frame, tmp_path):
    (tmp_path / "thesis.docx").write_bytes(b"years")
    with pytest.raises(sf.SinkError, match=r"thesis\.docx"):
        frame.to_parquet(tmp_path, mode="overwrite")
    assert files(tmp_path) == ["thesis.docx"]


def test_appending_keeps_files_and_goes_on_numbering(frame, tmp_path):
    out = tmp_path / "out"
    frame.to_parquet(out, partition_by="late", mode="append")
    before = {name: (out / name).read_bytes() for name in files(out) if name != "_streamframe.json"}
    (out / "note.txt").write_bytes(b"mine")
    report = frame.to_parquet(out, partition_by="late", mode="append")
    assert [os.path.relpath(file, out) for file in report.files] == [
        f"late={late}/part-00001.parquet" for late in ("false", "true")
    ]
    assert {name: (out / name).read_bytes() for name in before} == before
    assert (out / "note.txt").read_bytes() == b"mine"
    assert manifest(out)["rows"] == sf.read_parquet(out).count() == 10_000
    assert os.listdir(tmp_path) == ["out"]


def test_appending_other_columns_keys_or_formats_is_refused(frame, tmp_path):
    out = tmp_path / "out"
    frame.to_parquet(out, partition_by="late")
    for export, says in (
        (lambda: frame.drop("note").to_parquet(out, partition_by="late", mode="append"), "columns"),
        (lambda: frame.to_parquet(out, mode="append"), "partition_by"),
        (lambda: frame.to_csv(out, partition_by="late", mode="append"), "format"),
    ):
        with pytest.raises(sf.SinkError, match=f"was written with {says}"):
            export()
    (out / "_streamframe.json").unlink()
    with pytest.raises(sf.SinkError, match="no _streamframe"):
        frame.to_parquet(out, partition_by="late", mode="append")
    assert os.listdir(tmp_path) == ["out"]


def test_two_exports_into_one_directory_at_once_are_refused(frame, tmp_path):
    frame.to_parquet(tmp_path / "out", partition_by="late")

    def meanwhile(batch):
        if not batch["id"][0].as_py():
            return batch  # by which the columns are found out, before the directory is opened
        with pytest.raises(sf.SinkError, match="another export"):
            frame.to_parquet(tmp_path / "out", mode="overwrite")
        return batch

    frame.rebatch(rows=2500).map_batches(meanwhile).to_parquet(tmp_path / "out", partition_by="late", mode="append")
    assert sf.read_parquet(tmp_path / "out").count() == 10_000
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("name", ["note.txt", "part-00001.parquet"])
def test_a_file_that_comes_while_an_export_appends_is_not_lost(frame, tmp_path, name):
    out = tmp_path / "out"
    frame.to_parquet(out, mode="append")

    def meanwhile(batch):
        if batch["id"][0].as_py():
            (out / name).write_bytes(b"mine")
        return batch

    changing = frame.rebatch(rows=2500).map_batches(meanwhile)
    if name == "note.txt":
        changing.to_parquet(out, mode="append")
    else:
        with pytest.raises(sf.SinkError, match="from somebody else"):
            changing.to_parquet(out, mode="append")
    assert (out / name).read_bytes() == b"mine"
    assert os.listdir(tmp_path) == ["out"]


def test_what_cannot_work_is_said_at_the_call(frame, tmp_path):
    for options, says in (
        ({"mode": "replace"}, "mode"),
        ({"max_rows_per_file": 0}, "max_rows_per_file"),
        ({"max_file_bytes": "many"}, "max_file_bytes"),
        ({"max_open_files": 0}, "max_open_files"),
        ({"max_open_files": None}, "max_open_files"),
        ({"partition_by": ["late", "late"]}, "twice"),
        ({"partition_by": [1]}, "partition_by"),
    ):
        with pytest.raises(sf.PlanError, match=says):
            frame.to_parquet(tmp_path / "out", **options)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(sf.SinkError, match="is a file"):
        frame.to_parquet(f"{tmp_path}/file/")
    with pytest.raises(sf.SinkError, match="does not exist"):
        frame.to_parquet(f"{tmp_path}/nowhere/out/")
    with pytest.raises(sf.PlanError, match="http"):
        frame.to_parquet("https://host/out/")
    assert files(tmp_path) == ["file"]


def test_a_store_gets_the_same_files(frame):
    fs = fsspec.filesystem("memory")
    try:
        frame.to_parquet("memory://out/", partition_by="late")
        frame.to_parquet("memory://out/", partition_by="late", mode="append")
        assert sf.read_parquet("memory://out/").count() == 10_000
        frame.limit(10).to_parquet("memory://out/", mode="overwrite")
        assert fs.find("/out") == ["/out/_streamframe.json", "/out/part-00000.parquet"]
        with pytest.raises(sf.SinkError, match="holds files already"):
            frame.to_parquet("memory://out/")
    finally:
        fs.store.clear()
        fs.pseudo_dirs[:] = [""]

"""An export without rows is read back as what it was: no rows, and its columns."""

from __future__ import annotations

import json
import shutil

import pyarrow as pa
import pytest
from fsspec.implementations.memory import MemoryFileSystem

import streamframe as sf
from tests.contract.parts import table

VERBS = {
    "to_parquet": sf.read_parquet,
    "to_csv": sf.read_csv,
    "to_ndjson": sf.read_ndjson,
    "to_ipc": sf.read_ipc,
    "to_orc": sf.read_orc,
}


@pytest.fixture
def none():
    return sf.from_arrow(table(10)).select("id", "carrier", "late", "fare").limit(0)


@pytest.mark.parametrize("verb", VERBS)
def test_folders_that_were_never_made_are_no_rows_of_the_columns_that_were_written(none, tmp_path, verb):
    getattr(none, verb)(tmp_path / "out", partition_by="late")
    frame = VERBS[verb](tmp_path / "out")
    wanted = none.select("id", "carrier", "fare", "late").schema
    assert frame.schema == wanted
    assert frame.to_arrow().equals(wanted.empty_table())
    assert (frame.count(), len(frame.head())) == (0, 0)
    assert frame.filter(sf.col("id") > 3).group_by("late").agg(n=sf.count()).to_pandas().empty


@pytest.mark.parametrize(
    ("hive", "columns"),
    [(False, ["id", "carrier", "fare"]), ({"late": "string"}, ["id", "carrier", "fare", "late"])],
)
def test_keys_are_what_the_reader_wants_them_to_be(none, tmp_path, hive, columns):
    none.to_parquet(tmp_path / "out", partition_by="late")
    schema = sf.read_parquet(tmp_path / "out", hive=hive).schema
    assert schema.names == columns
    assert not hive or schema.field("late").type == pa.string()
    with pytest.raises(sf.SchemaError, match="no key of the paths; those are: late"):
        sf.read_parquet(tmp_path / "out", hive={"day": "string"}).count()


@pytest.mark.parametrize("verb", ["to_csv", "to_ndjson"])
def test_dtype_gives_their_types_as_where_there_are_rows(none, tmp_path, verb):
    getattr(none, verb)(tmp_path / "out", partition_by="late")
    schema = VERBS[verb](tmp_path / "out", dtype={"id": "string", "late": "string"}).schema
    assert schema.names == ["id", "carrier", "fare", "late"]
    assert [schema.field(name).type for name in ("id", "fare", "late")] == [pa.string(), pa.float64(), pa.string()]


def test_a_store_has_them_too(none):
    MemoryFileSystem.store.clear()
    none.to_parquet("memory://none/out/", partition_by="late")
    assert sf.read_parquet("memory://none/out/").columns == ["id", "carrier", "fare", "late"]
    MemoryFileSystem.store.clear()


def test_beside_directories_with_rows_it_adds_none(none, tmp_path):
    sf.from_arrow(table(10)).select("id", "carrier", "late", "fare").to_parquet(tmp_path / "a", partition_by="late")
    none.to_parquet(tmp_path / "b", partition_by="late")
    assert sf.read_parquet([tmp_path / "b", tmp_path / "a"]).count() == 10


def test_rows_that_are_appended_later_are_read_with_the_same_columns(none, tmp_path):
    none.to_parquet(tmp_path / "out", partition_by="late")
    frame = sf.read_parquet(tmp_path / "out")
    assert frame.schema.field("late").type == pa.bool_()
    rows = sf.from_arrow(table(10)).select("id", "carrier", "late", "fare")
    rows.to_parquet(tmp_path / "out", partition_by="late", mode="append")
    assert frame.to_arrow().sort_by("id")["late"].to_pylist() == table(10)["late"].to_pylist()


def test_where_rows_are_missing_there_is_an_error(none, tmp_path):
    out = tmp_path / "out"
    rows = sf.from_arrow(table(10))
    rows.to_parquet(out, partition_by="late")
    for folder in out.glob("late=*"):
        shutil.rmtree(folder)
    with pytest.raises(sf.SourceError, match="holds no file"):
        sf.read_parquet(out).count()
    none.to_parquet(out, mode="overwrite", partition_by="late")
    with pytest.raises(sf.SourceError, match="an export of parquet without rows"):
        sf.read_csv(out).count()
    for damaged in ("{", "[]", json.dumps({"files": [], "schema": {"arrow": "AAAA"}, "format": "parquet"})):
        (out / "_streamframe.json").write_text(damaged)
        with pytest.raises(sf.SourceError, match="holds no file"):
            sf.read_parquet(out).count()

"""A year of flights in every format and layout, read back by DuckDB, polars and pyarrow: all of it, and as noted."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import streamframe as sf

pytestmark = pytest.mark.slow

SUFFIXES = {"to_parquet": "parquet", "to_csv": "csv", "to_ndjson": "ndjson", "to_ipc": "arrow", "to_orc": "orc"}
LAYOUTS = {
    "one file": {},
    "files": {"max_file_bytes": "3MB"},
    "folders": {"partition_by": ["month", "carrier"], "max_open_files": 20},
}


@pytest.fixture(scope="module")
def flights(datasets):
    table = pq.read_table(datasets / "flights.parquet")
    return table.append_column("line", pa.array(np.arange(len(table))))


def written(flights, tmp_path, verb, layout):
    """Export; return where, after holding the manifest against what is there."""
    out = tmp_path / ("out" if LAYOUTS[layout] else f"out.{SUFFIXES[verb]}")
    report = getattr(sf.from_arrow(flights), verb)(out, **LAYOUTS[layout])
    assert report.rows == len(flights)
    if not LAYOUTS[layout]:
        return str(out)
    manifest = json.loads((out / "_streamframe.json").read_bytes())
    there = sorted(str(path.relative_to(out)) for path in out.rglob(f"*.{SUFFIXES[verb]}"))
    assert [file["path"] for file in manifest["files"]] == there
    assert [f"{out}/{path}" for path in there] == list(report.files)
    assert sum(file["rows"] for file in manifest["files"]) == manifest["rows"] == len(flights)
    for file in manifest["files"]:
        data = (out / file["path"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file["bytes"], file["sha256"])
    return f"{out}/**/*.{SUFFIXES[verb]}"


def by_polars(verb: str, paths: str, schema: pa.Schema) -> pa.Table:
    types = dict(pl.from_arrow(schema.empty_table()).schema)
    scans = {
        "to_parquet": lambda: pl.scan_parquet(paths, hive_partitioning="**" in paths),
        "to_ipc": lambda: pl.scan_ipc(paths, hive_partitioning="**" in paths),
        # Text holds no types, and folders no columns: they are told.
        "to_csv": lambda: pl.scan_csv(paths, schema_overrides=types, include_file_paths="path"),
        "to_ndjson": lambda: pl.scan_ndjson(paths, infer_schema_length=None, include_file_paths="path"),
    }
    found = scans[verb]().collect()
    for key in ("month", "carrier"):
        if key not in found.columns:
            found = found.with_columns(pl.col("path").str.extract(f"/{key}=([^/]+)/").alias(key))
    time = pl.col("time_hour")
    if found["time_hour"].dtype == pl.String:
        found = found.with_columns(time.str.to_datetime("%+", time_unit="us", time_zone="UTC"))
    return found.select(pl.col(name).cast(kind) for name, kind in types.items()).to_arrow()


def by_duckdb(verb: str, paths: str, schema: pa.Schema) -> pa.Table:
    hive = "**" in paths and any("=" in path.name for path in Path(paths.partition("/**")[0]).iterdir())
    names = {"to_parquet": "read_parquet", "to_csv": "read_csv", "to_ndjson": "read_ndjson"}
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.sql(
            f"select {', '.join(schema.names)} from {names[verb]}('{paths}', hive_partitioning={hive})"
        ).to_arrow_table()


def by_pyarrow(verb: str, paths: str, schema: pa.Schema) -> pa.Table:
    keys = ds.partitioning(pa.schema([schema.field("month"), schema.field("carrier")]), flavor="hive")
    where = paths.partition("/**")[0]
    form = {"to_parquet": "parquet", "to_ipc": "ipc", "to_orc": "orc"}[verb]
    return ds.dataset(where, format=form, partitioning=keys).to_table().select(schema.names)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("verb", "read"),
    [
        *((verb, by_polars) for verb in ("to_parquet", "to_csv", "to_ndjson", "to_ipc")),
        *((verb, by_duckdb) for verb in ("to_parquet", "to_csv", "to_ndjson")),
        *((verb, by_pyarrow) for verb in ("to_parquet", "to_ipc", "to_orc")),
    ],
)
def test_peers_find_every_row_and_value_and_the_manifest_is_true(flights, tmp_path, verb, read, layout):
    paths = written(flights, tmp_path, verb, layout)
    found = read(verb, paths, flights.schema).sort_by("line")
    assert found.num_rows == len(flights) == 336_776
    if verb in ("to_parquet", "to_ipc", "to_orc"):
        same = [field.name for field in flights.schema if field.name not in ("month", "carrier", "time_hour")]
        kinds = {name: str(found.schema.field(name).type).removeprefix("large_").replace("_view", "") for name in same}
        assert kinds == {name: str(flights.schema.field(name).type) for name in same}
    assert found.cast(flights.schema).equals(flights)

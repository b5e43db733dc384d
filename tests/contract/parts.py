"""One line for each registered part; the contract's tests run through all of them.

A new source, format, transform or sink is added here; `test_registered.py` fails if it is not.
"""

from __future__ import annotations

import datetime
import gzip
import json
import lzma
from bz2 import compress as bz2
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.orc
import pyarrow.parquet as pq

import streamframe as sf

ROWS = 5_000


def table(rows: int = ROWS) -> pa.Table:
    """Rows of every common type, with nulls; row `i` is told by column `id`."""
    day = datetime.datetime(2013, 1, 1)
    return pa.table(
        {
            "id": pa.array(range(rows), pa.int64()),
            "fare": pa.array([None if i % 7 == 0 else i / 4 for i in range(rows)], pa.float64()),
            "carrier": pa.array([None if i % 11 == 0 else "AA UA B6 DL".split()[i % 4] for i in range(rows)]),
            "late": pa.array([i % 3 == 0 for i in range(rows)]),
            "time": pa.array([day + datetime.timedelta(minutes=i) for i in range(rows)], pa.timestamp("s")),
            "note": pa.array([f'says "{i}", then\nnothing' if i % 97 == 0 else f"n{i}" for i in range(rows)]),
        }
    )


def csv_bytes(data: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(data, sink)
    return sink.getvalue().to_pybytes()


def parquet_bytes(data: pa.Table, row_group_rows: int = 700) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(data, sink, row_group_size=row_group_rows)
    return sink.getvalue().to_pybytes()


def ipc_bytes(data: pa.Table, *, stream: bool = False, batch_rows: int = 700, **options: object) -> bytes:
    sink = pa.BufferOutputStream()
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with new(sink, data.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(data, max_chunksize=batch_rows)
    return sink.getvalue().to_pybytes()


def ndjson_bytes(data: pa.Table) -> bytes:
    return "".join(json.dumps(row, default=str) + "\n" for row in data.to_pylist()).encode()


def array_bytes(data: pa.Table) -> bytes:
    return json.dumps(data.to_pylist(), default=str, indent=1).encode()


def _ndjson(path: Path) -> sf.StreamFrame:
    # Neither a file without rows nor text that looks like a time says what it is.
    return sf.read_ndjson(path, dtype={field.name: field.type for field in table(10).schema})


def _query(data: pa.Table) -> sf.StreamFrame:
    connection = duckdb.connect()
    connection.register("given", data)
    connection.execute("create table rows as select * from given")
    return sf.read_sql("select * from rows", connection)


def zstd(data: bytes) -> bytes:
    return pa.compress(data, codec="zstd", asbytes=True)


def orc_bytes(data: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    # ORC has no type for a column of nulls, which is what there is of no rows.
    schema = pa.schema([one.with_type(pa.string()) if pa.types.is_null(one.type) else one for one in data.schema])
    with pyarrow.orc.ORCWriter(sink, stripe_size=64 << 10) as writer:
        for start in range(0, len(data) or 1, 700):
            # Copied, since Arrow's writer takes wrong values of a slice of structs.
            batch = data.slice(start, 700)
            writer.write(batch.cast(schema).take(pa.arange(0, len(batch))))
    return sink.getvalue().to_pybytes()


def _lines(folder: Path, data: pa.Table) -> sf.StreamFrame:
    """Return a frame over lines that hold a JSON array of the rows' values each, taken apart again."""
    texts = [json.dumps(list(row.values()), default=str) for row in data.to_pylist()]
    lines = sf.read_lines(_file(folder, "a.log", "".join(f"{text}\n" for text in texts).encode()))

    def parsed(batch: pa.RecordBatch) -> pa.RecordBatch:
        rows = [dict(zip(data.schema.names, json.loads(line), strict=True)) for line in batch["line"].to_pylist()]
        rows = [{**row, "time": datetime.datetime.fromisoformat(row["time"])} for row in rows]
        return pa.RecordBatch.from_pylist(rows, schema=data.schema)

    return lines.map_batches(parsed, schema=data.schema)


def _file(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    if not path.exists():
        path.write_bytes(data)
    return path


def _halves(folder: Path, data: pa.Table) -> list[Path]:
    middle = data.num_rows // 2
    parts = (data.slice(0, middle), data.slice(middle))
    return [_file(folder, f"half-{n}.csv", csv_bytes(part)) for n, part in enumerate(parts)]


# name -> a frame over a table; each must stream exactly the table's rows, in order.
SOURCES = {
    "csv": lambda folder, data: sf.read_csv(_file(folder, "a.csv", csv_bytes(data))),
    "csv.gz": lambda folder, data: sf.read_csv(_file(folder, "a.csv.gz", gzip.compress(csv_bytes(data)))),
    "csv.zst": lambda folder, data: sf.read_csv(_file(folder, "a.csv.zst", zstd(csv_bytes(data)))),
    "csv.bz2": lambda folder, data: sf.read_csv(_file(folder, "a.csv.bz2", bz2(csv_bytes(data)))),
    "csv.xz": lambda folder, data: sf.read_csv(_file(folder, "a.csv.xz", lzma.compress(csv_bytes(data)))),
    "ndjson": lambda folder, data: _ndjson(_file(folder, "a.ndjson", ndjson_bytes(data))),
    "json array": lambda folder, data: _ndjson(_file(folder, "a.json", array_bytes(data))),
    "ndjson.gz": lambda folder, data: _ndjson(_file(folder, "a.jsonl.gz", gzip.compress(ndjson_bytes(data)))),
    "csv glob": lambda folder, data: (_halves(folder, data), sf.read_csv(folder / "half-*.csv"))[1],
    "csv directory": lambda folder, data: (_halves(folder, data), sf.read_csv(folder, schema="union"))[1],
    "csv list": lambda folder, data: sf.read_csv(_halves(folder, data)),
    "parquet": lambda folder, data: sf.read_parquet(_file(folder, "a.parquet", parquet_bytes(data))),
    "one row group": lambda folder, data: sf.read_parquet(_file(folder, "b.parquet", parquet_bytes(data, 10**9))),
    "orc": lambda folder, data: sf.read_orc(_file(folder, "a.orc", orc_bytes(data))).cast({"time": "timestamp[s]"}),
    "lines": lambda folder, data: _lines(folder, data),
    "ipc": lambda folder, data: sf.read_ipc(_file(folder, "a.arrow", ipc_bytes(data))),
    "ipc stream": lambda folder, data: sf.read_ipc(_file(folder, "a.arrows", ipc_bytes(data, stream=True))),
    "from_arrow": lambda folder, data: sf.from_arrow(data),
    "from_pandas": lambda folder, data: sf.from_pandas(data.to_pandas(types_mapper=_arrow_dtype)),
    "from_batches": lambda folder, data: sf.from_batches(lambda: data.to_batches(max_chunksize=999)),
    "sql": lambda folder, data: _query(data),
    "concat": lambda folder, data: sf.concat([sf.from_arrow(data.slice(0, 1234)), sf.from_arrow(data.slice(1234))]),
}


class _Nowhere(sf.Sink):
    def start(self, schema, context):
        return _NowhereOpen()


class _NowhereOpen(sf.OpenSink):
    def write(self, batch):
        pass

    def commit(self):
        return sf.Written()

    def abort(self):
        pass


# name -> (verb on a frame of `table`, what it makes of the whole table as Python rows)
TRANSFORMS = {
    "Select": (
        lambda frame: frame.select("carrier", (sf.col("id") + 1).alias("next")),
        lambda rows: [{"carrier": row["carrier"], "next": row["id"] + 1} for row in rows],
    ),
    "Tee": (lambda frame: frame.tee(_Nowhere()), lambda rows: rows),
    "Drop": (
        lambda frame: frame.drop("note", "time"),
        lambda rows: [{k: v for k, v in row.items() if k not in ("note", "time")} for row in rows],
    ),
    "Rename": (
        lambda frame: frame.rename({"id": "key", "fare": "id"}),
        lambda rows: [{{"id": "key", "fare": "id"}.get(k, k): v for k, v in row.items()} for row in rows],
    ),
    "Cast": (
        lambda frame: frame.cast({"id": "string"}),
        lambda rows: [{**row, "id": str(row["id"])} for row in rows],
    ),
    "Filter": (
        lambda frame: frame.filter(sf.col("fare") > 1000),
        lambda rows: [row for row in rows if row["fare"] is not None and row["fare"] > 1000],
    ),
    "WithColumns": (
        lambda frame: frame.with_columns(fare=sf.col("fare") * 2, one=1),
        lambda rows: [{**row, "fare": None if row["fare"] is None else row["fare"] * 2, "one": 1} for row in rows],
    ),
    "Extract": (
        lambda frame: frame.extract(r"(?P<number>[0-9]+)", column="note"),
        lambda rows: [{k: v for k, v in row.items() if k != "note"} | {"number": str(row["id"])} for row in rows],
    ),
    "Slice": (lambda frame: frame.slice(17, 1500), lambda rows: rows[17:1517]),
    "Rebatch": (lambda frame: frame.rebatch(rows=333), lambda rows: rows),
    "Sample": (
        lambda frame: frame.sample(0.25, seed=3),
        lambda rows: [row for row, drawn in zip(rows, _drawn(3, len(rows)), strict=True) if drawn < 2**62],
    ),
    "Shuffle": (lambda frame: frame.shuffle(450, seed=3), lambda rows: _shuffled(rows, 450, 3)),
    "MapBatches": (
        lambda frame: frame.map_batches(lambda batch: batch.filter(batch["late"])),
        lambda rows: [row for row in rows if row["late"]],
    ),
    "MapPandas": (
        lambda frame: frame.select("id").map_pandas(lambda chunk: chunk.assign(twice=chunk["id"] * 2)),
        lambda rows: [{"id": row["id"], "twice": row["id"] * 2} for row in rows],
    ),
    "GroupBy": (
        lambda frame: frame.group_by("carrier", "late").agg(n=sf.count(), least=("id", "min"), top=("id", "max")),
        lambda rows: [
            {"carrier": key[0], "late": key[1], "n": len(ids), "least": min(ids), "top": max(ids)}
            for key, ids in _ids_by(rows, "carrier", "late").items()
        ],
    ),
    "Concat": (lambda frame: sf.concat([frame, frame]), lambda rows: rows + rows),
}

# name of the encoding -> (export to a path, read back as a table)
SINKS = {
    "parquet": (lambda frame, path: frame.to_parquet(path), pq.read_table),
    "ipc": (lambda frame, path: frame.to_ipc(path), lambda path: pa.ipc.open_file(path.read_bytes()).read_all()),
    "orc": (
        lambda frame, path: frame.to_orc(path),
        lambda path: sf.read_orc(path).cast({"time": "timestamp[s]"}).to_arrow(),
    ),
    "ndjson": (lambda frame, path: frame.to_ndjson(path), lambda path: _ndjson(path).to_arrow()),
    "csv": (lambda frame, path: frame.to_csv(path), lambda path: sf.read_csv(path).to_arrow()),
}


def _drawn(key: int | list[int], count: int) -> list[int]:
    return np.random.Philox(key=key).random_raw(count).tolist()


def _shuffled(rows: list[dict], size: int, seed: int) -> list[dict]:
    windows = [rows[start : start + size] for start in range(0, len(rows), size)]
    drawn = [_drawn([seed, number], len(window)) for number, window in enumerate(windows)]
    return [
        window[at]
        for window, numbers in zip(windows, drawn, strict=True)
        for at in sorted(range(len(window)), key=numbers.__getitem__)
    ]


def _ids_by(rows: list[dict], *keys: str) -> dict[tuple, list[int]]:
    groups: dict[tuple, list[int]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row["id"])
    return groups


def _arrow_dtype(kind: pa.DataType) -> object:
    import pandas as pd

    return pd.ArrowDtype(kind)

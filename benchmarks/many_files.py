"""Flights in a folder for each of 4,044 aircraft, read back: time and peak memory beside polars, DuckDB and pyarrow.

Rule: each library runs in a process of its own, and the files are in the page cache; all have to find the same rows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from process_tree import ProcessTree

FLIGHTS = Path(__file__).resolve().parent.parent / "datasets" / "flights.parquet"
KEY = "tailnum"
MEMORY = "64MB"
# How each library calls a format, and what its files end in.
SUFFIXES = {"csv": "csv", "ndjson": "ndjson", "parquet": "parquet", "ipc": "arrow", "orc": "orc"}


def streamframe(kind: str, folder: str) -> int:
    import streamframe as sf

    with sf.options(memory=MEMORY, progress=False):
        return sum(batch.num_rows for batch in getattr(sf, f"read_{kind}")(folder))


def polars(kind: str, folder: str) -> int:
    import polars as pl

    files = f"{folder}/**/*.{SUFFIXES[kind]}"
    if kind == "csv":
        # It has no keys of paths for CSV.
        return pl.scan_csv(files).collect().height
    if kind == "ndjson":
        return pl.scan_ndjson(files).collect().height
    scan = {"parquet": pl.scan_parquet, "ipc": pl.scan_ipc}[kind]
    return int(scan(files, hive_partitioning=True).collect().height)


def pyarrow(kind: str, folder: str) -> int:
    import pyarrow.dataset as ds

    files = sorted(map(str, Path(folder).glob(f"*/*.{SUFFIXES[kind]}")))
    kind = {"ndjson": "json"}.get(kind, kind)
    return sum(batch.num_rows for batch in ds.dataset(files, format=kind, partitioning="hive").to_batches())


def duckdb(kind: str, folder: str) -> int:
    import duckdb as duck

    read = {"csv": "read_csv", "ndjson": "read_json", "parquet": "read_parquet"}[kind]
    found = duck.sql(f"from {read}('{folder}/**/*.{SUFFIXES[kind]}', hive_partitioning = true)")
    return sum(batch.num_rows for batch in found.to_arrow_reader())


PEERS: dict[str, Callable[[str, str], int]] = {
    "streamframe": streamframe, "polars": polars, "pyarrow.dataset": pyarrow, "DuckDB": duckdb,
}  # fmt: skip

# Formats that a library does not read.
UNKNOWN = {"polars": {"orc"}, "DuckDB": {"ipc", "orc"}}


def run(peer: str, kind: str, folder: str) -> dict[str, Any]:
    """Run one library in a process of its own; return seconds, peak and rows."""
    child = subprocess.run(
        [sys.executable, __file__, "--child", peer, kind, folder], capture_output=True, text=True, check=False
    )
    if child.returncode:
        return {"error": child.stderr.strip().splitlines()[-1]}
    found: dict[str, Any] = json.loads(child.stdout)
    return found


def child(peer: str, kind: str, folder: str) -> None:
    """Do the work, and print what it took beyond the imports."""
    import importlib

    importlib.import_module({"pyarrow.dataset": "pyarrow.dataset", "DuckDB": "duckdb"}.get(peer, peer))
    tree = ProcessTree(watched=False)
    started = time.perf_counter()
    rows = PEERS[peer](kind, folder)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak_mb": tree.stop()[1], "rows": rows}))


def main(source: str, rounds: int) -> None:
    import streamframe as sf

    flights = sf.read_parquet(source)
    rows = flights.count()
    with tempfile.TemporaryDirectory() as folder:
        print(f"{'':8} {'':16} {'seconds':>8} {'peak MB':>8}")
        for kind in SUFFIXES:
            getattr(flights, f"to_{kind}")(f"{folder}/{kind}", partition_by=KEY)
            runs: dict[str, list[dict[str, Any]]] = {peer: [] for peer in PEERS if kind not in UNKNOWN.get(peer, ())}
            for _ in range(rounds):
                for peer in runs:
                    runs[peer].append(run(peer, kind, f"{folder}/{kind}"))
            for peer, found in runs.items():
                if failed := next((each["error"] for each in found if "error" in each), None):
                    print(f"{kind:8} {peer:16} {failed}")
                    continue
                right = "" if {each["rows"] for each in found} == {rows} else "  WRONG: other rows"
                seconds, peak = (median(each[name] for each in found) for name in ("seconds", "peak_mb"))
                print(f"{kind:8} {peer:16} {seconds:8.2f} {peak:8.0f}{right}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs=3, metavar=("PEER", "FORMAT", "FOLDER"), help=argparse.SUPPRESS)
    parser.add_argument("--source", default=str(FLIGHTS))
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if given.child:
        child(*given.child)
    else:
        main(given.source, given.rounds)

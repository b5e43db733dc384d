"""Flights into a folder for each aircraft: time, peak memory and files, beside polars, pyarrow.dataset and DuckDB.

Rule: each library runs in a process of its own, told to keep 64 files open and 64 MB where it can be told; what it
wrote is read back and counted by key, and has to be the same for all.
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

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from process_tree import ProcessTree

FLIGHTS = Path(__file__).resolve().parent.parent / "datasets" / "flights.parquet"
KEY = "tailnum"
OPEN_FILES, MEMORY = 64, "64MB"


def streamframe(source: str, target: str) -> None:
    import streamframe as sf

    with sf.options(memory=MEMORY, progress=False):
        sf.read_parquet(source).to_parquet(target, partition_by=KEY, max_open_files=OPEN_FILES)


def polars(source: str, target: str) -> None:
    import polars as pl

    pl.scan_parquet(source).sink_parquet(pl.PartitionBy(target, key=KEY, include_key=False), mkdir=True)


def pyarrow(source: str, target: str) -> None:
    ds.write_dataset(
        ds.dataset(source).scanner(),
        target,
        format="parquet",
        partitioning=[KEY],
        partitioning_flavor="hive",
        max_open_files=OPEN_FILES,
        max_partitions=10_000,
    )


def duckdb(source: str, target: str) -> None:
    import duckdb as duck

    connection = duck.connect(config={"memory_limit": MEMORY})
    connection.execute(f"set partitioned_write_max_open_files = {OPEN_FILES}")
    connection.execute(f"copy (from '{source}') to '{target}' (format parquet, partition_by ({KEY}))")


PEERS: dict[str, Callable[[str, str], None]] = {
    "streamframe": streamframe, "polars": polars, "pyarrow.dataset": pyarrow, "DuckDB": duckdb,
}  # fmt: skip


def run(peer: str, source: str) -> dict[str, object]:
    """Run one library in a process of its own; return time, peak, files, and rows by key."""
    with tempfile.TemporaryDirectory() as folder:
        target = f"{folder}/out"
        child = subprocess.run(
            [sys.executable, __file__, "--child", peer, source, target], capture_output=True, text=True, check=False
        )
        if child.returncode:
            return {"error": child.stderr.strip().splitlines()[-1]}
        files = list(Path(target).rglob("*.parquet"))
        counts: dict[str, int] = {}
        for file in files:
            name = file.parent.name.partition("=")[2]
            counts[name] = counts.get(name, 0) + pq.read_metadata(file).num_rows
        return {**json.loads(child.stdout), "files": len(files), "counts": counts}


def child(peer: str, source: str, target: str) -> None:
    """Do the work, and print what it took beyond the imports."""
    import importlib

    importlib.import_module({"pyarrow.dataset": "pyarrow", "DuckDB": "duckdb"}.get(peer, peer))
    tree = ProcessTree(watched=False)
    started = time.perf_counter()
    PEERS[peer](source, target)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak_mb": tree.stop()[1]}))


def main(source: str, rounds: int) -> None:
    found = pc.value_counts(pq.read_table(source, columns=[KEY])[KEY].combine_chunks()).to_pylist()
    expected = sorted(count["counts"] for count in found)
    print(f"{Path(source).name} by {KEY}: {len(found):,} keys, {sum(expected):,} rows")
    print(f"{'':16} {'seconds':>8} {'peak MB':>8} {'files':>7}")
    for peer in PEERS:
        runs = [run(peer, source) for _ in range(rounds)]
        if failed := next((each["error"] for each in runs if "error" in each), None):
            print(f"{peer:16} {failed}")
            continue
        best = min(runs, key=lambda each: each["seconds"])
        right = "" if sorted(best["counts"].values()) == expected else "  WRONG: rows by key differ"
        print(f"{peer:16} {best['seconds']:8.2f} {best['peak_mb']:8.0f} {best['files']:7,}{right}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs=3, metavar=("PEER", "SOURCE", "TARGET"), help=argparse.SUPPRESS)
    parser.add_argument("--source", default=str(FLIGHTS))
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    if given.child:
        child(*given.child)
    else:
        main(given.source, given.rounds)

"""Figures of the main job: memory, stopping, backpressure, import time, and time beside the peers.

    python benchmarks/main_job.py                  # everything, on about 1 GB (and 4 GB for memory)
    python benchmarks/main_job.py memory --gigabytes 1
    python benchmarks/main_job.py stop backpressure imports peers --gigabytes 0.3

Every measurement runs in a process of its own. Data: flights of 2013 (datasets/), replayed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FLIGHTS = HERE.parent / "datasets" / "flights.parquet"
ROUNDS = 5


# ------------------------------------------------------------------ measured in a child process


@contextmanager
def peak_rss() -> Iterator[Callable[[], float]]:
    """Yield a function that tells how far RSS has grown, at the most, since entering; in MB."""
    import psutil

    process = psutil.Process()
    base = process.memory_info().rss
    peak, done = [base], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: (max(peak[0], process.memory_info().rss) - base) / 1e6
    finally:
        done.set()
        watcher.join()


def child_memory(csv: str, memory: str) -> dict[str, Any]:
    # Part of the baseline, as after the first cell of a notebook: these import pandas as well.
    for module in ("pyarrow.acero", "pyarrow.parquet"):
        importlib.import_module(module)
    import streamframe as sf

    with tempfile.TemporaryDirectory() as folder, sf.options(memory=memory), peak_rss() as grown:
        report = sf.read_csv(csv).to_parquet(Path(folder) / "out.parquet")
        return {"grown_mb": grown(), "seconds": report.seconds, "held_mb": report.peak_bytes / 1e6, "rows": report.rows}


def child_stop(csv: str, memory: str) -> dict[str, Any]:
    import streamframe as sf

    def left() -> tuple[int, int]:
        return threading.active_count(), len(os.listdir("/proc/self/fd"))

    frame = sf.read_csv(csv)
    frame.head(1)
    before, closing, dropping = left(), [], []
    with sf.options(memory=memory):
        for _ in range(100):
            batches = frame.iter_batches()
            next(batches)
            started = time.perf_counter()
            batches.close()
            closing.append(time.perf_counter() - started)
            assert left() == before, f"left behind after close: {left()} instead of {before}"
        for _ in range(100):
            for _batch in frame:
                break
            started = time.perf_counter()
            while left() != before:
                assert time.perf_counter() - started < 5, f"left behind after break: {left()}"
            dropping.append(time.perf_counter() - started)
    return {
        "close_median_ms": 1e3 * statistics.median(closing),
        "close_worst_ms": 1e3 * max(closing),
        "gone_after_break_median_ms": 1e3 * statistics.median(dropping),
        "gone_after_break_worst_ms": 1e3 * max(dropping),
    }


def child_backpressure(csv: str, memory: str) -> dict[str, Any]:
    """Take one batch from a server that would send for ever, sleep, and see how much it could send."""
    import streamframe as sf

    with Path(csv).open("rb") as file:
        rows = file.read(8 << 20)
    header, _, rows = rows.partition(b"\n")
    rows = rows[: rows.rindex(b"\n") + 1]
    sent = [0]
    listener = socket.create_server(("127.0.0.1", 0))

    def send_for_ever() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n"
            connection.sendall(head + b"%x\r\n%b\n\r\n" % (len(header) + 1, header))
            view = memoryview(rows)
            try:
                while True:
                    connection.sendall(b"%x\r\n" % len(rows))
                    for start in range(0, len(rows), 16384):
                        connection.sendall(view[start : start + 16384])
                        sent[0] += len(view[start : start + 16384])
                    connection.sendall(b"\r\n")
            except OSError:
                return

    server = threading.Thread(target=send_for_ever)
    server.start()
    frame = sf.read_csv(f"http://127.0.0.1:{listener.getsockname()[1]}/flights.csv")
    with sf.options(memory=memory), frame.iter_batches() as batches:
        next(batches)
        last = -1
        while sent[0] != last:  # until the server has been stuck for a second
            last = sent[0]
            time.sleep(1)
        held = batches.stats().bytes_buffered
        waiting = batches.stats().waiting_on
    server.join()
    listener.close()
    return {"sent_mb": sent[0] / 1e6, "held_mb": held / 1e6, "waiting_on": waiting}


def child_peer(task: str, csv: str, memory: str) -> dict[str, Any]:
    modules, run = PEERS[task]
    for module in modules.split():
        importlib.import_module(module)
    with tempfile.TemporaryDirectory() as folder:
        target = str(Path(folder) / "out.parquet")
        with peak_rss() as grown:
            started = time.perf_counter()
            run(csv, target, memory)
            return {"seconds": time.perf_counter() - started, "grown_mb": grown()}


def _streamframe(csv: str, target: str, memory: str) -> None:
    import streamframe as sf

    with sf.options(memory=memory):
        frame = sf.read_csv(csv).filter(sf.col("dep_delay") > 0)
        frame.with_columns(made_up=sf.col("dep_delay") - sf.col("arr_delay")).to_parquet(target)


def _polars(csv: str, target: str, memory: str) -> None:
    import polars as pl

    frame = pl.scan_csv(csv).filter(pl.col("dep_delay") > 0)
    frame.with_columns(made_up=pl.col("dep_delay") - pl.col("arr_delay")).sink_parquet(target, compression="snappy")


def _duckdb(csv: str, target: str, memory: str) -> None:
    import duckdb

    select = f"select *, dep_delay - arr_delay as made_up from read_csv('{csv}') where dep_delay > 0"
    duckdb.connect().execute(f"copy ({select}) to '{target}' (format parquet)")


def _pyarrow(csv: str, target: str, memory: str) -> None:
    import pyarrow.compute as pc
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    data = ds.dataset(csv, format="csv")
    columns = {name: ds.field(name) for name in data.schema.names}
    columns["made_up"] = ds.field("dep_delay") - ds.field("arr_delay")
    scanner = data.scanner(columns=columns, filter=pc.field("dep_delay") > 0)
    with pq.ParquetWriter(target, scanner.projected_schema) as writer:
        for batch in scanner.to_batches():
            writer.write_batch(batch)


# What is imported before the clock starts, and what runs.
PEERS = {
    "streamframe": ("streamframe pyarrow.acero pyarrow.csv pyarrow.parquet", _streamframe),
    "duckdb": ("duckdb", _duckdb),
    "polars": ("polars", _polars),
    "pyarrow.dataset": ("pyarrow.dataset pyarrow.parquet", _pyarrow),
}
CHILDREN = {"memory": child_memory, "stop": child_stop, "backpressure": child_backpressure, "peer": child_peer}


# ------------------------------------------------------------------------------- the parent


def replayed(folder: Path, gigabytes: float) -> str:
    """Write the flights as CSV, again and again, until the file has the size; return its path."""
    path = folder / f"flights-{gigabytes:g}.csv"
    if path.exists():
        return str(path)
    import io

    import pyarrow.csv
    import pyarrow.parquet as pq

    text = io.BytesIO()
    pyarrow.csv.write_csv(pq.read_table(FLIGHTS), text)
    header, _, rows = text.getvalue().partition(b"\n")
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(header + b"\n")
        while file.tell() < gigabytes * 1e9:
            file.write(rows)
    partial.rename(path)
    return str(path)


def measured(kind: str, *arguments: str) -> dict[str, Any]:
    """Run one measurement in a new process."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", kind, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{kind} {arguments} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def show(title: str, **facts: Any) -> None:
    shown = (f"{name} {value:.1f}" if isinstance(value, float) else f"{name} {value}" for name, value in facts.items())
    print(f"{title:<52}" + "  ".join(shown), flush=True)


def memory(folder: Path, gigabytes: float) -> None:
    for size in (gigabytes, 4 * gigabytes):
        runs = [measured("memory", replayed(folder, size), "64MB") for _ in range(3)]
        run = sorted(runs, key=lambda each: each["grown_mb"])[-1]
        show(f"memory: {size:g} GB CSV -> Parquet in 64MB", worst_of=len(runs), **run)


def stop(folder: Path, gigabytes: float) -> None:
    show("stop: break after the first batch, 100 times", **measured("stop", replayed(folder, gigabytes), "64MB"))


def backpressure(folder: Path, gigabytes: float) -> None:
    for limit in ("16MB", "64MB"):
        run = measured("backpressure", replayed(folder, gigabytes), limit)
        show(f"backpressure: consumer sleeps, limit {limit}", **run)


def imports(folder: Path, gigabytes: float) -> None:
    def seconds(statement: str) -> float:
        code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
        command = [sys.executable, "-c", code]
        return float(subprocess.run(command, capture_output=True, text=True, check=True, env=cached).stdout)

    # As installed: with compiled bytecode, which this machine may be told not to write.
    cached = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    cached["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    both = [(seconds("import pyarrow"), seconds("import streamframe")) for _ in range(11)]
    arrow, ours = (1e3 * statistics.median(each) for each in zip(*both, strict=True))
    lazy = "pandas duckdb aiohttp IPython tqdm click".split()
    code = f"import sys, streamframe; print([name for name in {lazy} if name in sys.modules])"
    early = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    show("import streamframe", pyarrow_ms=arrow, streamframe_ms=ours, more_ms=ours - arrow, imported_too_early=early)


def peers(folder: Path, gigabytes: float) -> None:
    csv = replayed(folder, gigabytes)
    seen: dict[str, list[dict[str, Any]]] = {name: [] for name in PEERS}
    for _ in range(ROUNDS):
        for name in PEERS:
            seen[name].append(measured("peer", name, csv, "256MB"))
    best = min(
        statistics.median(run["seconds"] for run in runs) for name, runs in seen.items() if name != "streamframe"
    )
    for name, runs in seen.items():
        seconds = statistics.median(run["seconds"] for run in runs)
        grown = max(run["grown_mb"] for run in runs)
        show(
            f"CSV -> filter + column -> Parquet: {name}",
            seconds=f"{seconds:.2f}",
            ratio_to_best_peer=f"{seconds / best:.2f}",
            peak_mb=grown,
        )


FIGURES = {"memory": memory, "stop": stop, "backpressure": backpressure, "imports": imports, "peers": peers}


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        kind, *arguments = sys.argv[2:]
        print(json.dumps(CHILDREN[kind](*arguments)))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="*", choices=[*FIGURES, []], help="default: all")
    parser.add_argument("--gigabytes", type=float, default=1.0, help="size of the CSV")
    parser.add_argument("--folder", type=Path, help="where to keep the data for the next time")
    arguments = parser.parse_args()
    import pyarrow

    print(
        f"{platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, pyarrow {pyarrow.__version__}"
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in arguments.figures or FIGURES:
            FIGURES[name](folder, arguments.gigabytes)


if __name__ == "__main__":
    main()

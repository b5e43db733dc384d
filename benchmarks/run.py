"""streamframe beside its peers: time, CPU, memory and time to the first rows of each task.

    python benchmarks/run.py                                  # all tasks on 1 GB, 5 rounds
    python benchmarks/run.py --quick                          # on 50 MB
    python benchmarks/run.py --tasks csv-groups,http --rounds 3 --megabytes 300 --out results

Every measurement runs in a process of its own; the rounds of all libraries are interleaved. A result that
is not equal to ours is called WRONG, and its time does not count. Prints a table, and writes
results.json and results.svg into --out. The tasks are in tasks.py, the data in data.py.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import data
import report
from tasks import TASKS, Task

PACKAGES = ["streamframe-arrow", "pyarrow", "pandas", "polars", "duckdb", "fsspec", "aiohttp"]
# Named in the comparison, but with no task of theirs here yet.
LEFT_OUT = {"datasets": "Hugging Face datasets", "ray": "Ray Data"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default=",".join(TASKS), help="by name, with commas between")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=1000, help="of the CSV")
    parser.add_argument("--quick", action="store_true", help="50 MB")
    parser.add_argument("--memory", default="256MB", help="streamframe's limit")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "streamframe-benchmarks")
    parser.add_argument("--out", type=Path, default=None, help="where results.json and results.svg go")
    parser.add_argument("--child", nargs=4, metavar=("TASK", "PEER", "INPUT", "OUTPUT"), help=argparse.SUPPRESS)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measured(*given.child, memory=given.memory)))
    elif given.serve:
        serve_chunks(given.serve)
    else:
        unknown = set(given.tasks.split(",")) - set(TASKS)
        if unknown:
            parser.error(f"no task is called {', '.join(sorted(unknown))}; there are {', '.join(TASKS)}")
        compare(given)


def compare(given: argparse.Namespace) -> None:
    megabytes = 50 if given.quick else given.megabytes
    files = data.made(given.cache, megabytes)
    for name in LEFT_OUT.values():
        print(f"LEFT OUT: {name} has no task here yet")
    results: dict[str, Any] = {"machine": machine(), "megabytes": megabytes, "memory": given.memory, "tasks": {}}
    for name in given.tasks.split(","):
        task = TASKS[name]
        print(f"{task.title}…", flush=True)
        results["tasks"][name] = {"title": task.title, "target": task.target, "peers": rounds(name, task, files, given)}
    print("\n" + report.table(results))
    out = given.out or given.cache
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=1))
    (out / "results.svg").write_text(report.plot(results))
    print(f"written: {out / 'results.json'} and results.svg")


def rounds(name: str, task: Task, files: dict[str, Path], given: argparse.Namespace) -> dict[str, Any]:
    """Return the medians of each library; `wrong` tells why one does not count."""
    runs: dict[str, list[dict[str, Any]]] = {peer: [] for peer in task.peers}
    with tempfile.TemporaryDirectory(dir=given.cache) as folder, source(task, files) as path:
        for _ in range(given.rounds):
            for peer in task.peers:
                out = os.path.join(folder, f"{peer}.{'csv' if name.endswith('-csv') else 'parquet'}")
                runs[peer].append(child(name, peer, path, out, given.memory))
    expected = runs["streamframe"][0].get("answer")
    return {peer: summary(found, expected) for peer, found in runs.items()}


def summary(runs: list[dict[str, Any]], expected: Any) -> dict[str, Any]:
    failed = next((run["error"] for run in runs if "error" in run), None)
    if failed is None and any(run["answer"] != expected for run in runs):
        failed = f"WRONG: {str(runs[0]['answer'])[:60]} is not {str(expected)[:60]}"
    if failed is not None:
        return {"wrong": failed}
    kinds = ("wall_s", "cpu_s", "peak_mb", "first_s")
    return {kind: statistics.median(run[kind] for run in runs) for kind in kinds if runs[0][kind] is not None}


def child(name: str, peer: str, path: str, out: str, memory: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--memory", memory, "--child", name, peer, path, out]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        return {"error": (ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"])[-1]}
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def measured(name: str, peer: str, path: str, out: str, *, memory: str) -> dict[str, Any]:
    """Do one task once, in this process."""
    # What a notebook has imported anyway is no part of the task.
    import pandas  # noqa: F401
    import pyarrow.parquet as pq

    if peer == "duckdb":
        import duckdb  # noqa: F401
    elif peer == "polars":
        import polars  # noqa: F401
    import streamframe as sf

    sf.set_options(memory=memory, progress=False)
    base = rss_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from now on
    firsts: list[float] = []
    start, cpu = time.perf_counter(), time.process_time()
    answer = TASKS[name].peers[peer](path, out, lambda: firsts.append(time.perf_counter() - start))
    wall_s, cpu_s, peak_mb = time.perf_counter() - start, time.process_time() - cpu, rss_mb("VmHWM") - base
    if answer is None:
        import pyarrow.compute as pc
        import pyarrow.csv as pacsv

        parse = pacsv.ParseOptions(newlines_in_values=True)
        made = pq.read_table(out) if out.endswith(".parquet") else pacsv.read_csv(out, parse_options=parse)
        answer = (made.num_rows, *(pc.sum(made[column]).as_py() for column in ("distance", "arr_delay", "dep_delay")))
    first_s = firsts[0] if firsts else None
    return {"wall_s": wall_s, "cpu_s": cpu_s, "peak_mb": peak_mb, "first_s": first_s, "answer": answer}


def rss_mb(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1000
    raise LookupError(field)


@contextlib.contextmanager
def source(task: Task, files: dict[str, Path]) -> Iterator[str]:
    """Yield the path of a task's input, or the URL of a server for it."""
    if task.data != "http":
        yield str(files[task.data])
        return
    command = [sys.executable, __file__, "--serve", str(files["csv"])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def serve_chunks(path: Path) -> None:
    """Serve a file in chunks, without its length; print the URL."""
    from streamframe.testing import Request, serve

    def handle(request: Request) -> None:
        request.head("200 OK", "Transfer-Encoding: chunked")
        with open(path, "rb") as file:
            while piece := file.read(1 << 18):
                request.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        request.send(b"0\r\n\r\n")

    with serve(handle) as url:
        print(f"{url}/flights.csv", flush=True)
        threading.Event().wait()


def machine() -> dict[str, Any]:
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": versions,
    }


if __name__ == "__main__":
    main()

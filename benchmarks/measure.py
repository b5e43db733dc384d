"""One task, done once by one library, in a process of its own: what it took, and what it came to.

The process measures itself: wall and CPU time, the peak of its memory over what the imports hold, and the
time to the first rows. What an export wrote is read back after the clock.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import ray_data
from answers import Answer, Does
from process_tree import ProcessTree
from tasks import TASKS, Task

# What each library imports. The others come with streamframe.
PACKAGES = {"polars": "polars", "duckdb": "duckdb", "Hugging Face": "datasets", "Ray Data": "ray"}


def missing(peer: str) -> str | None:
    """Return how to install a library that is not there."""
    package = PACKAGES.get(peer, "pyarrow")
    # Not find_spec: it takes the folder datasets/ of this repository for the package.
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return f"NOT INSTALLED: pip install '{'ray[data]' if package == 'ray' else package}'"
    return None


def peers_of(name: str, more: Path | None) -> dict[str, Does]:
    """Return the libraries of a task, with those of the user's own file."""
    if more is None:
        return TASKS[name].peers
    spec = importlib.util.spec_from_file_location("more_peers", more)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return TASKS[name].peers | module.PEERS.get(name, {})


def child(name: str, peer: str, path: str, memory: str, given: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one run; `error` says why there are none."""
    with tempfile.TemporaryDirectory(dir=given.cache) as folder:
        out = os.path.join(folder, f"out.{TASKS[name].writes}")
        command = [sys.executable, __file__, name, peer, path, out, "--memory", memory]
        command += ["--peers", str(given.peers)] if given.peers else []
        try:
            ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=given.timeout)
        except subprocess.TimeoutExpired:
            return {"error": f"FAILED: stopped after {given.timeout:g} s"}
    if ran.returncode:
        said = (ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"])[-1]
        return {"error": f"FAILED: {said}"}
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def measured(peer: str, does: Does, path: str, out: str, memory: str) -> dict[str, Any]:
    """Do one task once, in this process."""
    # What a notebook has imported anyway is no part of the task. Only our own runs import streamframe,
    # which chooses Arrow's allocator, and first, as docs/benchmarks.md has it.
    if peer == "streamframe":
        import streamframe as sf

        sf.set_options(memory=memory, progress=False)
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    if peer in PACKAGES:
        importlib.import_module(PACKAGES[peer])
    with ray_data.started() if peer == "Ray Data" else contextlib.nullcontext():
        # Only Ray works in other processes; reading their memory all the time would cost the others.
        tree = ProcessTree(watched=peer == "Ray Data")
        firsts: list[float] = []
        start = time.perf_counter()
        answer = does(path, out, lambda: firsts.append(time.perf_counter() - start))
        wall_s = time.perf_counter() - start
        cpu_s, peak_mb = tree.stop()
    first_s = firsts[0] if firsts else None
    return {
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "peak_mb": peak_mb,
        "first_s": first_s,
        "answer": written(out) if answer is None else answer,
    }


def written(out: str) -> Answer:
    """Return what proves that an export is whole."""
    import pyarrow.compute as pc
    import pyarrow.csv as pacsv
    import pyarrow.parquet as pq

    rows = 0
    sums = dict.fromkeys(("distance", "arr_delay", "dep_delay"), 0)
    with contextlib.ExitStack() as opened:
        if out.endswith(".parquet"):
            files = sorted(Path(out).glob("*.parquet")) if Path(out).is_dir() else [Path(out)]
            batches: Any = (batch for file in files for batch in pq.ParquetFile(file).iter_batches(columns=list(sums)))
        else:
            parse = pacsv.ParseOptions(newlines_in_values=True)
            convert = pacsv.ConvertOptions(include_columns=list(sums))
            batches = opened.enter_context(pacsv.open_csv(out, parse_options=parse, convert_options=convert))
        for batch in batches:
            rows += batch.num_rows
            for column in sums:
                sums[column] += pc.sum(batch[column]).as_py() or 0
    return rows, *sums.values()


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="*", metavar="TASK PEER INPUT OUTPUT")
    parser.add_argument("--memory", default="256MB")
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--serve", type=Path)
    given = parser.parse_args()
    if given.serve:
        serve_chunks(given.serve)
        return
    name, peer, path, out = given.run
    print(json.dumps(measured(peer, peers_of(name, given.peers)[peer], path, out, given.memory)))


if __name__ == "__main__":
    main()
